/* SPDX-License-Identifier: ISC
 *
 * See inspect.h.
 */
#include "inspect.h"
#include "files.h"
#include "record.h"
#include "text.h"
#include "verify_object.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROGRESS_BYTES (1u << 20)

struct place {
    uint64_t n; /* the record that was expected there */
    unsigned file;
    uint64_t line;
};

struct inspection {
    const struct inspect_wish *wish;
    struct verify v;
    uint64_t checkpoints, signed_to;
    struct place here, before; /* the line looked at last, and the one before it */
    unsigned file;
    uint64_t line;
    bool seeking;        /* the trusted record has not come yet */
    bool ends_signed;    /* the last record was a checkpoint */
    bool begins;         /* the next record is its file's first */
    uint64_t last_seen;  /* while seeking */
    uint64_t unreported; /* bytes */
};

static const char *member(const json_t *object, enum field f) {
    const char *text = json_string_value(json_object_get(object, field_name(f)));
    return text ? text : "";
}

static bool is(const json_t *object, enum audit_event e) {
    const char *event = json_string_value(json_object_get(object, "event"));
    return event && strcmp(event, event_name(e)) == 0;
}

/* A fault of the record that was just taken. */
static void fault_here(struct inspection *i, const char *why) {
    i->v.report.records--;
    memcpy(i->v.report.head, i->v.before, sizeof i->v.report.head);
    verify_fault(&i->v, "%s", why);
}

/* --- checkpoints --- */

/* The key with that id, or NULL. */
static const uint8_t *key_of(const struct inspect_wish *w, const char *id) {
    char have[CHECKPOINT_KEY_ID + 1];
    for (size_t k = 0; k < w->keys; k++) {
        checkpoint_key_id(w->key[k], have);
        if (strcmp(have, id) == 0)
            return w->key[k];
    }
    return NULL;
}

static void check_signature(struct inspection *i, const json_t *object) {
    const json_t *time = json_object_get(object, "time");
    const uint8_t *key = key_of(i->wish, member(object, FIELD_KEY));
    struct checkpoint c = {.tenant = i->wish->tenant,
                           .n = i->v.report.records,
                           .time = view_of(json_string_value(time), json_string_length(time)),
                           .prev = i->v.before};
    i->checkpoints++;
    if (i->wish->keys == 0)
        return;
    if (!key)
        fault_here(i, "the checkpoint is signed by a key that is not the given one");
    else if (!checkpoint_verify(key, &c, view_text(member(object, FIELD_SIGNATURE))))
        fault_here(i, "the checkpoint's signature is wrong");
    else
        i->signed_to = c.n;
}

static void look_at(struct inspection *i, const json_t *object) {
    /* A file that was finished in order ends in a checkpoint. */
    if (i->begins && is(object, EVENT_LEDGER_ROTATED) && i->file > 1 && !i->ends_signed && i->here.n > 1 &&
        i->before.file + 1 == i->file)
        fault_here(i, "the file before it does not end in a checkpoint");
    i->begins = false;
    i->ends_signed = is(object, EVENT_LEDGER_CHECKPOINT);
    if (i->ends_signed && i->v.report.good)
        check_signature(i, object);
}

/* --- lines --- */

/* Of the two ends of a link that does not fit, the trusted one is right. */
static void blame_newer(struct inspection *i) {
    i->v.unsettled = false;
    i->v.report.records = i->wish->from;
    i->v.report.bad_record = i->wish->from + 1;
    memcpy(i->v.report.head, i->wish->from_hash, sizeof i->v.report.head);
    snprintf(i->v.report.why, sizeof i->v.report.why, "it does not follow the record that is trusted");
}

static void take_line(struct inspection *i, struct view line) {
    if (!i->v.unsettled) {
        i->before = i->here;
        i->here = (struct place){i->v.report.records + 1, i->file, i->line};
    }
    json_t *object = verify_object(&i->v, line);
    if (object)
        look_at(i, object);
    else if (i->wish->from > 0 && i->v.report.bad_record == i->wish->from)
        blame_newer(i);
    if (object && i->here.n == 0)
        i->here.n = i->v.report.records;
    json_decref(object);
}

static uint64_t number_of(struct view line) {
    json_t *object = json_loadb((const char *)line.at, line.len, JSON_REJECT_DUPLICATES, NULL);
    json_int_t n = json_integer_value(json_object_get(object, "n"));
    json_decref(object);
    return n > 0 ? (uint64_t)n : 0;
}

/* Passes over what is before the trusted record, which must be the very one. */
static void seek_line(struct inspection *i, struct view line) {
    uint8_t hash[32];
    const struct inspect_wish *w = i->wish;
    i->last_seen = number_of(line);
    if (i->last_seen != w->from)
        return;
    i->seeking = false;
    i->here = (struct place){w->from, i->file, i->line};
    verify_hash(line, hash);
    i->v.report.first = w->from;
    if (memcmp(hash, w->from_hash, sizeof hash) == 0) {
        i->v.report.records = w->from;
        memcpy(i->v.report.head, hash, sizeof hash);
        memcpy(i->v.before, hash, sizeof hash); /* nothing before it is anybody's business */
        return;
    }
    i->v.report.records = w->from - 1;
    verify_fault(&i->v, "it is not the record that is trusted: this log is another one, or was changed");
}

static void report_bytes(struct inspection *i, uint64_t bytes, bool all) {
    i->unreported += bytes;
    if (!i->wish->progress || (!all && i->unreported < PROGRESS_BYTES))
        return;
    i->wish->progress(i->wish->arg, i->unreported);
    i->unreported = 0;
}

