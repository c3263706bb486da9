/* SPDX-License-Identifier: ISC
 *
 * Fuzzes startup_parse. What it takes is written for the backend and parsed again: the same user, database
 * and parameters must come out, as the backend reads what we wrote and not what the client sent.
 */
#include "inside.h"
#include "startup.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_views(const struct startup *s, struct view packet) {
    assert(s->options > 0 && s->options <= STARTUP_OPTIONS_MAX);
    assert(s->user.len > 0 && s->user.len <= STARTUP_NAME_MAX && s->database.len <= STARTUP_NAME_MAX);
    assert(view_inside(s->user, packet) && view_inside(s->database, packet));
    assert(view_inside(s->application_name, packet) && view_inside(s->replication, packet));
    for (size_t i = 0; i < s->options; i++) {
        struct view name = s->option[i].name, value = s->option[i].value;
        assert(name.len > 0 && view_inside(name, packet) && view_inside(value, packet));
        assert(!memchr(name.at, 0, name.len) && (value.len == 0 || !memchr(value.at, 0, value.len)));
        for (size_t k = 0; k < i; k++)
            assert(!view_equal(name, s->option[k].name));
    }
}

static void check_written(const struct startup *s) {
    uint8_t room[STARTUP_MAX];
    struct writer w = writer_of(room, sizeof room);
    startup_write(&w, s);
    assert(!w.bad);
    struct startup again;
    startup_parse(writer_view(&w), &again);
    assert(again.kind == STARTUP_MESSAGE && again.minor == 0 && !again.negotiate);
    assert(view_equal(again.user, s->user) && view_equal(again.database, s->database));
    assert(view_equal(again.replication, s->replication));
    size_t k = 0;
    for (size_t i = 0; i < s->options; i++) {
        if (view_starts(s->option[i].name, "_pq_."))
            continue;
        assert(view_equal(again.option[k].name, s->option[i].name));
        assert(view_equal(again.option[k].value, s->option[i].value));
        k++;
    }
    assert(k == again.options);
}

static void check_negotiation(const struct startup *s) {
    uint8_t room[STARTUP_MAX + 16];
    struct writer w = writer_of(room, sizeof room);
    startup_write_negotiate(&w, s);
    struct reader r = reader_of(writer_view(&w));
    assert(reader_u8(&r) == 'v' && reader_u32(&r) == w.len - 1 && reader_u32(&r) == 3 << 16);
    uint32_t unknown = reader_u32(&r);
    assert(s->negotiate == (unknown > 0 || s->minor > 0));
    for (uint32_t i = 0; i < unknown; i++)
        assert(view_starts(reader_cstr(&r, STARTUP_MAX), "_pq_."));
    assert(reader_done(&r));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view packet = view_of(data, size);
    struct startup s;
    startup_parse(packet, &s);
    if (s.kind != STARTUP_BAD)
        assert(startup_length(data) == size && !s.why);
    switch (s.kind) {
    case STARTUP_MESSAGE:
        check_views(&s, packet);
        check_written(&s);
        check_negotiation(&s);
        break;
    case STARTUP_CANCEL:
        assert(size == 16);
        break;
    case STARTUP_SSL:
    case STARTUP_GSSENC:
        assert(size == 8);
        break;
    case STARTUP_BAD:
        assert(s.why && s.sqlstate && s.options == 0);
        break;
    }
    return 0;
}
