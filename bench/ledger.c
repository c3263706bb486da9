/* SPDX-License-Identifier: ISC
 *
 * ledger FOLDER SECONDS TENANTS GROUP...: how many records a second the session log takes on this disk, and
 * how long a flush is waited for. For each GROUP, so many records are appended, spread over TENANTS chains,
 * then made durable together, again and again for SECONDS: the ledger process's own book and journal, with
 * checkpoints, and without the channels before it. FOLDER must be on the disk that is asked about; logs are
 * made in it and left there. Prints tab-separated values.
 */
#include "book.h"
#include "journal.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLUSHES_MAX 1000000

struct bench {
    struct book *book;
    struct book_owner owner;
    uint64_t tenants, answered, records;
    uint32_t *flush_us; /* of each flush */
    size_t flushes;
};

static _Noreturn void fail(const char *why) {
    fprintf(stderr, "ledger: %s\n", why);
    exit(1);
}

static void on_answer(void *arg, struct book_owner *owner, uint64_t request, bool durable) {
    struct bench *b = arg;
    if (!durable)
        fail("a record was not written");
    b->answered++;
}

/* As a cell says it. */
static void append(struct bench *b, struct moment now) {
    struct record r;
    char tenant[32];
    snprintf(tenant, sizeof tenant, "t%" PRIu64, b->records % b->tenants);
    record_begin(&r, EVENT_SESSION_REFUSED, b->records + 1);
    record_text(&r, FIELD_USER, view_text("app"));
    record_text(&r, FIELD_DATABASE, view_text("bench"));
    record_text(&r, FIELD_APPLICATION, view_text("pgbench"));
    record_text(&r, FIELD_CLIENT, view_text("192.0.2.17:51234"));
    record_text(&r, FIELD_LISTENER, view_text("198.51.100.2:5432"));
    record_text(&r, FIELD_SERVER_NAME, view_text("acme.db.example.com"));
    record_text(&r, FIELD_TLS, view_text("TLSv1.3 TLS_AES_256_GCM_SHA384"));
    record_text(&r, FIELD_METHOD, view_text("SCRAM-SHA-256-PLUS"));
    record_text(&r, FIELD_REASON, view_text("wrong password"));
    const char *broken = book_record(b->book, &b->owner, ++b->records, tenant, &r, now);
    if (broken)
        fail(broken);
}

static void flush(struct bench *b) {
    int64_t before = clock_now().mono_us;
    book_flush(b->book);
    int64_t took = clock_now().mono_us - before;
    b->flush_us[b->flushes++] = took < UINT32_MAX ? (uint32_t)took : UINT32_MAX;
}

static int smaller(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The value that `part` of 1000 flushes did not exceed. */
static uint32_t percentile(const struct bench *b, size_t part) {
    size_t at = (b->flushes * part + 999) / 1000;
    return b->flush_us[at > 0 ? at - 1 : 0];
}

static void run(struct bench *b, uint64_t group, int64_t seconds) {
    int64_t begun = clock_now().mono_us, until = begun + seconds * 1000000;
    while (clock_now().mono_us < until && b->flushes < FLUSHES_MAX) {
        struct moment now = clock_now();
        for (uint64_t i = 0; i < group; i++)
            append(b, now);
        flush(b);
    }
    double took = (double)(clock_now().mono_us - begun) / 1e6;
    if (b->answered != b->records)
        fail("a record was not answered");
    qsort(b->flush_us, b->flushes, sizeof *b->flush_us, smaller);
    printf("%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%zu\t%.2f\t%.0f\t%u\t%u\t%u\t%u\n", group, b->tenants,
           b->records, b->flushes, took, (double)b->records / took, percentile(b, 500), percentile(b, 990),
           percentile(b, 999), b->flush_us[b->flushes - 1]);
    fflush(stdout);
}

static void run_group(const char *folder, uint64_t group, uint64_t tenants, uint64_t seconds) {
    char path[4096], why[256];
    struct checkpoint_key *key = checkpoint_key_make();
    struct journal_rules rules = {
        .key = key, .checkpoint_records = 1000, .checkpoint_us = 300000000, .rotate_bytes = 64u << 20};
    struct bench b = {.tenants = tenants};
    snprintf(path, sizeof path, "%s/%" PRIu64 "-%" PRIu64, folder, tenants, group);
    b.flush_us = calloc(FLUSHES_MAX, sizeof *b.flush_us);
    book_owner_begin(&b.owner, &b);
    b.book = key && b.flush_us ? book_new(path, &rules, on_answer, &b, clock_now(), why) : NULL;
    if (!b.book)
        fail(key ? why : "no key");
    run(&b, group, (int64_t)seconds);
    book_free(&b.book);
    checkpoint_key_free(&key);
    free(b.flush_us);
}

static uint64_t number(const char *text, uint64_t most) {
    uint64_t n;
    if (!text_number(view_text(text), 1, most, &n))
        fail("usage: ledger FOLDER SECONDS TENANTS GROUP...");
    return n;
}

int main(int argc, char **argv) {
    if (argc < 5)
        fail("usage: ledger FOLDER SECONDS TENANTS GROUP...");
    puts("group\ttenants\trecords\tflushes\tseconds\trecords_per_s\tflush_p50_us\tflush_p99_us\tflush_p999_"
         "us\t"
         "flush_max_us");
    for (int i = 4; i < argc; i++)
        run_group(argv[1], number(argv[i], BOOK_BATCH_MAX - 1), number(argv[3], 10000),
                  number(argv[2], 3600));
    return 0;
}
