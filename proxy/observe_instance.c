/* SPDX-License-Identifier: ISC
 *
 * The observer's instance side: which answer belongs to which statement. Follows the protocol as PostgreSQL
 * speaks it ("Message Flow"): one result per command of a simple query, one per Execute, an error's
 * statement, and in the extended protocol everything skipped from there to the Sync. Only what was sent can
 * be answered. An answer that fits nothing is passed over: the instance may be hostile, and what it says is
 * only ever its word.
 */
#include "magic.h"
#include "observe_parts.h"
#include "text.h"

#include <string.h>

enum { HEADER = 5, LENGTH_ITSELF = 4 };

enum {
    FITS_COMMANDS = 1 << ASKED_QUERY | 1 << ASKED_EXECUTE,
    FITS_READY = 1 << ASKED_QUERY | 1 << ASKED_CALL | 1 << ASKED_SYNC,
    FITS_ALL = ~0
};

struct answer {
    struct view tag, sqlstate, message;
};

static void count_nothing(struct observe *o) {
    uint8_t sha256[32];
    o->rows = o->row_bytes = 0;
    o->copying = COPYING_NOTHING;
    if (o->out.sha256)
        tally_end(&o->out, sha256);
}

static void add_rows(const struct observe *o, struct record *r, struct view tag) {
    uint64_t rows = o->rows;
    if (rows > 0 || query_tag_rows(tag, &rows))
        record_number(r, FIELD_ROWS, rows);
}

/* The end of the COPY data that the first in the line asked for: its index, or 0. During COPY, PostgreSQL
 * passes over a Sync. */
static size_t copy_end(struct observe *o) {
    for (size_t i = 1; i < o->released; i++) {
        const struct asked *a = observe_asked(o, i);
        if (a->kind == ASKED_COPY_DONE || a->kind == ASKED_COPY_FAIL)
            return a->end <= o->sent ? i : 0;
        if (a->kind != ASKED_SYNC)
            return 0;
    }
    return 0;
}

static void add_digest(struct record *r, uint64_t bytes, const uint8_t sha256[32], struct writer *w) {
    record_number(r, FIELD_BYTES, bytes);
    text_hex(w, view_of(sha256, 32));
    record_text(r, FIELD_SHA256, writer_view(w));
}

/* COPY's bytes either way, or those of the rows. */
static void add_bytes(struct observe *o, struct record *r, struct writer *w) {
    uint8_t sha256[32];
    size_t end = o->copying == COPYING_IN ? copy_end(o) : 0;
    if (end > 0)
        add_digest(r, observe_asked(o, end)->bytes, observe_asked(o, end)->sha256, w);
    else if (o->copying == COPYING_IN && o->in.sha256)
        record_number(r, FIELD_BYTES, o->in.bytes); /* its data goes on: an error ended it before */
    else if (o->out.sha256) {
        uint64_t bytes = tally_end(&o->out, sha256);
        add_digest(r, bytes, sha256, w);
    } else if (o->row_bytes > 0)
        record_number(r, FIELD_BYTES, o->row_bytes);
}

/* From when it was sent or the result before it came, whichever is later. PostgreSQL keeps answers back until
 * a Sync or Flush: within a pipeline, the first result has the time of all that came with it. */
static void add_duration(struct observe *o, struct record *r, const struct asked *a, int64_t now_us) {
    int64_t since = a->since_us > o->answered_us ? a->since_us : o->answered_us;
    record_number(r, FIELD_DURATION_US, now_us > since ? (uint64_t)(now_us - since) : 0);
}

/* a: whose result it is; NULL, or without a number, for nobody's. */
static void tell_result(struct observe *o, const struct asked *a, const struct answer *answer,
                        int64_t now_us) {
    char sha256_room[64];
    struct writer w = writer_of(sha256_room, sizeof sha256_room);
    struct record r;
    uint64_t number = a ? a->number : 0;
    record_begin(&r, EVENT_OPERATOR_RESULT, o->rules.session);
    if (number > 0)
        record_number(&r, FIELD_NUMBER, number);
    record_text(&r, FIELD_TAG, answer->tag);
    record_text(&r, FIELD_SQLSTATE, answer->sqlstate);
    record_text(&r, FIELD_MESSAGE, answer->message);
    if (a) {
        add_rows(o, &r, answer->tag);
        add_bytes(o, &r, &w);
        add_duration(o, &r, a, now_us);
    }
    observe_tell(o, number, &r);
    o->answered_us = now_us;
}

