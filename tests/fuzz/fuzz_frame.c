/* SPDX-License-Identifier: ISC
 *
 * Fuzzes frame_feed: however the stream is cut into pieces, the account must be the same, and it must agree
 * with message_next, which cuts the same stream by other code.
 */
#include "message.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct frame *a, const struct frame *b) {
    assert(a->left == b->left && a->have == b->have && a->type == b->type && a->status == b->status);
    assert(a->bad == b->bad && a->messages == b->messages && a->ready == b->ready &&
           a->commits == b->commits);
}

static struct frame in_pieces(struct view bytes, size_t first, size_t step) {
    struct frame f;
    frame_begin(&f);
    if (first > bytes.len)
        first = bytes.len;
    frame_feed(&f, view_of(bytes.at, first));
    for (struct view rest = view_from(bytes, first); rest.len > 0; rest = view_from(rest, step))
        frame_feed(&f, view_of(rest.at, rest.len < step ? rest.len : step));
    return f;
}

static void check_with_messages(struct view bytes, const struct frame *f) {
    struct view rest = bytes;
    struct message m;
    size_t used;
    uint64_t messages = 0, ready = 0, commits = 0;
    enum message_result result;
    while ((result = message_next(rest, SIZE_MAX, &m, &used)) == MESSAGE_OK) {
        messages++;
        if (m.type == 'Z' && m.body.len == 1) {
            ready++;
            commits += m.body.at[0] == 'I';
        }
        rest = view_from(rest, used);
    }
    assert(f->messages == messages + (rest.len > 0));
    assert(f->ready == ready && f->commits == commits);
    assert(f->bad == (result == MESSAGE_BAD));
    assert(f->bad || frame_at_boundary(f) == (rest.len == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view bytes = view_of(data, size);
    struct frame whole = in_pieces(bytes, size, 1);
    check_with_messages(bytes, &whole);
    for (size_t step = 1; step <= 7; step++) {
        struct frame f = in_pieces(bytes, 0, step);
        check_same(&f, &whole);
    }
    for (size_t cut = 1; cut < size && cut < 64; cut++) {
        struct frame f = in_pieces(bytes, cut, size);
        check_same(&f, &whole);
    }
    return 0;
}
