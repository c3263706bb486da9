/* SPDX-License-Identifier: ISC
 *
 * Many chains inspected at once, each by a process of its own: a log that an enemy wrote can end the one that
 * reads it, and that chain is then not good.
 */
#ifndef SEKISHO_CTL_AUDIT_CREW_H
#define SEKISHO_CTL_AUDIT_CREW_H

#include "inspect.h"

struct crew_task {
    const char *path;             /* the chain's folder */
    struct inspect_wish wish;     /* without progress */
    struct inspect_report report; /* once it is done */
    bool done;
};

/* jobs: processes at most, from 1. told: a task is done, in their order. bar: a line on standard error says
 * how far it is. False, with errno, when there are no processes to be had. */
bool crew_run(struct crew_task *task, size_t count, unsigned jobs, bool bar,
              void (*told)(void *arg, const struct crew_task *t), void *arg);

#endif
