/* SPDX-License-Identifier: ISC
 *
 * See journal.h: reading the chains at start, setting a torn line aside, and trying failed chains again.
 */
#include "clock.h"
#include "files.h"
#include "journal.h"
#include "journal_file.h"
#include "log.h"
#include "magic.h"
#include "text.h"
#include "verify_object.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOADING_MAGIC 0x8E25F4D7u

struct open_session {
    uint64_t session;
    int64_t opened_wall_us;
    char user[64];
    UT_hash_handle hh;
};

/* One chain while it is read. */
struct loading {
    uint32_t magic;
    struct chain *chain;
    struct verify verify;
    struct open_session *open;
};

static void forget_sessions(struct loading *l) {
    struct open_session *s, *next;
    HASH_ITER (hh, l->open, s, next) {
        HASH_DEL(l->open, s);
        free(s);
    }
}

/* What clock_rfc3339 wrote, back into microseconds; 0 when it is not that. */
static int64_t read_time(const char *text) {
    int milliseconds = 0, used = 0, offset = 0;
    struct tm t = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &t);
    if (!rest || sscanf(rest, ".%3d%n", &milliseconds, &used) != 1 ||
        !clock_parse_offset(view_text(rest + used), &offset))
        return 0;
    return ((int64_t)timegm(&t) - (int64_t)offset * 60) * 1000000 + (int64_t)milliseconds * 1000;
}

/* Keeps the table of sessions that have an open record and no close yet. */
static void note_session(struct loading *l, const json_t *object) {
    enum audit_event event;
    uint64_t session;
    const char *name = json_string_value(json_object_get(object, "event"));
    const char *id = json_string_value(json_object_get(object, "session"));
    if (!event_by_name(view_text(name), &event) || !id || !text_unhex64(view_text(id), &session))
        return;
    struct open_session *s;
    HASH_FIND(hh, l->open, &session, sizeof session, s);
    if (event == EVENT_SESSION_CLOSE && s) {
        HASH_DEL(l->open, s);
        free(s);
    }
    if (event != EVENT_SESSION_OPEN || s || !(s = calloc(1, sizeof *s)))
        return;
    const json_t *user = json_object_get(object, "user");
    s->session = session;
    s->opened_wall_us = read_time(json_string_value(json_object_get(object, "time")));
    snprintf(s->user, sizeof s->user, "%s", json_is_string(user) ? json_string_value(user) : "");
    HASH_ADD(hh, l->open, session, sizeof session, s);
}

static void load_lines(struct loading *l, struct lines *lines, const char *name, bool last) {
    struct view line;
    enum lines_state state = LINES_ONE;
    while ((l->verify.report.good || l->verify.unsettled) &&
           (state = lines_next(lines, &line)) == LINES_ONE) {
        json_t *object = verify_object(&l->verify, line);
        if (object)
            note_session(l, object);
        json_decref(object);
    }
    bool tail = state == LINES_END && lines_tail(lines).len > 0;
    if (state == LINES_LONG)
        verify_fault(&l->verify, "the line is longer than any record");
    else if (state == LINES_FAILED)
        verify_fault(&l->verify, "%s cannot be read: %s", name, strerror(errno));
    else if (tail && !last)
        verify_fault(&l->verify, "%s is not the last file and ends in the middle of a line", name);
    l->chain->torn = tail && last;
    l->chain->end.size = lines_offset(lines);
}

static void load_file(struct loading *l, int folder, unsigned number, bool last) {
    char name[FILES_NAME_MAX];
    files_name(number, name);
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct lines *lines = fd >= 0 ? lines_new(fd) : NULL;
    if (!lines) {
        verify_fault(&l->verify, "%s cannot be read: %s", name, strerror(errno));
        if (fd >= 0)
            close(fd);
        return;
    }
    /* A flush that failed before a restart leaves pages in memory that look written: read what the disk has.
     */
    if (last)
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    load_lines(l, lines, name, last);
    lines_free(&lines);
}

