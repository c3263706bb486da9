/* SPDX-License-Identifier: ISC
 *
 * Who changes what in the control store, and what the store answered, as an exit code.
 */
#ifndef SEKISHO_CHANGE_H
#define SEKISHO_CHANGE_H

#include "ctl.h"

/* A change by whoever runs us, now. action: "tenant.set". The detail is for the caller to write. */
struct change change_of(const char *tenant, const char *action);
/* Appends "; "-separated text to the detail; what does not fit is cut. */
void change_detail(struct change *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says what went wrong, if something did, and returns the exit code. tenant: whose, for the sentence. */
int change_outcome(const struct ctl *ctl, enum store_result r, const char *tenant);

/* Reads one tenant; tenant_end on any outcome. CTL_DONE, or the exit code after saying why. */
int change_read(const struct ctl *ctl, const char *id, struct tenant *t);

#endif
