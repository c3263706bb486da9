/* SPDX-License-Identifier: ISC
 *
 * A whole chain as an auditor looks at it: its files in order, every line by verify.h's rules, every
 * checkpoint's signature, what rotation, repair and retention leave behind. Reads a folder that an enemy may
 * have written; believes nothing but the public keys, and the record to begin behind, that it was given.
 */
#ifndef SEKISHO_INSPECT_H
#define SEKISHO_INSPECT_H

#include "checkpoint.h"
#include "verify.h"

#define INSPECT_KEYS_MAX 16

struct inspect_wish {
    const char *tenant; /* "" for the provider's chain */
    /* Keys whose checkpoints count. None: signatures are not looked at. A checkpoint by any other is a fault.
     */
    size_t keys;
    uint8_t key[INSPECT_KEYS_MAX][CHECKPOINT_PUBLIC];
    uint64_t from; /* number of a record that is trusted: only what follows is looked at. 0: all */
    uint8_t from_hash[32];
    void (*progress)(void *arg, uint64_t bytes); /* so many more were read; may be NULL */
    void *arg;
};

struct inspect_report {
    struct verify_report chain;
    uint64_t checkpoints; /* that were there */
    uint64_t signed_to;   /* number of the last one whose signature is good; 0: none */
    unsigned file;        /* when it is not good: where the bad record is, or would be; 0: in no file */
    uint64_t line;        /* of that file, from 1 */
};

/* folder: a descriptor of the chain's folder. */
void inspect_chain(int folder, const struct inspect_wish *wish, struct inspect_report *out);

#endif