/* The torn line as <file>.torn-<the number it would have had>; appended to, should there be one already. */
static bool copy_tail(int folder, const struct chain *c) {
    char name[FILES_NAME_MAX], aside[64];
    files_name(c->file, name);
    snprintf(aside, sizeof aside, "%s.torn-%" PRIu64, name, c->durable.n + 1);
    uint8_t bytes[RECORD_LINE_MAX];
    int from = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int to = openat(folder, aside, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    ssize_t len = from >= 0 ? pread(from, bytes, sizeof bytes, (off_t)c->durable.size) : -1;
    bool good =
        to >= 0 && len >= 0 && write(to, bytes, (size_t)len) == len && fsync(to) == 0 && fsync(folder) == 0;
    int saved = errno;
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    errno = saved;
    return good;
}

static bool set_aside(struct journal *j, struct chain *c) {
    if (!c->torn)
        return true;
    int folder = openat(j->folder, files_folder(c->tenant), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool good = folder >= 0 && copy_tail(folder, c);
    int saved = errno;
    if (folder >= 0)
        close(folder);
    errno = saved;
    if (good)
        c->torn = false;
    return good;
}

/* Opens the file anew and cuts what follows the last durable line. */
static bool cut_back(struct journal *j, struct chain *c) {
    chain_close(j, c);
    struct stat s;
    if (!set_aside(j, c) || !chain_open(j, c) || fstat(c->fd, &s) != 0) {
        chain_fail(c, "the file cannot be opened: %s", strerror(errno));
        return false;
    }
    if ((uint64_t)s.st_size < c->durable.size) {
        chain_break(c, "the file lost %ju durable bytes", (uintmax_t)(c->durable.size - (uint64_t)s.st_size));
        return false;
    }
    if (ftruncate(c->fd, (off_t)c->durable.size) != 0) {
        chain_fail(c, "the file cannot be cut: %s", strerror(errno));
        return false;
    }
    c->end = c->durable;
    return true;
}

static void repair(struct journal *j, struct chain *c, struct moment now) {
    char detail[96];
    snprintf(detail, sizeof detail, "a torn line behind record %" PRIu64 " was set aside", c->durable.n);
    struct record r;
    record_begin(&r, EVENT_LEDGER_REPAIRED, 0);
    record_text(&r, FIELD_DETAIL, view_text(detail));
    if (cut_back(j, c) && chain_append(j, c, &r, now) && chain_sync(j, c))
        log_warning("the log of %s: %s", files_folder(c->tenant), detail);
}

static void load_files(struct loading *l, int folder) {
    struct files_span span;
    char why[256];
    if (!files_span(folder, &span, why))
        verify_fault(&l->verify, "%s", why);
    unsigned count = span.last;
    for (unsigned i = 1; i <= count && (l->verify.report.good || l->verify.unsettled); i++)
        load_file(l, folder, i, i == count);
    l->chain->file = count;
    l->chain->end.n = l->verify.report.records;
    memcpy(l->chain->end.head, l->verify.report.head, sizeof l->chain->end.head);
    l->chain->durable = l->chain->end;
}

static void load_chain(struct journal *j, const char *tenant, int folder, journal_open_session_fn *told,
                       void *arg, struct moment now) {
    struct chain *c = chain_get(j, tenant);
    if (!c) {
        log_error("the log of %s: %s", files_folder(tenant), strerror(errno));
        return;
    }
    struct loading l = {.magic = LOADING_MAGIC, .chain = c};
    verify_begin(&l.verify, tenant);
    load_files(&l, folder);
    if (!l.verify.report.good)
        chain_break(c, "record %" PRIu64 ": %s", l.verify.report.bad_record, l.verify.report.why);
    else if (c->torn)
        repair(j, c, now);
    if (!c->broken)
        for (struct open_session *s = l.open; s; s = s->hh.next)
            told(arg, tenant, s->session, view_text(s->user), s->opened_wall_us);
    forget_sessions(&l);
}

bool journal_load(struct journal *j, journal_open_session_fn *open_session, void *arg, struct moment now,
                  char why[256]) {
    int fd = openat(j->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *all = fd >= 0 ? fdopendir(fd) : NULL;
    if (!all) {
        snprintf(why, 256, "the ledger's folder cannot be read: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    for (struct dirent *entry; (entry = readdir(all));) {
        const char *tenant = files_tenant(entry->d_name);
        if (!tenant)
            continue;
        int folder = openat(j->folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder < 0) {
            log_warning("%s in the ledger's folder is not a folder that can be read: %s", entry->d_name,
                        strerror(errno));
            continue;
        }
        load_chain(j, tenant, folder, open_session, arg, now);
        close(folder);
    }
    closedir(all);
    return true;
}

static bool recover_chain(struct journal *j, struct chain *c, struct moment now) {
    uint64_t lost = c->end.n - c->durable.n + c->refused;
    char why[sizeof c->why];
    snprintf(why, sizeof why, "%s", c->why);
    if (!cut_back(j, c))
        return false;
    struct record r;
    record_begin(&r, EVENT_LEDGER_FAILED, 0);
    record_text(&r, FIELD_CAUSE, view_text(why));
    record_number(&r, FIELD_TIMES, lost);
    if (!chain_append(j, c, &r, now) || !chain_sync(j, c)) {
        c->refused = lost;
        c->end = c->durable;
        return false;
    }
    c->failed = false;
    c->refused = 0;
    log_info("the log of %s is written again", files_folder(c->tenant));
    return true;
}

size_t journal_recover(struct journal *j, struct moment now) {
    size_t failed = 0;
    for (struct chain *c = j->chains; c; c = c->hh.next)
        if (c->failed && !c->broken && !recover_chain(j, c, now))
            failed += c->broken ? 0 : 1;
    return failed;
}
