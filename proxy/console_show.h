/* SPDX-License-Identifier: ISC
 *
 * What grants, locks, policies and keys look like at the console: rows of the columns that
 * console_commands.def declares. Only what the person may see (console_rights.h). Pure.
 */
#ifndef SEKISHO_CONSOLE_SHOW_H
#define SEKISHO_CONSOLE_SHOW_H

#include "console_rights.h"
#include "console_table.h"

/* What there is to look at, and who looks. */
struct console_look {
    const struct console_person *person;
    const struct grants *grants;
    const struct trust *trust;
    const struct settings *settings;
    int64_t now;
};

void show_help(struct console_table *t, const struct console_person *p);
/* GRANT_COLUMNS. */
void show_grant_row(struct console_table *t, const struct console_look *l, const struct grant_view *v);
/* SHOW GRANT: name and value. */
void show_grant(struct console_table *t, const struct console_look *l, const struct grant_view *v);
void show_locks(struct console_table *t, const struct console_look *l);
void show_policy(struct console_table *t, const struct console_look *l, const char *tenant);
/* tenant: NULL for all. */
void show_standing(struct console_table *t, const struct console_look *l, const char *tenant);
void show_trust(struct console_table *t, const struct console_look *l);
void show_rules(struct console_table *t, const struct settings *s);
void show_statement(struct console_table *t, uint64_t n, const struct statement *s, struct view body,
                    struct view signature);

#endif
