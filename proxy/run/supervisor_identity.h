/* SPDX-License-Identifier: ISC
 *
 * The certificate shown to clients whose tenant has none of its own: read from the two files of the
 * configuration, checked before anybody uses it, passed to the lobby. Holds a private key: wiped after use.
 */
#ifndef SEKISHO_SUPERVISOR_IDENTITY_H
#define SEKISHO_SUPERVISOR_IDENTITY_H

#include "bytes.h"

#define IDENTITY_PEM_MAX 32000 /* of each file; both fit into one message */
#define IDENTITY_WHY 512

struct identity {
    uint32_t magic;
    char chain[IDENTITY_PEM_MAX + 1], key[IDENTITY_PEM_MAX + 1];
    size_t chain_len, key_len;
};

/* False, with why, when a file cannot be read, is not PEM, or the key is not the certificate's. */
bool identity_read(struct identity *out, const char *chain_path, const char *key_path,
                   char why[IDENTITY_WHY]);
/* As IDENTITY carries it. */
void identity_write(struct writer *w, const struct identity *identity);
void identity_wipe(struct identity *identity);

#endif
