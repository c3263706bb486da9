/* SPDX-License-Identifier: ISC
 *
 * A grant as people and programs read it.
 */
#ifndef SEKISHO_GRANT_PRINT_H
#define SEKISHO_GRANT_PRINT_H

#include "desk.h"
#include "facts.h"
#include "table.h"

/* What it says on one line: "2 more provider approvals and the tenant's consent are missing"; "" for nothing.
 */
void grant_missing(const struct grant_view *v, char out[128]);
/* person: NULL, or whose part is marked. */
json_t *grant_json(const struct desk *d, const struct grant_view *v, const char *person);
void grant_print(const struct desk *d, const struct grant_view *v, const char *person);

/* Rows of a listing, as a table or as JSON. */
struct grant_listing {
    const struct desk *desk;
    const char *person;
    json_t *array; /* --json */
    struct table *table;
    size_t count;
};
void grant_listing_begin(struct grant_listing *l, const struct desk *d, const char *person);
/* For grants_each. */
bool grant_listing_add(void *arg, const struct grant_view *v);
/* nothing: what is printed when there are no rows. */
void grant_listing_end(struct grant_listing *l, const char *nothing);

#endif
