/* SPDX-License-Identifier: ISC
 *
 * For tests of the journal: one in a folder of its own, on a disk that fails when told to.
 */
#ifndef SEKISHO_JOURNAL_FIXTURE_H
#define SEKISHO_JOURNAL_FIXTURE_H

#include "journal.h"
#include "log_fixture.h"
#include "verify.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define ACME "acme/00000001.jsonl"
#define SECOND "acme/00000002.jsonl"

static struct journal *journal;
static char settled[256]; /* "acme+globex-": what the last flush said */
static char found[512];   /* sessions the last load found open */
static int sync_errors;   /* how many of the next flushes fail */
static int fail_after;    /* when not 0: after one good flush all fail */
static bool append_only;  /* the folders are as after chattr +a */
static struct journal_rules rules = {.zone = {false, 540}};
static uint64_t carried[1000]; /* sessions that are open when a file begins */
static size_t carried_count;

/* The C library's, for the journal as well: a disk that fails when told to. */
int fdatasync(int fd) {
    if (sync_errors > 0 || fail_after == 2) {
        sync_errors -= sync_errors > 0;
        errno = EIO;
        return -1;
    }
    fail_after += fail_after == 1;
    return fsync(fd);
}

/* And a folder that lets nothing be cut or deleted. */
int ftruncate(int fd, off_t size) {
    if (append_only) {
        errno = EPERM;
        return -1;
    }
    return (int)syscall(SYS_ftruncate, fd, size);
}

int unlinkat(int fd, const char *name, int flags) {
    if (append_only) {
        errno = EPERM;
        return -1;
    }
    return (int)syscall(SYS_unlinkat, fd, name, flags);
}

static inline void on_settled(void *arg, const char *tenant, bool durable) {
    size_t len = strlen(settled);
    snprintf(settled + len, sizeof settled - len, "%s%c", tenant, durable ? '+' : '-');
}

static inline const char *flush(void) {
    settled[0] = 0;
    journal_flush(journal, on_settled, NULL);
    return settled;
}

static inline void on_open(void *arg, const char *tenant, uint64_t session, struct view user,
                           int64_t opened_wall_us) {
    size_t len = strlen(found);
    snprintf(found + len, sizeof found - len, "%s:%lu:%.*s:%ld ", tenant, session, (int)user.len,
             (const char *)user.at, (long)((opened_wall_us - NOON_US) / 1000000));
}

static inline size_t carry(void *arg, const char *tenant, journal_carried_fn *each, void *each_arg) {
    for (size_t i = 0; each && i < carried_count; i++)
        each(each_arg, carried[i], view_text("alice"), NOON_US + (int64_t)carried[i] * 1000000);
    return carried_count;
}

static inline void open_journal(void) {
    char why[256];
    found[0] = 0;
    journal = journal_new(log_folder, &rules, why);
    cr_assert(journal, "%s", why);
    journal_set_carry(journal, carry, NULL);
    cr_assert(journal_load(journal, on_open, NULL, seconds_past_noon(500), why), "%s", why);
}

static inline void reopen(void) {
    journal_free(&journal);
    open_journal();
}

static inline void begin(void) {
    folder_make();
    open_journal();
}

static inline void end(void) {
    journal_free(&journal);
    folder_remove();
}

static inline bool append(const char *tenant, enum audit_event event, uint64_t session, const char *user) {
    struct record r = record_of(event, session, user);
    return journal_append(journal, tenant, &r, seconds_past_noon((int)session));
}

static inline void expect_chain(const char *tenant, uint64_t records) {
    struct verify_report report;
    verify_chain(in_folder(tenant), tenant, &report);
    cr_expect(report.good && !report.torn, "%s: %s", tenant, report.why);
    cr_expect_eq(report.records, records, "%s has %lu records", tenant, report.records);
}

static inline void expect_sick(const char *why_contains) {
    char why[256];
    cr_expect_not(journal_healthy(journal, why));
    cr_expect(strstr(why, why_contains), "\"%s\" says \"%s\"", why, why_contains);
}

static inline long size_of(const char *name) {
    struct stat s;
    return stat(in_folder(name), &s) == 0 ? (long)s.st_size : -1;
}

#endif
