/* SPDX-License-Identifier: ISC
 *
 * Commands that carry a signed statement: examined, where it is a request also by the ticket's checker, and
 * handed in.
 */
#include "console_job_parts.h"
#include "log.h"
#include "role.h"

#include <stdlib.h>

static struct facts_paper paper_of(const struct console_job *j) {
    return (struct facts_paper){j->command->verb, console_command_value(j->command, ARGUMENT_BODY),
                                console_command_value(j->command, ARGUMENT_SIGNATURE)};
}

static bool hand_in(struct console_job *j, const char *unchecked, struct failure *f) {
    struct facts_paper paper = paper_of(j);
    struct facts_receipt r;
    if (!facts_submit(j->order.person, &paper, unchecked, &r, f))
        return false;
    rows_text(&j->table, r.id);
    rows_text(&j->table, r.digest);
    rows_number(&j->table, r.n);
    return true;
}

static enum fill hand_in_late(struct console_job *j, const char *unchecked, struct failure *f) {
    /* Meanwhile everything may be otherwise: it is judged again. */
    return facts_refresh(f) && hand_in(j, unchecked, f) ? FILL_END : FILL_FAILED;
}

static enum fill refuse_ticket(const struct console_job *j, bool busy, const char *why, struct failure *f) {
    const struct statement *r = j->request;
    if (busy)
        failure_set(f, "53300", "try again in a moment", "%s", why);
    else
        failure_set(f, "42501", "is it the right ticket, open, and this tenant's?", TICKET_REFUSED, r->ticket,
                    why);
    log_warning("a request by %s for %s was refused: %s", r->signer, r->tenant, f->sentence);
    return FILL_FAILED;
}

static enum fill fill_request(struct console_job *j, struct failure *f) {
    const struct statement *r = j->request;
    const char *why;
    enum ticket_outcome o = ticket_check_outcome(j->check, &why);
    if (o == TICKET_PENDING)
        return FILL_WAIT;
    if (o == TICKET_AGREED)
        return hand_in_late(j, "", f);
    if (r->class != CLASS_EMERGENCY)
        return refuse_ticket(j, o == TICKET_BUSY, why, f);
    enum fill done = hand_in_late(j, why, f);
    if (done == FILL_END) {
        failure_set(&j->warning, "01000", NULL, TICKET_GOES_ON, r->ticket, why);
        log_warning("a request by %s for %s: %s", r->signer, r->tenant, j->warning.sentence);
    }
    return done;
}

static bool begin_request(struct console_job *j, const struct statement *s) {
    j->request = malloc(sizeof *j->request);
    if (!j->request)
        abort();
    *j->request = *s;
    j->check = ticket_check_begin(role_settings(), j->request, j->order.wake, j->order.arg);
    j->fill = fill_request;
    return true;
}

bool job_begin_signed(struct console_job *j, struct failure *f) {
    struct facts_paper paper = paper_of(j);
    struct statement s;
    if (!facts_examine(j->order.person, &paper, &s, f))
        return false;
    if (s.kind == STATEMENT_REQUEST && ticket_check_wanted(role_settings()))
        return begin_request(j, &s);
    return hand_in(j, "", f);
}
