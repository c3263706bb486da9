/* SPDX-License-Identifier: ISC
 *
 * A console's job, for its own files only: console_job.c (what is shown, and the frame), console_job_signed.c
 * (what is handed in).
 */
#ifndef SEKISHO_CONSOLE_JOB_PARTS_H
#define SEKISHO_CONSOLE_JOB_PARTS_H

#include "console_control.h"
#include "console_facts.h"
#include "console_job.h"
#include "console_record.h"
#include "console_scroll.h"
#include "ticket_check.h"

#define CONSOLE_JOB_MAGIC 0x10BC0450u

enum fill { FILL_MORE, FILL_END, FILL_WAIT, FILL_FAILED };
typedef enum fill fill_fn(struct console_job *j, struct failure *f);

struct digest_text {
    char text[2 * STATEMENT_DIGEST + 1];
};

struct console_job {
    uint32_t magic;
    struct job_order order;
    const struct console_command *command;
    struct console_table table;
    fill_fn *fill; /* NULL: every row is in the table */
    struct reading reading;
    char (*read)[TENANT_ID_MAX + 1]; /* whose logs know of this command */
    size_t read_count;
    struct digest_text *grants; /* of SHOW GRANTS and the like, owned */
    size_t grant_count, grant_cap, grant_at;
    uint64_t after; /* the last statement looked at */
    struct scroll *scroll;
    struct control_ask *ask;
    struct ticket_check *check; /* of a request that is handed in */
    struct statement *request;  /* owned */
    struct failure warning;     /* to be said; without a sentence: none */
    json_t *sessions;           /* the broker's answer */
    size_t session_at;
    bool asked_in_vain;
};

/* For the verbs that carry a signed statement. False, with why: it is refused. */
bool job_begin_signed(struct console_job *j, struct failure *f);

#endif
