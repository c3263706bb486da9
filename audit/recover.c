/* SPDX-License-Identifier: ISC
 *
 * See journal.h: reading the chains at start. What was open when a file began is told by its first records,
 * so that only the last file need be read; the older ones are `audit verify`'s.
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
    struct files_span span;
    unsigned top;    /* the last file that has a record; 0: none */
    int64_t last_us; /* of the last record */
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
    bool carried = event == EVENT_SESSION_CARRIED;
    if ((event != EVENT_SESSION_OPEN && !carried) || s || !(s = calloc(1, sizeof *s)))
        return;
    const char *user = json_string_value(json_object_get(object, "user"));
    const char *time = json_string_value(json_object_get(object, carried ? "opened" : "time"));
    s->session = session;
    if (!time || !clock_parse_rfc3339(view_text(time), &s->opened_wall_us))
        s->opened_wall_us = 0;
    snprintf(s->user, sizeof s->user, "%s", user ? user : "");
    HASH_ADD(hh, l->open, session, sizeof session, s);
}

static void note(struct loading *l, const json_t *object) {
    const char *event = json_string_value(json_object_get(object, "event"));
    if (event && strcmp(event, event_name(EVENT_LEDGER_CHECKPOINT)) == 0) {
        const char *key = json_string_value(json_object_get(object, field_name(FIELD_KEY)));
        l->chain->end.checkpoint = l->verify.report.records;
        snprintf(l->chain->key, sizeof l->chain->key, "%s", key ? key : "");
    }
    const char *time = json_string_value(json_object_get(object, "time"));
    if (time && clock_parse_rfc3339(view_text(time), &l->last_us))
        note_session(l, object);
}

static void load_lines(struct loading *l, struct lines *lines, unsigned number, bool top) {
    struct view line;
    enum lines_state state = LINES_ONE;
    while ((l->verify.report.good || l->verify.unsettled) &&
           (state = lines_next(lines, &line)) == LINES_ONE) {
        json_t *object = verify_object(&l->verify, line);
        if (object)
            note(l, object);
        json_decref(object);
    }
    if (state == LINES_LONG)
        verify_fault(&l->verify, "the line is longer than any record");
    else if (state == LINES_FAILED)
        verify_fault(&l->verify, "file %u cannot be read: %s", number, strerror(errno));
    else if (state == LINES_END && lines_tail(lines).len > 0 && !top)
        verify_fault(&l->verify, "a file that is not the last ends in the middle of a line");
    l->chain->end.size = lines_offset(lines);
}

static void load_file(struct loading *l, int folder, unsigned number) {
    struct lines *lines = files_lines(folder, number, l->span.last);
    if (!lines) {
        verify_fault(&l->verify, "file %u cannot be read: %s", number, strerror(errno));
        return;
    }
    load_lines(l, lines, number, number == l->top);
    lines_free(&lines);
}

