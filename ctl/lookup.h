/* SPDX-License-Identifier: ISC
 *
 * Finds one statement by the beginning of its digest: at least eight digits, and only one may begin so.
 */
#ifndef SEKISHO_CTL_LOOKUP_H
#define SEKISHO_CTL_LOOKUP_H

#include "ctl.h"
#include "statement.h"

struct lookup {
    const char *id;
    unsigned count; /* how many begin so */
    char digest[2 * STATEMENT_DIGEST + 1];
};

struct lookup lookup_of(const char *id);
/* True when this digest begins so. */
bool lookup_try(struct lookup *l, const char *digest);
/* CTL_DONE when there was exactly one; otherwise says so. what: "lock"; where: the command that lists them.
 */
int lookup_end(const struct lookup *l, const char *what, const char *where);

#endif
