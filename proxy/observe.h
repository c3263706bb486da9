/* SPDX-License-Identifier: ISC
 *
 * The observer of one operator's session: every statement is in the session log before the instance sees it.
 * A pure state machine between the relay and two byte streams: no socket, no clock, no ledger of its own.
 * What comes from the client is held here until the relay says that its records are durable; only then does
 * observe_outgoing show it. What comes from the instance is only followed: rows are counted, never held. Both
 * sides may be hostile; this runs in the cell of that one session.
 *
 * Records get tickets, 1, 2, 3 and so on, in the order in which they are to be written: the relay sends each
 * to the ledger and calls observe_durable with the ticket of the last one that is on disk.
 *
 * Memory: OBSERVE_HELD_MAX bytes of messages and OBSERVE_OUTSTANDING_MAX statements of 128 bytes at most
 * (while either grows, half of it again), under 4 MiB in all; about 2 KiB when nothing is under way.
 */
#ifndef SEKISHO_OBSERVE_H
#define SEKISHO_OBSERVE_H

#include "failure.h"
#include "record.h"

#define OBSERVE_STATEMENT_MAX (1u << 20)                           /* a statement message's length field */
#define OBSERVE_HELD_MAX (OBSERVE_STATEMENT_MAX + 1 + (64u << 10)) /* bytes held until durable and sent */
#define OBSERVE_OUTSTANDING_MAX 10000                              /* statements not yet answered */
#define OBSERVE_RECORDS_MAX                                                                                  \
    1000 /* records not yet durable; beyond it no new message is begun, either way                           \
          */

enum observe_result { OBSERVE_OK, OBSERVE_REFUSE };

struct observe_rules {
    uint64_t session;
    bool allow_replication_and_function_call;
};

/* A record is to be written. The views in *r live during the call only; fields may be added to it. number:
 * the statement it is about; 0 for none. Calls nothing of the observer. */
typedef void observe_record_fn(void *arg, uint64_t ticket, uint64_t number, struct record *r);

struct observe;
/* NULL without memory. */
struct observe *observe_new(const struct observe_rules *rules, observe_record_fn *record, void *arg);
void observe_free(struct observe **o);

/* Bytes from the client. *used of them were taken; offer the others again after the next observe_durable,
 * observe_sent or observe_instance, and read nothing more from the client while there are any.
 * OBSERVE_REFUSE: the session is to be closed with *why; its records (what was tried, and the refusal) have
 * been told, and observe_outgoing is empty from now on. */
enum observe_result observe_client(struct observe *o, struct view bytes, int64_t now_us, size_t *used,
                                   struct failure *why);
/* Every record up to this ticket is on disk. */
void observe_durable(struct observe *o, uint64_t ticket, int64_t now_us);
/* What may go to the instance now, until the next call of anything here; may be empty. */
struct view observe_outgoing(const struct observe *o);
/* The first `len` bytes of it were sent. */
void observe_sent(struct observe *o, size_t len);

/* Bytes from the instance. *used of them were taken and may go to the client; the others (a header not yet
 * whole, or too many records under way) are to be offered again, followed by what comes next. OBSERVE_REFUSE:
 * as above; *used ends at a message boundary. */
enum observe_result observe_instance(struct observe *o, struct view bytes, int64_t now_us, size_t *used,
                                     struct failure *why);

/* The session ends, however: tells the records of what is unfinished (a result "not sent" or "outcome
 * unknown" for each statement without one, a COPY in the middle). Nothing but observe_durable and
 * observe_free may follow. */
void observe_end(struct observe *o, int64_t now_us);

/* Nothing is held, under way or unanswered. */
bool observe_idle(const struct observe *o);
/* Records told and not yet durable. */
uint64_t observe_pending(const struct observe *o);
/* Statements told so far. */
uint64_t observe_statements(const struct observe *o);

#endif