/* A flush that failed before a restart leaves pages in memory that look written: read what the disk has. */
static void forget_pages(int folder, unsigned number) {
    char name[FILES_NAME_MAX];
    files_name(number, name);
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

/* --- which files have to be read --- */

static bool event_is(const json_t *object, enum audit_event e) {
    const char *event = json_string_value(json_object_get(object, "event"));
    return event && strcmp(event, event_name(e)) == 0;
}

/* What a file's first records say. left: sessions still to be told; -1: not known yet. */
static bool beginning_goes_on(const json_t *object, json_int_t *left) {
    if (*left > 0 && event_is(object, EVENT_SESSION_CARRIED)) {
        --*left;
        return *left > 0;
    }
    if (*left >= 0)
        return false;
    if (json_integer_value(json_object_get(object, "n")) == 1)
        *left = 0; /* nothing was before it */
    else if (event_is(object, EVENT_LEDGER_ROTATED))
        *left = json_integer_value(json_object_get(object, "count"));
    else
        return event_is(object, EVENT_LEDGER_REPAIRED);
    return *left > 0;
}

/* Whether a file tells of everything that was open when it began. *any: it has a record. */
static bool stands_alone(int folder, unsigned number, unsigned last, bool *any) {
    struct view line;
    json_int_t left = -1;
    bool more = true;
    struct lines *lines = files_lines(folder, number, last);
    *any = false;
    while (lines && more && lines_next(lines, &line) == LINES_ONE) {
        json_t *object = json_loadb((const char *)line.at, line.len, 0, NULL);
        *any = true;
        more = beginning_goes_on(object, &left);
        json_decref(object);
    }
    lines_free(&lines);
    return left == 0;
}

/* The first file to read; l->top is set to the last one that has a record. */
static unsigned find_start(struct loading *l, int folder) {
    for (unsigned i = l->span.last; i >= l->span.first && i > 0; i--) {
        bool any, alone = stands_alone(folder, i, l->span.last, &any);
        if (any && l->top == 0)
            l->top = i;
        if (alone)
            return i;
    }
    return l->span.first;
}

/* The file before the first that is read must end in the record that this one follows. */
static void check_before(struct loading *l, int folder, unsigned start) {
    uint8_t buffer[RECORD_LINE_MAX + 1], hash[32];
    struct view line = {NULL, 0};
    for (unsigned i = start - 1; i >= l->span.first && i > 0 && line.len == 0; i--)
        if (!files_last_line(folder, i, l->span.last, buffer, sizeof buffer, &line))
            return; /* audit verify's business */
    if (line.len == 0)
        return;
    verify_hash(line, hash);
    if (memcmp(hash, l->verify.first_prev, sizeof hash) == 0 || !l->verify.report.good)
        return;
    verify_fault(&l->verify, "file %u does not follow the one before it", start);
    l->verify.report.bad_record = l->verify.report.first;
}

static void load_files(struct loading *l, int folder) {
    char why[256];
    if (!files_span(folder, &l->span, why)) {
        verify_fault(&l->verify, "%s", why);
        return;
    }
    if (l->span.last == 0)
        return;
    forget_pages(folder, l->span.last);
    unsigned start = find_start(l, folder);
    if (l->top == 0 && l->span.first > 1)
        verify_fault(&l->verify, "there are files, but no record in them");
    if (start > 1 && l->top > 0)
        verify_begin_later(&l->verify, l->chain->tenant);
    for (unsigned i = start; i <= l->top && (l->verify.report.good || l->verify.unsettled); i++)
        load_file(l, folder, i);
    if (start > l->span.first && l->top > 0)
        check_before(l, folder, start);
}

/* What the files say, and which ends of theirs nobody has declared void yet. */
static bool take_files(struct journal *j, struct loading *l, struct moment now) {
    struct chain *c = l->chain;
    c->first_file = l->span.first;
    c->end.n = l->verify.report.records;
    memcpy(c->end.head, l->verify.report.head, sizeof c->end.head);
    c->day = l->last_us > 0 ? zone_day(&j->rules.zone, l->last_us) : INT64_MIN;
    c->uncovered_us = now.mono_us;
    c->durable = c->end;
    unsigned from = l->top > 0 ? l->top : l->span.first;
    for (unsigned i = from; i > 0 && i <= l->span.last; i++) {
        c->file = i;
        c->finished = c->anew = false;
        if (i > from)
            c->durable.size = 0;
        if (!chain_ready(j, c, false))
            return false;
    }
    return true;
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
    if (!l.verify.report.good) {
        chain_break(c, "record %" PRIu64 ": %s", l.verify.report.bad_record, l.verify.report.why);
        c->first_file = l.span.first;
        c->file = l.span.last;
    } else {
        for (struct open_session *s = l.open; s; s = s->hh.next)
            told(arg, tenant, s->session, view_text(s->user), s->opened_wall_us);
        if (take_files(j, &l, now) && c->void_count > 0 && chain_begin(j, c, now))
            chain_sync(j, c);
        chain_close(j, c);
    }
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
