/* SPDX-License-Identifier: ISC
 *
 * Confinement: one block at the start of every process, from one table (sandbox.def). What a process could
 * ask of the kernel beyond its job is gone before the first byte of a stranger arrives, and no bug brings it
 * back. Needs no privilege; with root it also takes the privileges away. A kernel without Landlock or seccomp
 * gets a warning in the log, and the rest.
 */
#ifndef SEKISHO_SANDBOX_H
#define SEKISHO_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

/* "uid:gid" in decimal, from the supervisor: who the process becomes. */
#define SANDBOX_IDS "SEKISHO_IDS"

enum sandbox_user { USER_KEPT, USER_SESSION, USER_BROKER, USER_LEDGER };

/* Called first of all by a process of that role ("cell"; the names of sandbox.def). Ends the process when a
 * limit that this kernel knows cannot be set. */
void sandbox_enter(const char *role);
/* Under which user that role runs, when there are several. */
enum sandbox_user sandbox_user(const char *role);
struct settings;
/* A setting of the new configuration whose file or folder no confined process can reach, as it was started
 * with the old one; NULL when there is none. */
const char *sandbox_beyond(const struct settings *old, const struct settings *new);
/* "openat", or the number when this libseccomp has no name for it. */
void sandbox_call_name(uint32_t number, char out[32]);

#endif
