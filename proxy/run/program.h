/* SPDX-License-Identifier: ISC
 *
 * Running a program that the configuration names, without waiting: no shell, a process group of its own that
 * is killed as a whole when its time is up, and no descriptor of ours but those named here.
 */
#ifndef SEKISHO_PROGRAM_H
#define SEKISHO_PROGRAM_H

#include "bytes.h"

#define PROGRAM_SAID 256 /* bytes kept of what it says */

struct program;

struct program_wish {
    char *const *argv; /* argv[0]: its path */
    char *const *environment;
    int input;  /* its standard input, which stays the caller's; -1: empty */
    bool heard; /* what it says is kept, and it has ended when nobody can say more; otherwise its standard
                   output leads nowhere, and its standard error is ours */
    uint32_t limit_ms;
};

struct program_end {
    bool late; /* killed: its time was up */
    int status;
    struct view said; /* the beginning of it */
};

/* Called once from the loop, later; the program is gone then. */
typedef void program_ended_fn(void *arg, const struct program_end *e);

/* NULL with errno when it cannot be started. */
struct program *program_start(const struct program_wish *w, program_ended_fn *ended, void *arg);
/* Kills it; nobody is told. */
void program_stop(struct program **p);
/* All of them, when the process leaves. */
void programs_end(void);

#endif
