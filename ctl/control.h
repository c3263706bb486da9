/* SPDX-License-Identifier: ISC
 *
 * The running proxy's control socket: one line of JSON there, one line back.
 */
#ifndef SEKISHO_CONTROL_H
#define SEKISHO_CONTROL_H

#include "ctl.h"

#include <jansson.h>

/* Connects to <run_dir>/control.sock; -1 after saying why. */
int control_connect(const struct settings *settings);
/* Whether a proxy listens there. When it cannot be known, true. Says nothing. */
bool control_running(const struct settings *settings);
/* Takes over `request`. The answer, or NULL after saying why; *code is the exit code: CTL_DONE, CTL_REFUSED
 * when the proxy said no, CTL_UNAVAILABLE when it did not answer within 5 seconds. Only one question a
 * connection. */
json_t *control_ask(const struct ctl *ctl, json_t *request, int *code);

#endif
