/* SPDX-License-Identifier: ISC
 *
 * A visit to the desk: the frame around every command that looks or signs there.
 */
#ifndef SEKISHO_DESK_VISIT_H
#define SEKISHO_DESK_VISIT_H

#include "desk.h"

/* What the command does there. p->key is NULL when it came without one. */
typedef int desk_visit_fn(struct desk *d, const struct person *p, void *arg);

/* Reads the key (file, as: from the command line, may be NULL), opens the desk, visits, closes. signs: there
 * must be a key; otherwise there must be something to look at. Returns the exit code. */
int desk_visit(const struct ctl *ctl, const char *command, bool signs, const char *file, const char *as,
               desk_visit_fn *visit, void *arg);

#endif
