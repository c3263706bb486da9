/* SPDX-License-Identifier: ISC
 *
 * For tests of the session log: a folder of its own for each test, and files as texts.
 */
#ifndef SEKISHO_LOG_FIXTURE_H
#define SEKISHO_LOG_FIXTURE_H

#include "clock.h"
#include "files.h"
#include "record.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MOST (2u << 20)
#define NOON_US 1795607400000000 /* 2026-11-25 12:30 UTC */

static char log_folder[64];
static char log_text[TEXT_MOST + 1];

static inline void folder_make(void) {
    snprintf(log_folder, sizeof log_folder, "/tmp/sekisho-log-XXXXXX");
    cr_assert(mkdtemp(log_folder));
}

static inline int remove_one(const char *path, const struct stat *s, int kind, struct FTW *where) {
    return remove(path);
}

static inline void folder_remove(void) {
    nftw(log_folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline const char *in_folder(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", log_folder, name);
    return path;
}

/* The whole file, until the next call. */
static inline char *text_of(const char *name) {
    FILE *f = fopen(in_folder(name), "rb");
    cr_assert(f, "%s is there", name);
    size_t len = fread(log_text, 1, TEXT_MOST, f);
    fclose(f);
    log_text[len] = 0;
    return log_text;
}

static inline void put_text(const char *name, const char *text, const char *mode) {
    FILE *f = fopen(in_folder(name), mode);
    cr_assert(f);
    cr_assert_eq(fputs(text, f) < 0, 0);
    cr_assert_eq(fclose(f), 0);
}

/* How often needle is in the file. */
static inline int times_in(const char *name, const char *needle) {
    int times = 0;
    for (const char *at = text_of(name); (at = strstr(at, needle)); at += strlen(needle))
        times++;
    return times;
}

/* How many records of a tenant's log have needle in them: of all files, and without what is void. */
static inline int told_in(const char *tenant, const char *needle) {
    struct files_span span;
    char why[256];
    int times = 0, folder = open(in_folder(tenant), O_RDONLY | O_DIRECTORY);
    cr_assert(folder >= 0 && files_span(folder, &span, why));
    for (unsigned i = span.first; i > 0 && i <= span.last; i++) {
        struct lines *l = files_lines(folder, i, span.last);
        struct view line;
        cr_assert(l);
        while (lines_next(l, &line) == LINES_ONE)
            times += memmem(line.at, line.len, needle, strlen(needle)) != NULL;
        lines_free(&l);
    }
    close(folder);
    return times;
}

/* Line k, from 1 on, without its newline; the file is in memory until the next text_of. */
static inline struct view line_of(const char *name, int k) {
    char *at = text_of(name);
    for (; k > 1; k--) {
        at = strchr(at, '\n');
        cr_assert(at);
        at++;
    }
    return view_of(at, strcspn(at, "\n"));
}

/* Replaces the first `from` behind the k-th line's start by `to` of the same length. */
static inline void change_line(const char *name, int k, const char *from, const char *to) {
    struct view line = line_of(name, k);
    char *at = strstr(log_text + ((const char *)line.at - log_text), from);
    cr_assert(at && at < (const char *)line.at + line.len && strlen(from) == strlen(to));
    memcpy(at, to, strlen(to));
    FILE *f = fopen(in_folder(name), "r+b");
    cr_assert(f);
    cr_assert_eq(fputs(log_text, f) < 0, 0);
    cr_assert_eq(fclose(f), 0);
}

static inline struct moment seconds_past_noon(int seconds) {
    return (struct moment){(int64_t)seconds * 1000000, NOON_US + (int64_t)seconds * 1000000};
}

static inline struct record record_of(enum audit_event event, uint64_t session, const char *user) {
    struct record r;
    record_begin(&r, event, session);
    record_text(&r, FIELD_USER, view_text(user));
    return r;
}

#endif
