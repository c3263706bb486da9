/* SPDX-License-Identifier: ISC
 *
 * Fuzzes the observer. The input is a play: who speaks (client, instance, log, network), how many bytes, and
 * the bytes. After each turn, what went to the instance is read by other code, and each statement in it must
 * stand in the log, whole, in order, and on disk. Then the client's bytes again, cut otherwise: the log must
 * say the same.
 */
#include "inside.h"
#include "message.h"
#include "observe.h"
#include "query.h"
#include "text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LONGEST = 65536, TEXTS = 8 * LONGEST, STATEMENTS = LONGEST };

/* A statement as the log has it: its text with its parts put together. */
struct entry {
    char kind[16];
    size_t text, len; /* in texts */
    uint64_t ticket, bytes, part, parts;
};

struct log {
    size_t count, used;
    uint64_t tickets, results;
    struct entry entry[STATEMENTS];
    uint8_t text[TEXTS];
};

static struct log logs[2];

static struct view text_of(const struct record *r, enum field f) {
    for (size_t i = 0; i < r->count; i++)
        if (r->item[i].field == f)
            return r->item[i].text;
    return view_of(NULL, 0);
}

static uint64_t number_of(const struct record *r, enum field f) {
    for (size_t i = 0; i < r->count; i++)
        if (r->item[i].field == f)
            return r->item[i].number;
    return 0;
}

/* A line of the log cuts what is too long and adds "...": nothing we put there may be. */
static void check_lengths(const struct record *r) {
    static uint8_t room[RECORD_BINARY_MAX];
    struct writer w = writer_of(room, sizeof room);
    record_write(&w, r);
    assert(!w.bad);
    assert(text_of(r, FIELD_SQL).len <= 4000 && text_of(r, FIELD_PARAMETERS).len <= 4096);
    assert(text_of(r, FIELD_NAME).len <= 63 && text_of(r, FIELD_PORTAL).len <= 63);
    assert(text_of(r, FIELD_KIND).len <= 16);
}

static void on_record(void *arg, uint64_t ticket, uint64_t number, struct record *r) {
    struct log *log = arg;
    assert(ticket == ++log->tickets);
    check_lengths(r);
    if (r->event == EVENT_OPERATOR_RESULT) {
        assert(number <= log->count);
        log->results++;
        return;
    }
    uint64_t part = number_of(r, FIELD_PART);
    struct view sql = text_of(r, FIELD_SQL);
    assert(number == log->count + (part < 2) && number < STATEMENTS && log->used + sql.len < TEXTS);
    struct entry *e = &log->entry[number - 1];
    if (part < 2) {
        memset(e, 0, sizeof *e);
        e->text = log->used;
        log->count++;
    }
    assert(view_copy_text(text_of(r, FIELD_KIND), e->kind, sizeof e->kind));
    e->ticket = ticket;
    e->part = part;
    e->parts = number_of(r, FIELD_PARTS);
    e->bytes = number_of(r, FIELD_BYTES);
    if (sql.len > 0)
        memcpy(log->text + log->used, sql.at, sql.len);
    log->used += sql.len;
    e->len += sql.len;
}

static void check_text(const struct log *log, const struct entry *e, struct view sql) {
    static uint8_t bytes[LONGEST];
    struct view text = view_of(log->text + e->text, e->len);
    assert(e->part == e->parts && sql.len <= LONGEST);
    if (strstr(e->kind, "-hex")) {
        assert(view_starts(text, "\\x") && text_unhex(view_from(text, 2), bytes, sql.len));
        text = view_of(bytes, sql.len);
    }
    assert(view_equal(text, sql));
}

static void check_statement(const struct log *log, const struct entry *e, const struct message *m,
                            uint64_t copied) {
    struct query_parse p;
    struct view sql;
    static const char *const kinds[] = {
        ['Q'] = "query", ['P'] = "parse",    ['B'] = "bind",      ['E'] = "execute",  ['F'] = "function-call",
        ['C'] = "close", ['D'] = "describe", ['c'] = "copy-done", ['f'] = "copy-fail"};
    assert((uint8_t)m->type < sizeof kinds / sizeof kinds[0] && kinds[(uint8_t)m->type]);
    assert(strncmp(e->kind, kinds[(uint8_t)m->type], strlen(kinds[(uint8_t)m->type])) == 0);
    if (m->type == 'Q') {
        assert(query_read_query(m->body, &sql));
        check_text(log, e, sql);
    } else if (m->type == 'P') {
        assert(query_read_parse(m->body, &p));
        check_text(log, e, p.sql);
    } else if (m->type == 'c' || m->type == 'f') {
        assert(e->bytes == copied);
    }
}

/* Everything that was sent, whole messages and the beginning of one. `all` is what the client wrote. */
static void check_sent(const struct log *log, struct view all, size_t sent, uint64_t durable) {
    uint64_t copied = 0;
    size_t n = 0;
    struct message m;
    for (size_t at = 0, used; at < sent; at += used) {
        enum message_result result = message_next(view_from(all, at), SIZE_MAX, &m, &used);
        if (result != MESSAGE_OK) {
            assert(all.at[at] == 'd'); /* only data goes before it is whole */
            return;
        }
        if (m.type == 'd')
            copied += m.body.len;
        if (m.type == 'd' || m.type == 'S' || m.type == 'H' || m.type == 'X')
            continue;
        if (n < log->count && strcmp(log->entry[n].kind, "copy") == 0) {
            assert(log->entry[n++].bytes == copied);
            copied = 0;
        }
        assert(n < log->count && log->entry[n].ticket <= durable);
        check_statement(log, &log->entry[n++], &m, copied);
        copied = 0;
    }
}

