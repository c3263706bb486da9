/* SPDX-License-Identifier: ISC
 *
 * The book's inside: what book.c (sessions and their rules) and book_batch.c (group commit, kept records)
 * share.
 */
#ifndef SEKISHO_BOOK_PARTS_H
#define SEKISHO_BOOK_PARTS_H

#include "book.h"
#include "journal.h"
#include "sample.h"

#include <uthash.h>

struct book_key {
    uint64_t session;
    char tenant[48]; /* filled with zeros */
};

struct book_session {
    uint32_t magic;
    struct book_key key;
    struct book_owner *owner; /* NULL: nobody yet, after a restart */
    bool durable;             /* its open record is on disk */
    int64_t opened_wall_us;
    char user[64];
    struct book_session *next; /* while taken out to be closed */
    UT_hash_handle hh;
};

/* A record's binary form, kept until it is durable. */
struct book_kept {
    struct book_kept *next;
    size_t len;
    uint8_t bytes[];
};

struct book_tenant {
    uint32_t magic;
    char tenant[41];
    bool durable; /* outcome of the flush that is being answered */
    struct book_kept *first, *last;
    size_t kept;
    bool dropping;             /* told the log that there is no room */
    struct sample refusals[2]; /* [1]: operators' */
    UT_hash_handle hh;
};

/* A record appended and not yet flushed. */
struct book_entry {
    struct book_tenant *tenant;
    struct book_owner *owner; /* NULL: nobody waits */
    uint64_t request;
    uint64_t session;       /* of a session.open; 0 for all others */
    struct book_kept *kept; /* to be kept when the flush fails, or NULL */
};

struct book {
    uint32_t magic;
    struct journal *journal;
    book_answer_fn *answer;
    void *arg;
    struct book_session *sessions;
    struct book_tenant *tenants;
    size_t kept_bytes;
    uint32_t refusals_a_second;
    bool refusing; /* new sessions */
    size_t waiting;
    struct book_entry batch[BOOK_BATCH_MAX];
};

/* Appends. keep: kept in memory until it is written, whatever happens. False when it could not be appended:
 * the request has been answered then. May flush: pointers to sessions are stale afterwards. */
bool book_post(struct book *b, struct book_owner *owner, uint64_t request, const char *tenant,
               const struct record *r, bool keep, struct moment now);
struct book_tenant *book_tenant_get(struct book *b, const char *tenant);
/* The owner's requests will not be answered. */
void book_forget_owner(struct book *b, const struct book_owner *owner);
void book_free_tenants(struct book *b);
void book_forget_kept(struct book *b, const char *tenant);
/* As journal_carry_fn, for the sessions whose closing is kept in memory: the log still has them open. */
size_t book_carry_kept(struct book *b, const char *tenant, journal_carried_fn *each, void *each_arg);
/* The flush that held the session's open record is over. */
void book_opened(struct book *b, const char *tenant, struct book_owner *owner, uint64_t session,
                 bool durable);

#endif
