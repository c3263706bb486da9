/* SPDX-License-Identifier: ISC
 *
 * The guard: the smallest process, whose only job is that there is a supervisor. It has no channel, no loop
 * and no configuration; SIGTERM, SIGINT and SIGHUP are passed on, a crash of the supervisor means another
 * one.
 */
#ifndef SEKISHO_GUARD_H
#define SEKISHO_GUARD_H

/* The program's exit status: 0 after an orderly end, 2 when the first start failed for its configuration. */
int guard_run(const char *config_path);

#endif
