/* SPDX-License-Identifier: ISC
 *
 * Fuzzes hello_parse. Beyond memory safety: `needed` is honest (above what was given, never above what
 * suffices), a good hello has no bad beginning, and how it is cut into records changes nothing.
 */
#include "hello.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const char *name) {
    struct view v = view_of(name, strlen(name));
    assert(v.len <= HELLO_NAME_MAX);
    assert(v.len == 0 || (v.at[0] != '.' && v.at[v.len - 1] != '.'));
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.at[i];
        assert((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.');
        assert(c != '.' || v.at[i + 1] != '.');
    }
}

/* Asks as the gate does, waiting for `needed` each time, until the hello is whole. */
static void check_waiting(struct view whole) {
    struct hello h;
    size_t have = 0, last = 0;
    while (hello_parse(view_of(whole.at, have), &h) == HELLO_MORE) {
        assert(h.needed > have && h.needed <= whole.len && h.needed <= HELLO_MAX);
        last = have;
        have = h.needed;
    }
    assert(hello_parse(view_of(whole.at, have), &h) == HELLO_OK);
    for (size_t cut = last; cut < have; cut++)
        assert(hello_parse(view_of(whole.at, cut), &h) == HELLO_MORE);
}

/* The handshake bytes of the leading records, in records of at most `step` bytes. */
static struct view cut_again(struct view bytes, size_t step, uint8_t *room, size_t cap) {
    static uint8_t plain[HELLO_MAX];
    struct writer message = writer_of(plain, sizeof plain), w = writer_of(room, cap);
    struct reader r = reader_of(bytes);
    size_t whole = SIZE_MAX;
    while (message.len < whole) {
        reader_bytes(&r, 3);
        writer_bytes(&message, reader_text16(&r, UINT16_MAX));
        assert(!r.bad && !message.bad);
        if (message.len >= 4)
            whole = 4 + ((size_t)plain[1] << 16 | (size_t)plain[2] << 8 | plain[3]);
    }
    for (struct view rest = writer_view(&message); rest.len > 0; rest = view_from(rest, step)) {
        writer_bytes(&w, view_of("\x16\x03\x01", 3));
        writer_text16(&w, view_of(rest.at, rest.len < step ? rest.len : step));
    }
    return w.bad ? view_of(NULL, 0) : writer_view(&w);
}

static void check_records(struct view bytes, const struct hello *first) {
    static const size_t steps[] = {1, 7, 200};
    static uint8_t room[HELLO_MAX];
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct view again = cut_again(bytes, steps[i], room, sizeof room);
        struct hello h;
        if (again.len == 0)
            continue; /* so many record headers do not fit under the bound */
        assert(hello_parse(again, &h) == HELLO_OK);
        assert(strcmp(h.server_name, first->server_name) == 0);
        assert(h.alpn_postgresql == first->alpn_postgresql);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view bytes = view_of(data, size);
    struct hello h;
    switch (hello_parse(bytes, &h)) {
    case HELLO_OK:
        check_name(h.server_name);
        check_waiting(bytes);
        check_records(bytes, &h);
        break;
    case HELLO_MORE:
        assert(h.needed > size && h.needed <= HELLO_MAX && h.server_name[0] == 0);
        break;
    case HELLO_BAD:
        assert(h.why && h.server_name[0] == 0 && !h.alpn_postgresql);
        break;
    }
    return 0;
}