static bool going(const struct inspection *i) {
    return i->v.report.good || i->v.unsettled;
}

static void take_lines(struct inspection *i, struct lines *lines, bool last) {
    struct view line;
    enum lines_state state = LINES_ONE;
    while (going(i) && (state = lines_next(lines, &line)) == LINES_ONE) {
        i->line++;
        if (i->seeking)
            seek_line(i, line);
        else
            take_line(i, line);
        report_bytes(i, line.len + 1, false);
    }
    if (state == LINES_LONG)
        verify_fault(&i->v, "the line is longer than any record");
    else if (state == LINES_FAILED)
        verify_fault(&i->v, "the file cannot be read: %s", strerror(errno));
    else if (state == LINES_END && lines_tail(lines).len > 0 && last)
        i->v.report.torn = true;
    else if (state == LINES_END && lines_tail(lines).len > 0)
        verify_fault(&i->v, "a file that is not the last ends in the middle of a line");
}

/* --- files --- */

/* What is void must still be what was declared void: nobody hides anything there. */
static void check_void(struct inspection *i, int folder, unsigned last) {
    struct files_void end;
    files_void(folder, i->file, last, &end);
    if (end.bytes > 0 && !files_void_fits(folder, i->file, &end))
        verify_fault(&i->v, "before it, file %u does not end in the void bytes that its repair names",
                     i->file);
}

static void take_file(struct inspection *i, int folder, unsigned number, unsigned last) {
    struct lines *lines = files_lines(folder, number, last);
    i->file = number;
    i->line = 0;
    i->begins = true;
    if (!lines) {
        verify_fault(&i->v, "file %u cannot be read: %s", number, strerror(errno));
        return;
    }
    take_lines(i, lines, number == last);
    lines_free(&lines);
    if (i->v.report.good)
        check_void(i, folder, last);
}

/* The number of the file's first record; 0 when it has none that can be read. */
static uint64_t first_of(int folder, unsigned number, unsigned last) {
    struct lines *lines = files_lines(folder, number, last);
    struct view line;
    uint64_t n = lines && lines_next(lines, &line) == LINES_ONE ? number_of(line) : 0;
    lines_free(&lines);
    return n;
}

/* The file that has the trusted record, if it is anywhere. */
static unsigned file_of_trusted(const struct inspection *i, int folder, const struct files_span *span) {
    for (unsigned number = span->last; number > span->first; number--) {
        uint64_t n = first_of(folder, number, span->last);
        if (n > 0 && n <= i->wish->from)
            return number;
    }
    return span->first;
}

static void never_came(struct inspection *i, const struct files_span *span) {
    i->here = i->before = (struct place){0};
    i->file = 0;
    i->v.report.records = i->wish->from - 1;
    if (span->first > 1 && i->last_seen > i->wish->from)
        verify_fault(&i->v, "it is trusted, and was deleted with the files before number %u", span->first);
    else
        verify_fault(&i->v, "it is trusted, and is not there: the log ends at record %" PRIu64, i->last_seen);
    i->v.report.records = 0;
}

static void take_files(struct inspection *i, int folder) {
    struct files_span span;
    char why[256];
    if (!files_span(folder, &span, why)) {
        verify_fault(&i->v, "%s", why);
        return;
    }
    if (span.last == 0) {
        verify_fault(&i->v, "there is no log file");
        return;
    }
    if (span.first > 1 && !i->seeking)
        verify_begin_later(&i->v, i->wish->tenant);
    unsigned number = i->seeking ? file_of_trusted(i, folder, &span) : span.first;
    for (; number > 0 && number <= span.last && going(i); number++)
        take_file(i, folder, number, span.last);
    if (i->v.report.good && i->seeking)
        never_came(i, &span);
    if (i->v.report.good && i->v.anchored && !i->v.anchor_found) {
        verify_fault(&i->v,
                     "the files before number %u are missing, and no record says that they were deleted",
                     span.first);
        i->v.report.bad_record = i->v.report.first;
        i->here = i->before = (struct place){i->v.report.first, span.first, 1};
    }
}

static void place_fault(const struct inspection *i, struct inspect_report *out) {
    bool before = i->before.n == i->v.report.bad_record && i->before.file > 0;
    const struct place *p = before ? &i->before : &i->here;
    out->file = p->file > 0 && p->n > 0 ? p->file : i->file;
    out->line = p->n > 0 ? p->line : 0;
}

void inspect_chain(int folder, const struct inspect_wish *wish, struct inspect_report *out) {
    struct inspection i = {.wish = wish, .seeking = wish->from > 0};
    memset(out, 0, sizeof *out);
    verify_begin(&i.v, wish->tenant);
    take_files(&i, folder);
    report_bytes(&i, 0, true);
    out->chain = i.v.report;
    out->checkpoints = i.checkpoints;
    out->signed_to = i.signed_to;
    if (!out->chain.good)
        place_fault(&i, out);
}

void verify_chain(const char *folder, const char *tenant, struct verify_report *out) {
    struct inspect_wish wish = {.tenant = tenant};
    struct inspect_report report;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        struct verify v;
        verify_begin(&v, tenant);
        verify_fault(&v, "the folder cannot be read: %s", strerror(errno));
        *out = v.report;
        return;
    }
    inspect_chain(fd, &wish, &report);
    close(fd);
    *out = report.chain;
}
