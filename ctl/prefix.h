/* SPDX-License-Identifier: ISC
 *
 * Finds one statement by the beginning of its digest: at least eight digits, and only one may begin so.
 */
#ifndef SEKISHO_CTL_PREFIX_H
#define SEKISHO_CTL_PREFIX_H

#include "ctl.h"
#include "statement.h"

struct prefix {
    const char *id;
    unsigned count; /* how many begin so */
    char digest[2 * STATEMENT_DIGEST + 1];
};

struct prefix prefix_of(const char *id);
/* True when this digest begins so. */
bool prefix_try(struct prefix *l, const char *digest);
/* CTL_DONE when there was exactly one; otherwise says so. what: "lock"; where: the command that lists them.
 */
int prefix_end(const struct prefix *l, const char *what, const char *where);

#endif