struct play {
    struct observe *o;
    struct log *log;
    uint8_t client[LONGEST], instance[LONGEST], sent[LONGEST];
    size_t client_len, client_used, instance_len, instance_used, sent_len;
    uint64_t durable;
    int64_t now;
    bool refused;
};

static void begin(struct play *p, struct log *log, uint8_t flags) {
    struct observe_rules rules = {1, (flags & 1) != 0};
    memset(p, 0, sizeof *p);
    log->count = log->used = 0;
    log->tickets = log->results = 0;
    p->log = log;
    p->o = observe_new(&rules, on_record, log);
    assert(p->o);
}

static void hear_client(struct play *p) {
    struct failure why;
    size_t used, left = p->client_len - p->client_used;
    p->refused |= observe_client(p->o, view_of(p->client + p->client_used, left), p->now, &used, &why) ==
                  OBSERVE_REFUSE;
    assert(used <= left);
    p->client_used += used;
}

static void hear_instance(struct play *p) {
    struct failure why;
    size_t used, left = p->instance_len - p->instance_used;
    p->refused |= observe_instance(p->o, view_of(p->instance + p->instance_used, left), p->now, &used,
                                   &why) == OBSERVE_REFUSE;
    assert(used <= left);
    p->instance_used += used;
}

static void send_some(struct play *p, size_t most) {
    struct view out = observe_outgoing(p->o);
    size_t len = out.len < most ? out.len : most;
    assert(!p->refused || out.len == 0);
    assert(p->sent_len + out.len <= p->client_used);
    if (len == 0)
        return;
    memcpy(p->sent + p->sent_len, out.at, len);
    observe_sent(p->o, len);
    p->sent_len += len;
    assert(memcmp(p->sent, p->client, p->sent_len) == 0);
}

static void write_some(struct play *p, size_t most) {
    uint64_t waits = p->log->tickets - p->durable;
    assert(waits == observe_pending(p->o));
    p->durable += waits < most ? waits : most;
    observe_durable(p->o, p->durable, p->now);
}

static void check(struct play *p) {
    check_sent(p->log, view_of(p->client, p->client_used), p->sent_len, p->durable);
}

static void one_turn(struct play *p, struct reader *r) {
    uint8_t who = reader_u8(r);
    size_t len = reader_u8(r);
    bool speaks = who % 4 < 2;
    struct view bytes =
        speaks ? reader_bytes(r, len < reader_left(r) ? len : reader_left(r)) : view_of(NULL, 0);
    p->now += who;
    switch (who % 4) {
    case 0:
        if (bytes.len > 0)
            memcpy(p->client + p->client_len, bytes.at, bytes.len);
        p->client_len += bytes.len;
        hear_client(p);
        break;
    case 1:
        if (bytes.len > 0)
            memcpy(p->instance + p->instance_len, bytes.at, bytes.len);
        p->instance_len += bytes.len;
        hear_instance(p);
        break;
    case 2:
        write_some(p, len);
        break;
    default:
        send_some(p, len);
        break;
    }
}

static void finish(struct play *p) {
    check(p);
    observe_end(p->o, p->now);
    assert(observe_outgoing(p->o).len == 0);
    observe_durable(p->o, p->log->tickets, p->now);
    observe_free(&p->o);
}

/* The client's bytes alone, in pieces of `step`, while the log and the network are fast. */
static void in_pieces(struct view client, size_t step, struct play *p, struct log *log) {
    begin(p, log, 0);
    while (p->client_used < client.len && !p->refused) {
        size_t more = client.len - p->client_len < step ? client.len - p->client_len : step;
        memcpy(p->client + p->client_len, client.at + p->client_len, more);
        p->client_len += more;
        hear_client(p);
        write_some(p, SIZE_MAX);
        send_some(p, SIZE_MAX);
        if (more == 0 && observe_statements(p->o) >= OBSERVE_OUTSTANDING_MAX)
            break; /* waits for answers that will not come */
    }
    check(p);
    observe_free(&p->o);
}

static void check_same(const struct log *a, const struct log *b) {
    assert(a->count == b->count && a->tickets == b->tickets && a->used == b->used);
    assert(memcmp(a->text, b->text, a->used) == 0);
    for (size_t i = 0; i < a->count; i++)
        assert(strcmp(a->entry[i].kind, b->entry[i].kind) == 0 && a->entry[i].len == b->entry[i].len &&
               a->entry[i].bytes == b->entry[i].bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct play play, whole, pieces;
    if (size < 1 || size > LONGEST)
        return 0;
    struct reader r = reader_of(view_of(data, size));
    begin(&play, &logs[0], reader_u8(&r));
    while (reader_left(&r) > 1 && !play.refused) {
        one_turn(&play, &r);
        check(&play);
    }
    finish(&play);
    struct view client = view_of(play.client, play.client_len);
    in_pieces(client, LONGEST, &whole, &logs[0]);
    for (size_t step = 1; step <= 3; step++) {
        in_pieces(client, step, &pieces, &logs[1]);
        check_same(&logs[0], &logs[1]);
        assert(whole.refused == pieces.refused);
        assert(whole.refused || whole.sent_len == pieces.sent_len);
    }
    return 0;
}
