/* SPDX-License-Identifier: ISC
 *
 * What the console knows: the control store (read, and statements appended), the public keys that count, and
 * the grants that follow, folded here as the broker folds them. Only for showing and for refusing early: the
 * broker's word is the last one.
 */
#ifndef SEKISHO_CONSOLE_FACTS_H
#define SEKISHO_CONSOLE_FACTS_H

#include "console_show.h"
#include "store.h"

void facts_settings(const struct settings *s);
/* Everything as it is now. False, with why (57P03), when the store cannot be read. */
bool facts_refresh(struct failure *f);
/* For one person; valid until the next refresh. */
struct console_look facts_look(const struct console_person *p);
/* The tenants of the directory, in the order of ids. */
size_t facts_tenants(void);
const char *facts_tenant(size_t index);
/* In the directory: necessary to get in, never sufficient. */
bool facts_operator(const char *name);
/* Rows of the statement log behind `after`. */
bool facts_statements(uint64_t after, bool (*each)(void *arg, const struct statement_row *row), void *arg,
                      struct failure *f);

struct facts_receipt { /* of a statement that was taken */
    char id[GRANT_ID + 1];
    char digest[2 * STATEMENT_DIGEST + 1];
    uint64_t n;
};
struct facts_paper { /* as the client sent it */
    enum console_verb verb;
    struct view body, signature;
};
/* Would it be taken now? *out is what it says. */
bool facts_examine(const struct console_person *p, const struct facts_paper *paper, struct statement *out,
                   struct failure *f);
/* Examines and appends. unchecked: why its ticket could not be confirmed, and it goes on all the same; "". */
bool facts_submit(const struct console_person *p, const struct facts_paper *paper, const char *unchecked,
                  struct facts_receipt *out, struct failure *f);

#endif
