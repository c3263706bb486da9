/* SPDX-License-Identifier: ISC
 *
 * See audit_heads.h.
 */
#include "audit_heads.h"
#include "audit.h"
#include "files.h"
#include "record.h"
#include "text.h"
#include "verify_object.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the head of a chain --- */

static void take_record(struct head *h, struct view line) {
    json_t *object = json_loadb((const char *)line.at, line.len, JSON_REJECT_DUPLICATES, NULL);
    const char *time = json_string_value(json_object_get(object, "time"));
    json_int_t n = json_integer_value(json_object_get(object, "n"));
    h->n = n > 0 ? (uint64_t)n : 0;
    snprintf(h->time, sizeof h->time, "%s", time ? time : "");
    verify_hash(line, h->hash);
    json_decref(object);
}

/* A quote in a text is escaped in a line of the log, so this can be nothing but the member. */
static bool is_checkpoint(struct view line) {
    static const char event[] = ",\"event\":\"ledger.checkpoint\"";
    return line.len > 0 && memmem(line.at, line.len, event, sizeof event - 1);
}

/* *found: the file has a record. */
static bool take_file(struct lines *lines, struct head *out, bool *found) {
    static uint8_t last[RECORD_LINE_MAX];
    struct view line;
    struct head checkpoint = {0};
    size_t len = 0;
    enum lines_state state;
    while ((state = lines_next(lines, &line)) == LINES_ONE) {
        if (is_checkpoint(line))
            take_record(&checkpoint, line);
        memcpy(last, line.at, line.len);
        len = line.len;
    }
    *found = len > 0;
    if (*found)
        take_record(out, view_of(last, len));
    if (checkpoint.n > 0)
        out->checkpoint = checkpoint.n;
    return state == LINES_END;
}

bool head_of(int folder, const char *name, struct head *out, char why[256]) {
    struct files_span span;
    struct head older = {0};
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "%s", name);
    if (!files_span(folder, &span, why))
        return false;
    /* The last file may be new and empty, or have no checkpoint yet. */
    for (unsigned number = span.last; number > 0 && number >= span.first; number--) {
        struct lines *lines = files_lines(folder, number, span.last);
        struct head *h = out->n == 0 ? out : &older;
        bool found = false, good = lines && take_file(lines, h, &found);
        if (!good)
            snprintf(why, 256, "file %u cannot be read: %s", number, strerror(errno));
        lines_free(&lines);
        if (!good)
            return false;
        if (out->checkpoint == 0)
            out->checkpoint = older.checkpoint;
        if (out->checkpoint > 0 && out->n > 0)
            break;
    }
    return true;
}

/* --- as text --- */

void head_write(struct writer *w, const struct head *h) {
    writer_text(w, "{\"tenant\":");
    text_json(w, view_text(h->name));
    writer_format(w, ",\"n\":%" PRIu64 ",\"hash\":\"", h->n);
    text_hex(w, view_of(h->hash, sizeof h->hash));
    writer_text(w, "\",\"time\":");
    text_json(w, view_text(h->time));
    writer_format(w, ",\"checkpoint\":%" PRIu64 "}", h->checkpoint);
}

static bool parse(struct view line, struct head *out) {
    json_t *object = json_loadb((const char *)line.at, line.len, JSON_REJECT_DUPLICATES, NULL);
    const char *name = json_string_value(json_object_get(object, "tenant")),
               *hash = json_string_value(json_object_get(object, "hash")),
               *time = json_string_value(json_object_get(object, "time"));
    json_int_t n = json_integer_value(json_object_get(object, "n")),
               checkpoint = json_integer_value(json_object_get(object, "checkpoint"));
    memset(out, 0, sizeof *out);
    bool good = name && audit_tenant(name) && hash && n >= 0 && checkpoint >= 0 &&
                text_unhex(view_text(hash), out->hash, sizeof out->hash);
    if (good) {
        snprintf(out->name, sizeof out->name, "%s", name);
        snprintf(out->time, sizeof out->time, "%s", time ? time : "");
        out->n = (uint64_t)n;
        out->checkpoint = (uint64_t)checkpoint;
    }
    json_decref(object);
    return good;
}

static void add(struct heads *h, const struct head *one) {
    struct head *there = (struct head *)(uintptr_t)heads_find(h, one->name);
    if (!there) {
        struct head *bigger = realloc(h->head, (h->count + 1) * sizeof *bigger);
        if (!bigger)
            abort();
        h->head = bigger;
        there = &h->head[h->count++];
    }
    *there = *one;
}

bool heads_read(const char *path, struct heads *out, char why[256]) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct lines *lines = fd >= 0 ? lines_new(fd) : NULL;
    *out = (struct heads){NULL, 0};
    if (!lines) {
        snprintf(why, 256, "%.180s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    struct view line;
    struct head one;
    unsigned number = 0;
    bool good = true;
    while (good && lines_next(lines, &line) == LINES_ONE) {
        number++;
        good = parse(line, &one);
        if (good)
            add(out, &one);
    }
    good = good && lines_tail(lines).len == 0 && out->count > 0;
    if (!good)
        snprintf(why, 256, "%.180s, line %u: that is not what audit witness prints", path, number);
    lines_free(&lines);
    if (!good)
        heads_free(out);
    return good;
}

const struct head *heads_find(const struct heads *h, const char *name) {
    for (size_t i = 0; i < h->count; i++)
        if (strcmp(h->head[i].name, name) == 0)
            return &h->head[i];
    return NULL;
}

void heads_free(struct heads *h) {
    free(h->head);
    *h = (struct heads){NULL, 0};
}
