/* SPDX-License-Identifier: ISC
 *
 * The chain over the store's statements, compared with what was accepted before. Its file is
 * statement_head.c's. Pure.
 */
#include "statement_log.h"
#include "magic.h"

#include <stdio.h>
#include <string.h>

void statement_log_begin(struct statement_log *l, const struct statement_head *accepted) {
    memset(l, 0, sizeof *l);
    l->magic = STATEMENT_LOG_MAGIC;
    l->accepted = *accepted;
}

/* Keeps the first fault. */
static bool tampered(struct statement_log *l, const char *before, uint64_t n, const char *behind) {
    if (!l->tampered)
        snprintf(l->why, sizeof l->why, "%s %llu %s", before, (unsigned long long)n, behind);
    l->tampered = true;
    return false;
}

static void link_on(uint8_t hash[32], struct view body, struct view signature) {
    uint8_t room[32 + STATEMENT_DIGEST + STATEMENT_SIGNATURE];
    uint8_t digest[STATEMENT_DIGEST];
    struct writer w = writer_of(room, sizeof room);
    statement_digest(body, digest);
    writer_bytes(&w, view_of(hash, 32));
    writer_bytes(&w, view_of(digest, sizeof digest));
    writer_bytes(&w, signature);
    statement_digest(writer_view(&w), hash);
}

bool statement_log_push(struct statement_log *l, uint64_t n, struct view body, struct view signature) {
    MAGIC_CHECK(l, STATEMENT_LOG_MAGIC);
    if (l->tampered)
        return false;
    if (n != l->head.n + 1)
        return tampered(l, "statement", n, "does not follow the one before it");
    if (signature.len != STATEMENT_SIGNATURE)
        return tampered(l, "statement", n, "has a signature of another length");
    l->head.n = n;
    link_on(l->head.hash, body, signature);
    if (n == l->accepted.n && memcmp(l->head.hash, l->accepted.hash, 32) != 0)
        return tampered(l, "the statements up to", n, "are not those that were accepted");
    return true;
}

bool statement_log_end(struct statement_log *l) {
    MAGIC_CHECK(l, STATEMENT_LOG_MAGIC);
    if (!l->tampered && l->head.n < l->accepted.n)
        return tampered(l, "the store has only", l->head.n, "statements: some that were accepted are gone");
    return !l->tampered;
}

void statement_log_accept(struct statement_log *l) {
    MAGIC_CHECK(l, STATEMENT_LOG_MAGIC);
    assert(!l->tampered && l->head.n >= l->accepted.n);
    l->accepted = l->head;
}
