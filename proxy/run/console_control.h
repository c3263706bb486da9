/* SPDX-License-Identifier: ISC
 *
 * What the console asks of the broker, over the control socket that sekishoctl uses too: the sessions there
 * are now.
 */
#ifndef SEKISHO_CONSOLE_CONTROL_H
#define SEKISHO_CONSOLE_CONTROL_H

#include <jansson.h>

struct control_ask;

/* answer: the list of sessions, the callee's to json_decref, or NULL: the broker did not answer well. Never
 * called before control_sessions returned, and once; the ask is gone then. tenant: "" for all. NULL: the
 * broker cannot be reached. */
typedef void control_answer_fn(void *arg, json_t *sessions);
struct control_ask *control_sessions(const char *run_dir, const char *tenant, control_answer_fn *answer,
                                     void *arg);
/* No answer is wanted any more. */
void control_forget(struct control_ask **a);

#endif
