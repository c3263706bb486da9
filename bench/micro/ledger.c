/* SPDX-License-Identifier: ISC
 *
 * ledger FOLDER COUNT: a unit is one record in a tenant's log, of sessions that open and close; every sixteen
 * records are made durable together. The folder must be empty and is left for the caller to remove.
 */
#include "book.h"
#include "counted.h"
#include "criterion/criterion.h"

#include <string.h>

#define GROUP 16 /* records between two flushes */

static struct book *book;
static struct book_owner cell;
static uint64_t answered;

static void on_answer(void *arg, struct book_owner *owner, uint64_t request, bool durable) {
    cr_assert(durable);
    answered++;
}

static struct record record_of(enum audit_event event, uint64_t session) {
    struct record r;
    record_begin(&r, event, session);
    record_text(&r, FIELD_USER, view_text("app"));
    record_text(&r, FIELD_DATABASE, view_text("bench"));
    record_text(&r, FIELD_APPLICATION, view_text("pgbench"));
    record_text(&r, FIELD_CLIENT, view_text("192.0.2.17:51234"));
    record_text(&r, FIELD_LISTENER, view_text("198.51.100.2:5432"));
    record_text(&r, FIELD_SERVER_NAME, view_text("acme.db.example.com"));
    record_text(&r, FIELD_TLS, view_text("TLSv1.3 TLS_AES_256_GCM_SHA384"));
    record_text(&r, FIELD_METHOD, view_text("SCRAM-SHA-256-PLUS"));
    record_text(&r, FIELD_INSTANCE, view_text("10.0.7.5:5432"));
    record_number(&r, FIELD_INSTANCE_PID, 4711);
    return r;
}

static void append(uint64_t request, enum audit_event event, uint64_t session, struct moment now) {
    struct record r = record_of(event, session);
    const char *broken;
    COUNTED(broken = book_record(book, &cell, request, "acme", &r, now));
    cr_assert_null(broken);
}

static void group(uint64_t first, struct moment now) {
    for (uint64_t i = 0; i < GROUP / 2; i++)
        append(first + i, EVENT_SESSION_OPEN, first + i, now);
    for (uint64_t i = 0; i < GROUP / 2; i++)
        append(0, EVENT_SESSION_CLOSE, first + i, now);
    COUNTED(book_flush(book));
}

int main(int argc, char **argv) {
    cr_assert_eq(argc, 3);
    char why[256], *end;
    uint64_t count = strtoull(argv[2], &end, 10);
    cr_assert(!*end && count > 0 && count % GROUP == 0);
    struct moment now = {.mono_us = 1, .wall_us = 1795607400000000};
    book = book_new(argv[1], &(struct journal_rules){0}, on_answer, NULL, now, why);
    cr_assert_not_null(book);
    book_owner_begin(&cell, NULL);
    group(1, now);
    counting = true;
    for (uint64_t i = 0; i < count; i += GROUP)
        group(1 + GROUP + i, now);
    counting = false;
    cr_assert_eq(answered, (count + GROUP) / 2);
    book_free(&book);
    printf("units %lu\n", count);
    return 0;
}
