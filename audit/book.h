/* SPDX-License-Identifier: ISC
 *
 * The ledger's book: which sessions are open and whose they are, which records await the next flush and who
 * waits for the answer (group commit), and which could not be written and are kept for better times. Knows no
 * sockets and no event loop: the ledger process feeds it, tests can too.
 */
#ifndef SEKISHO_BOOK_H
#define SEKISHO_BOOK_H

#include "journal.h"

#define BOOK_OWNER_MAGIC 0xB5D3170Au
#define BOOK_REFUSED_MAX 256
#define BOOK_BATCH_MAX 4096     /* records between two flushes */
#define BOOK_SESSIONS_MAX 65536 /* open at once, of one owner */
#define BOOK_KEPT_MAX 10000     /* records kept for a tenant whose chain cannot be written */
#define BOOK_REFUSALS 20
#define BOOK_KEPT_BYTES_MAX (64ul << 20) /* and in all */

/* Whoever sends records: one channel. */
struct book_owner {
    uint32_t magic;
    void *arg;
    size_t open; /* its sessions */
    /* Sessions whose open record was refused lately: their close may already be on its way here. */
    size_t refused_next;
    uint64_t refused[BOOK_REFUSED_MAX];
};
void book_owner_begin(struct book_owner *o, void *arg);

struct book;
/* A request's answer; `owner` is never NULL. */
typedef void book_answer_fn(void *arg, struct book_owner *owner, uint64_t request, bool durable);

/* Opens the journal in the folder and loads it. Sessions found open belong to nobody. NULL with why. */
struct book *book_new(const char *folder, const struct journal_rules *rules, book_answer_fn *answer,
                      void *arg, struct moment now, char why[256]);
void book_free(struct book **b);
void book_set_rules(struct book *b, const struct journal_rules *rules);

/* A record arrived: appended, answered after the next book_flush (at once when it cannot be written). request
 * 0: no answer wanted. tenant: a tenant id, or "" for the provider. NULL, or the rule of sessions that the
 * owner broke. */
const char *book_record(struct book *b, struct book_owner *owner, uint64_t request, const char *tenant,
                        const struct record *r, struct moment now);
/* A refusal arrived, of an operator or of anybody else: false when it was only counted, and needs no record.
 */
bool book_samples(struct book *b, const char *tenant, bool operators, const struct record *r,
                  struct moment now);
/* Writes the counts that are due, or all of them. True when there were any: flush then. */
bool book_tell_samples(struct book *b, bool all, struct moment now);
/* How many refusals a second a chain gets; at first BOOK_REFUSALS. */
void book_set_sampling(struct book *b, uint32_t a_second);
/* A retired tenant's log goes (journal_erase), with what is kept of it in memory. False while it cannot, as
 * while a session of the tenant's is open. */
bool book_erase(struct book *b, const char *tenant, const char *who, struct moment now);
/* What the ledger itself has to say. */
void book_say(struct book *b, const char *tenant, const struct record *r, struct moment now);
/* While set, no session.open is taken: refused as if it could not be written. */
void book_refuse_opens(struct book *b, bool refuse);
/* The owner says that a session from before our restart is still open. NULL, or the rule it broke. */
const char *book_resume(struct book *b, struct book_owner *owner, const char *tenant, uint64_t session);
/* Closes what the owner had open, with that reason; nobody waits for its answers any more. */
void book_owner_gone(struct book *b, struct book_owner *owner, const char *reason, struct moment now);
/* Closes the sessions that belong to nobody. */
void book_close_unclaimed(struct book *b, const char *reason, struct moment now);

/* Makes what was appended durable and answers. */
void book_flush(struct book *b);
/* journal_tick and journal_stop, right after a flush. */
void book_tick(struct book *b, struct moment now);
void book_stop(struct book *b, struct moment now);
/* Tries failed chains again and writes what was kept for them. True when none is failed any more. */
bool book_recover(struct book *b, struct moment now);
/* False while a chain is failed or broken; why: one of them. */
bool book_healthy(const struct book *b, char why[256]);
size_t book_open_sessions(const struct book *b);

#endif
