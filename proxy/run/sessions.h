/* SPDX-License-Identifier: ISC
 *
 * What cell and lobby share: the table of the process's sessions, hand-overs in, records out. While the
 * ledger is away records wait here, bounded; an open record that was on its way when it died counts as not
 * written.
 */
#ifndef SEKISHO_SESSIONS_H
#define SEKISHO_SESSIONS_H

#include "channel.h"
#include "session.h"

struct sessions {
    uint32_t magic;
    enum role role;
    struct corridor corridor;
    struct session *table; /* uthash, by id */
    struct channel *ledger;
    struct waiting *first, *last; /* records for a ledger that is away */
    size_t waiting;
    int descriptors_most; /* the highest an arriving connection may have */
    uint32_t turned_away; /* since the last line about it */
    int64_t turned_away_us;
    uint64_t handed_over;                  /* hand-overs received from the present gate */
    void (*emptied)(struct sessions *all); /* the last session has ended */
    /* Operators: the answer to a statement's record, and the loss of whoever would answer. May be NULL. */
    void (*answered)(struct sessions *all, uint64_t ticket, bool durable);
    void (*ledger_lost)(struct sessions *all);
};

void sessions_begin(struct sessions *all, enum role role, const struct ports *ports);
/* A HANDOVER's body and descriptor. Offends the channel when it does not parse. */
void sessions_arrive(struct sessions *all, struct channel *gate, struct reader *body, int fd);
struct session *sessions_find(struct sessions *all, uint64_t id);
/* Takes over fd: a channel to the (new) ledger. Sessions that are open are claimed, then what waited is sent.
 */
void sessions_ledger(struct sessions *all, int fd);
/* To the gate, or nobody when it is NULL: that login is over, one way or the other. */
void sessions_login_over(struct channel *gate, uint64_t session);
/* For the ports. */
void sessions_record(struct sessions *all, struct session *s, const struct record *r, bool answered);
/* As sessions_record, answered through `answered` with this ticket. */
void sessions_statement(struct sessions *all, const struct record *r, uint64_t ticket);
/* A record of no session's own. */
void sessions_note(struct sessions *all, const struct record *r);
/* Takes the session out of the table; the last thing that happens to it. */
void sessions_ended(struct sessions *all, struct session *s);
void sessions_drain(struct sessions *all);
void sessions_cut_all(struct sessions *all);
void sessions_idle_check(struct sessions *all);
/* Everything said to the ledger has left this process. */
bool sessions_said(const struct sessions *all);

#endif
