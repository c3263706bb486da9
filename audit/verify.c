/* SPDX-License-Identifier: ISC
 *
 * See verify.h. Reads what may have been written by an enemy: lines are bounded, numbers and links are
 * compared before anything else is believed.
 */
#include "verify.h"
#include "record.h"
#include "text.h"
#include "verify_object.h"

#include <inttypes.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void verify_hash(struct view line, uint8_t out[32]) {
    static const uint8_t nothing[1];
    SHA256(line.len > 0 ? line.at : nothing, line.len, out);
}

void verify_begin(struct verify *v, const char *tenant) {
    memset(v, 0, sizeof *v);
    v->report.good = true;
    v->report.first = 1;
    snprintf(v->tenant, sizeof v->tenant, "%s", tenant);
}

void verify_begin_later(struct verify *v, const char *tenant) {
    verify_begin(v, tenant);
    v->anchored = true;
    v->report.first = 0;
}

void verify_fault(struct verify *v, const char *format, ...) {
    if (!v->report.good)
        return;
    v->report.good = false;
    v->report.bad_record = v->report.records + 1;
    va_list args;
    va_start(args, format);
    vsnprintf(v->report.why, sizeof v->report.why, format, args);
    va_end(args);
}

/* The object of a line, or NULL with the fault told. */
static json_t *parse(struct verify *v, struct view line) {
    if (line.len >= RECORD_LINE_MAX) {
        verify_fault(v, "the line is longer than any record");
        return NULL;
    }
    if (line.len > 0 && memchr(line.at, 0, line.len)) {
        verify_fault(v, "the line holds NUL bytes");
        return NULL;
    }
    json_error_t error;
    json_t *object =
        json_loadb((const char *)line.at, line.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (json_is_object(object))
        return object;
    json_decref(object);
    verify_fault(v, "the line is not a JSON object (near byte %d)", object ? 1 : error.position);
    return NULL;
}

static bool check_number(struct verify *v, const json_t *object) {
    const json_t *n = json_object_get(object, "n");
    uint64_t expected = v->report.records + 1;
    if (!json_is_integer(n) || json_integer_value(n) < 1) {
        verify_fault(v, "the line has no number");
        return false;
    }
    uint64_t number = (uint64_t)json_integer_value(n);
    if (number > expected)
        verify_fault(v, "it is missing or was moved: record %" PRIu64 " is in its place", number);
    else if (number < expected)
        verify_fault(v, "record %" PRIu64 " is there again in its place", number);
    return number == expected;
}

static bool check_members(struct verify *v, const json_t *object) {
    const json_t *tenant = json_object_get(object, "tenant");
    bool right = v->tenant[0] ? json_is_string(tenant) && strcmp(json_string_value(tenant), v->tenant) == 0
                              : json_is_null(tenant);
    if (!right)
        verify_fault(v, "the record is not %s's", v->tenant[0] ? v->tenant : "the provider");
    else if (!json_is_string(json_object_get(object, "event")))
        verify_fault(v, "the record has no event");
    else if (!json_is_string(json_object_get(object, "time")))
        verify_fault(v, "the record has no time");
    return v->report.good;
}

static bool read_prev(const json_t *object, uint8_t prev[32]) {
    const json_t *text = json_object_get(object, "prev");
    return json_is_string(text) &&
           text_unhex(view_of(json_string_value(text), json_string_length(text)), prev, 32);
}

/* A link between two lines does not fit: the older one was changed, or the link itself. The line after them
 * knows: it carries the hash that the newer one had. Until it comes, the older one is blamed. */
static void blame_older(struct verify *v, struct view line) {
    uint64_t older = v->report.records;
    if (older == 0) {
        verify_fault(v, "it does not start the chain: its prev is not zero");
        return;
    }
    v->report.records--;
    memcpy(v->report.head, v->before, sizeof v->report.head);
    verify_fault(v, "it does not have the hash that record %" PRIu64 " expects", older + 1);
    v->unsettled = true;
    verify_hash(line, v->suspect);
}

static void settle_blame(struct verify *v, struct view line) {
    v->unsettled = false;
    uint8_t prev[32];
    json_t *object =
        json_loadb((const char *)line.at, line.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    bool newer_changed = read_prev(object, prev) && memcmp(prev, v->suspect, sizeof prev) != 0;
    json_decref(object);
    if (!newer_changed)
        return;
    v->report.bad_record++;
    snprintf(v->report.why, sizeof v->report.why,
             "it fits neither the record before it nor the hash that record %" PRIu64 " expects",
             v->report.bad_record + 1);
}

static bool check_link(struct verify *v, const json_t *object, struct view line) {
    uint8_t prev[32];
    if (!read_prev(object, prev))
        verify_fault(v, "the record has no prev");
    else if (memcmp(prev, v->report.head, sizeof prev) != 0)
        blame_older(v, line);
    return v->report.good;
}

/* The first line of a chain whose beginning was deleted: it is where it says, if it says so plainly. */
static void take_anchor(struct verify *v, const json_t *object) {
    json_int_t n = json_integer_value(json_object_get(object, "n"));
    if (n < 1 || !read_prev(object, v->first_prev))
        return; /* the checks that follow say it */
    v->report.first = (uint64_t)n;
    v->report.records = (uint64_t)n - 1;
    memcpy(v->report.head, v->first_prev, sizeof v->report.head);
}

/* A record of retention that names this chain's present beginning. */
static void look_for_anchor(struct verify *v, const json_t *object) {
    uint8_t prev[32];
    const char *event = json_string_value(json_object_get(object, "event"));
    const json_t *text = json_object_get(object, field_name(FIELD_FIRST_PREV));
    v->anchor_found =
        strcmp(event, event_name(EVENT_LEDGER_RETENTION)) == 0 && json_is_string(text) &&
        text_unhex(view_of(json_string_value(text), json_string_length(text)), prev, sizeof prev) &&
        memcmp(prev, v->first_prev, sizeof prev) == 0 &&
        json_integer_value(json_object_get(object, field_name(FIELD_FIRST))) == (json_int_t)v->report.first;
}

json_t *verify_object(struct verify *v, struct view line) {
    if (!v->report.good) {
        if (v->unsettled)
            settle_blame(v, line);
        return NULL;
    }
    json_t *object = parse(v, line);
    if (!object)
        return NULL;
    if (v->anchored && v->report.first == 0)
        take_anchor(v, object);
    if (!check_members(v, object) || !check_number(v, object) || !check_link(v, object, line)) {
        json_decref(object);
        return NULL;
    }
    memcpy(v->before, v->report.head, sizeof v->before);
    verify_hash(line, v->report.head);
    v->report.records++;
    if (v->anchored && !v->anchor_found)
        look_for_anchor(v, object);
    return object;
}

bool verify_line(struct verify *v, struct view line) {
    json_t *object = verify_object(v, line);
    json_decref(object);
    return object != NULL;
}
