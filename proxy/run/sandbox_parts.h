/* SPDX-License-Identifier: ISC
 *
 * The parts of the block, for sandbox.c alone: the two that the kernel enforces by tables.
 */
#ifndef SEKISHO_SANDBOX_PARTS_H
#define SEKISHO_SANDBOX_PARTS_H

#include "sandbox.h"
#include "settings.h"

struct sandbox_row { /* PROCESS of sandbox.def */
    const char *role;
    enum sandbox_user user;
    const char *calls, *places;
    uint64_t descriptors, megabytes; /* 0: as the system has it */
    int processes;                   /* -1: as the system has it */
};

/* Takes the next word of a list of words; false at its end. */
bool sandbox_word(const char **rest, char out[32]);

/* seccomp (sandbox_calls.c). reporter: whether descriptor 3 is a channel that hears of a forbidden call.
 * False when the kernel has no seccomp. */
bool sandbox_calls(const struct sandbox_row *row, bool reporter);

/* Landlock (sandbox_files.c). s may be NULL when the row has no places. False when the kernel has no
 * Landlock. */
bool sandbox_files(const struct sandbox_row *row, const struct settings *s);
/* Whether there is a process that reaches the place of that name and not everything. */
bool sandbox_confines(const char *place);

#endif