void observe_tell_outcome(struct observe *o, const struct asked *a, const char *tag) {
    struct record r;
    record_begin(&r, EVENT_OPERATOR_RESULT, o->rules.session);
    record_number(&r, FIELD_NUMBER, a->number);
    record_text(&r, FIELD_TAG, view_text(tag));
    observe_tell(o, a->number, &r);
}

static bool is_copy_end(const struct asked *a) {
    return a->kind == ASKED_COPY_DONE || a->kind == ASKED_COPY_FAIL;
}

/* Of no COPY any more: PostgreSQL passes over it. */
static void drop_copy_ends(struct observe *o) {
    while (o->released > 0 && is_copy_end(observe_asked(o, 0)))
        observe_pop(o);
}

/* The kind of the first that is no Sync; ASKED_NOTHING when there is none. */
static enum asked_kind behind_syncs(struct observe *o) {
    for (size_t i = 0; i < o->released; i++)
        if (observe_asked(o, i)->kind != ASKED_SYNC)
            return observe_asked(o, i)->kind;
    return ASKED_NOTHING;
}

/* Who is answered now, if it is of a kind that this answer fits; else NULL. A Sync that PostgreSQL passed
 * over during COPY may still stand before. */
static struct asked *answered(struct observe *o, int fits) {
    drop_copy_ends(o);
    if (o->released > 0 && observe_asked(o, 0)->kind == ASKED_SYNC && !(fits & 1 << ASKED_SYNC) &&
        fits & 1 << behind_syncs(o))
        while (observe_asked(o, 0)->kind == ASKED_SYNC)
            observe_pop(o);
    struct asked *a = o->released > 0 ? observe_asked(o, 0) : NULL;
    return a && fits & 1 << a->kind && a->end <= o->sent ? a : NULL;
}

void observe_skip_to_sync(struct observe *o, int64_t now_us) {
    while (o->ignoring && o->released > 0) {
        const struct asked *a = observe_asked(o, 0);
        if (a->kind == ASKED_SYNC) {
            o->ignoring = false;
            return;
        }
        if (!is_copy_end(a))
            observe_tell_outcome(o, a, "skipped");
        observe_pop(o);
    }
}

/* A command of a simple query is over, or an Execute. */
static void finish_command(struct observe *o, struct view tag, int64_t now_us) {
    struct asked *a = answered(o, FITS_COMMANDS);
    struct answer answer = {.tag = tag};
    tell_result(o, a, &answer, now_us);
    if (a) {
        size_t end = o->copying == COPYING_IN || o->copying == COPYING_BOTH ? copy_end(o) : 0;
        if (end > 0)
            observe_drop_after_first(o, end);
        a = observe_asked(o, 0);
        a->answered = true;
        if (a->kind == ASKED_EXECUTE)
            observe_pop(o);
    }
    count_nothing(o);
}

/* After an error in the extended protocol. A Sync sent before the data of a COPY was passed over. */
static void skip_after_error(struct observe *o, int64_t now_us) {
    bool copied = o->copying == COPYING_IN && observe_asked(o, 0)->kind == ASKED_EXECUTE;
    observe_pop(o);
    while (copied && o->released > 0 && observe_asked(o, 0)->kind == ASKED_SYNC && observe_asked(o, 0)->early)
        observe_pop(o);
    o->ignoring = true;
    observe_skip_to_sync(o, now_us);
}

static void finish_error(struct observe *o, struct view body, int64_t now_us) {
    struct answer answer = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    if (!query_read_error(body, &answer.sqlstate, &answer.message)) {
        answer.sqlstate = view_text("08P01");
        answer.message = view_text("an error of the instance that cannot be read");
    }
    struct asked *a = answered(o, FITS_ALL);
    tell_result(o, a, &answer, now_us);
    if (a && !(FITS_READY & 1 << a->kind))
        skip_after_error(o, now_us);
    else if (a)
        a->answered = true;
    count_nothing(o);
}

/* ReadyForQuery: whatever stands before the query or Sync that it ends has been answered, or never will be.
 */
static void finish_ready(struct observe *o) {
    bool over = false;
    count_nothing(o);
    for (struct asked *a; !over && (a = answered(o, FITS_ALL));) {
        over = (FITS_READY & 1 << a->kind) != 0;
        if (a->number > 0 && !a->answered)
            observe_tell_outcome(o, a, "outcome unknown");
        observe_pop(o);
    }
}

/* Of Parse, Bind, Close or Describe: nothing to tell when it went well. */
static void finish_step(struct observe *o, enum asked_kind kind) {
    if (answered(o, 1 << kind))
        observe_pop(o);
}

