/* SPDX-License-Identifier: ISC
 *
 * What commands about grants have in common on the command line: options by index, durations, moments.
 */
#ifndef SEKISHO_TIMES_H
#define SEKISHO_TIMES_H

#include "args.h"
#include "ctl.h"

/* Seconds since 1970-01-01 UTC. */
int64_t times_now(void);
/* "90d", "2h", "30min": whole seconds, more than none. */
bool times_duration(const char *text, int64_t *seconds);
/* "2026-11-24T21:30:00Z", "2026-11-24 21:30Z", "now", or "+2h" from now. */
bool times_moment(const char *text, int64_t now, int64_t *out);
/* "1 h 05 min", "45 s": what is left, roughly. */
void times_left(int64_t seconds, char out[32]);

/* Reads a command's arguments: the value of option i into value[i] ("" for one that takes none; the last
 * counts), up to `most` words into word[]. CTL_DONE, or CTL_USAGE after saying why. */
int times_options(const char *command, const struct args_option *options, size_t count, const char **value,
                  size_t most, const char **word, int argc, char **argv);

#endif
