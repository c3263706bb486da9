/* SPDX-License-Identifier: ISC
 *
 * Heads: of each chain the last record's number, time and hash, as lines of JSON. What `audit witness` prints
 * and what is compared, or trusted, later.
 */
#ifndef SEKISHO_CTL_AUDIT_HEADS_H
#define SEKISHO_CTL_AUDIT_HEADS_H

#include "bytes.h"
#include "clock.h"

#define HEADS_LINE_MAX 512

struct head {
    char name[48]; /* the chain's folder: a tenant, or _provider */
    uint64_t n;
    uint8_t hash[32];
    char time[40];
    uint64_t checkpoint; /* the last checkpoint's number; 0: none */
};

struct heads {
    struct head *head; /* owned */
    size_t count;
};

/* The head of a chain. folder: a descriptor. head->n is 0 for a chain without a record. False with why. */
bool head_of(int folder, const char *name, struct head *out, char why[256]);
/* One line, without its newline. */
void head_write(struct writer *w, const struct head *h);
/* From a file as audit witness wrote it; of a chain that is there twice, the last counts. False with why. */
bool heads_read(const char *path, struct heads *out, char why[256]);
/* NULL when it is not there. */
const struct head *heads_find(const struct heads *h, const char *name);
void heads_free(struct heads *h);

#endif