static void finish_call(struct observe *o, int64_t now_us) {
    struct asked *a = answered(o, 1 << ASKED_CALL);
    struct answer answer = {.tag = view_text("function call")};
    if (!a)
        return;
    tell_result(o, a, &answer, now_us);
    a->answered = true;
}

static void begin_copy(struct observe *o, enum copying copying) {
    if (answered(o, FITS_COMMANDS))
        o->copying = copying;
}

static void finish_answer(struct observe *o, int64_t now_us) {
    struct view kept = view_of(o->kept, o->kept_len);
    switch (o->answer) {
    case 'C':
        finish_command(o, query_read_tag(kept), now_us);
        break;
    case 'I':
        finish_command(o, view_text("empty"), now_us);
        break;
    case 's':
        finish_command(o, view_text("suspended"), now_us);
        break;
    case 'E':
        finish_error(o, kept, now_us);
        break;
    case 'Z':
        finish_ready(o);
        break;
    case '1':
        finish_step(o, ASKED_PARSE);
        break;
    case '2':
        finish_step(o, ASKED_BIND);
        break;
    case '3':
        finish_step(o, ASKED_CLOSE);
        break;
    case 'T':
    case 'n':
        finish_step(o, ASKED_DESCRIBE);
        break;
    case 'V':
        finish_call(o, now_us);
        break;
    case 'G':
        begin_copy(o, COPYING_IN);
        break;
    case 'H':
        begin_copy(o, COPYING_OUT);
        break;
    case 'W':
        begin_copy(o, COPYING_BOTH);
        break;
    default:
        break;
    }
}

static enum observe_result refuse_instance(struct observe *o, const char *sqlstate, const char *sentence) {
    struct asked *a = answered(o, FITS_COMMANDS);
    struct failure f;
    failure_set(&f, sqlstate, NULL, "%s", sentence);
    if (a)
        a->answered = true;
    return observe_refuse(o, a ? a->number : 0, &f);
}

static enum observe_result begin_answer(struct observe *o, struct view header) {
    struct reader r = reader_of(header);
    o->answer = (char)reader_u8(&r);
    uint32_t length = reader_u32(&r);
    if (length < LENGTH_ITSELF)
        return refuse_instance(o, "08P01", "malformed message from the instance");
    if (o->answer == 'W' && !o->rules.allow_replication_and_function_call)
        return refuse_instance(o, "42501",
                               "replication is not allowed in an operator's session of this scope");
    o->answer_left = length - LENGTH_ITSELF;
    o->kept_len = 0;
    if (o->answer == 'D') {
        o->rows++;
        o->row_bytes += o->answer_left;
    }
    return OBSERVE_OK;
}

static bool keeps(char answer) {
    return answer == 'C' || answer == 'E';
}

static bool take_answer(struct observe *o, struct view bytes) {
    o->answer_left -= bytes.len;
    if (keeps(o->answer)) {
        size_t room = sizeof o->kept - o->kept_len;
        size_t len = bytes.len < room ? bytes.len : room;
        memcpy(o->kept + o->kept_len, bytes.at, len);
        o->kept_len += len;
    }
    if (o->answer != 'd' || (o->copying != COPYING_OUT && o->copying != COPYING_BOTH))
        return true;
    return tally_add(&o->out, bytes);
}

/* Takes one header, or what there is of a body. False when there is nothing that can be taken. */
static bool follow(struct observe *o, struct view bytes, int64_t now_us, size_t *took) {
    *took = 0;
    if (o->answer_left > 0) {
        *took = o->answer_left < bytes.len ? (size_t)o->answer_left : bytes.len;
        if (!take_answer(o, view_of(bytes.at, *took)))
            refuse_instance(o, "53200", "out of memory");
    } else {
        if (bytes.len < HEADER || observe_pending(o) >= OBSERVE_RECORDS_MAX ||
            begin_answer(o, view_of(bytes.at, HEADER)) != OBSERVE_OK)
            return false;
        *took = HEADER;
    }
    if (!o->refused && o->answer_left == 0)
        finish_answer(o, now_us);
    return !o->refused;
}

enum observe_result observe_instance(struct observe *o, struct view bytes, int64_t now_us, size_t *used,
                                     struct failure *why) {
    MAGIC_CHECK(o, OBSERVE_MAGIC);
    *used = 0;
    while (!o->refused && *used < bytes.len) {
        size_t took;
        bool more = follow(o, view_from(bytes, *used), now_us, &took);
        *used += took;
        if (!more)
            break;
    }
    if (!o->refused)
        return OBSERVE_OK;
    *why = o->failure;
    return OBSERVE_REFUSE;
}
