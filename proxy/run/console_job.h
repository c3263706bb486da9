/* SPDX-License-Identifier: ISC
 *
 * One command being carried out: rows come in small pieces, so that a long answer holds up nobody, and no row
 * is given out before the tenants' logs say who read it.
 */
#ifndef SEKISHO_CONSOLE_JOB_H
#define SEKISHO_CONSOLE_JOB_H

#include "console_rights.h"

struct console_job;

enum job_next {
    JOB_ROW, /* cells; valid until the next call */
    JOB_DONE,
    JOB_AGAIN, /* a piece of work was done; come again, after others had their turn */
    JOB_WAIT,  /* until `wake` is called */
    JOB_WARNS, /* *f is a warning; come again */
    JOB_FAILED
};

struct job_order {
    const struct console_person *person; /* lives longer than the job */
    uint64_t session;
    void (*wake)(void *arg);
    void *arg;
    /* Was this tenant's metadata read by this session, by this command, a moment ago? Then it is not recorded
     * again. */
    bool (*read_before)(void *arg, const char *tenant, enum console_verb verb);
};

/* NULL, with why: refused, or it failed. The command must live as long as the job. */
struct console_job *job_new(const struct job_order *order, const struct console_command *c,
                            struct failure *f);
enum job_next job_next(struct console_job *j, struct view cell[CONSOLE_COLUMNS_MAX], size_t *cells,
                       struct failure *f);
void job_free(struct console_job **j);

#endif
