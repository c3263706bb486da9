/* SPDX-License-Identifier: ISC
 *
 * What a tenant is, fact by fact, as `tenant show` prints it and as the log's "max-connections: 100 -> 200"
 * compares it. Never a secret.
 */
#ifndef SEKISHO_FACTS_H
#define SEKISHO_FACTS_H

#include "change.h"

#include <jansson.h>

#define FACT_TEXT 4096 /* a fact's text and its NUL */

extern const size_t fact_count;
const char *fact_name(size_t index);
void fact_text(size_t index, const struct tenant *t, char out[FACT_TEXT]);

/* All facts as a JSON object: numbers, lists, texts. */
json_t *facts_json(const struct tenant *t);
/* Adds every fact that is not empty to the change's detail. */
void facts_describe(const struct tenant *t, struct change *c);
/* Adds every fact in which the two differ to the change's detail. How many. */
size_t facts_compare(const struct tenant *before, const struct tenant *after, struct change *c);
/* Prints a JSON value on standard output, ASCII only, so that it is harmless on a terminal. Frees it. */
void facts_print_json(json_t *value);

const char *tenant_state_name(enum tenant_state s);

#endif
