/* SPDX-License-Identifier: ISC
 *
 * What record.c and record_json.c share: the rules of fields.def as a table, and the cut of texts that are
 * too long.
 */
#ifndef SEKISHO_RECORD_FIELD_H
#define SEKISHO_RECORD_FIELD_H

#include "record.h"

struct field_rule {
    const char *name;
    bool is_text; /* or a number */
    size_t most;  /* bytes of a text */
};

const struct field_rule *field_rule(enum field f);
/* What is kept of a text: all of it; or, with *cut, a beginning that leaves room for "..." and splits no
 * character. */
struct view field_keep(enum field f, struct view text, bool *cut);

#endif
