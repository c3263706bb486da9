/* SPDX-License-Identifier: ISC
 *
 * frame.c: message boundaries in a relayed stream, however it was cut on its way.
 */
#include "message.h"

#include <criterion/criterion.h>
#include <string.h>

static uint8_t room[4096];

static void message(struct writer *w, char type, const void *body, size_t len) {
    writer_u8(w, (uint8_t)type);
    writer_u32(w, (uint32_t)len + 4);
    writer_bytes(w, view_of(body, len));
}

/* What a backend sends for a failed and a rolled back transaction, with a body that looks like ReadyForQuery.
 */
static struct view conversation(void) {
    struct writer w = writer_of(room, sizeof room);
    message(&w, 'C', "BEGIN", 6);
    message(&w, 'Z', "T", 1);
    message(&w, 'D', "Z\0\0\0\5I", 6);
    message(&w, '1', "", 0);
    message(&w, 'n', "", 0);
    message(&w, 'Z', "E", 1);
    message(&w, 'C', "ROLLBACK", 9);
    message(&w, 'Z', "I", 1);
    return writer_view(&w);
}

static struct frame feed(struct view bytes) {
    struct frame f;
    frame_begin(&f);
    frame_feed(&f, bytes);
    return f;
}

static void expect_same(const struct frame *a, const struct frame *b) {
    cr_assert_eq(a->left, b->left);
    cr_assert_eq(a->have, b->have);
    cr_assert_eq(a->type, b->type);
    cr_assert_eq(a->status, b->status);
    cr_assert_eq(a->bad, b->bad);
    cr_assert_eq(a->messages, b->messages);
    cr_assert_eq(a->ready, b->ready);
    cr_assert_eq(a->commits, b->commits);
}

Test(frame, begins_at_a_boundary) {
    struct frame f = feed(view_of(NULL, 0));
    cr_assert(frame_at_boundary(&f));
    cr_assert_eq(f.messages, 0);
    cr_assert_eq(f.status, 0);
}

Test(frame, counts_a_conversation) {
    struct frame f = feed(conversation());
    cr_assert(frame_at_boundary(&f));
    cr_assert_eq(f.messages, 8);
    cr_assert_eq(f.ready, 3);
    cr_assert_eq(f.commits, 1);
    cr_assert_eq(f.status, 'I');
    cr_assert_eq(f.type, 'Z');
    cr_assert_not(f.bad);
}

Test(frame, split_at_every_pair_of_positions_counts_the_same) {
    struct view v = conversation();
    struct frame whole = feed(v);
    for (size_t a = 0; a <= v.len; a++)
        for (size_t b = a; b <= v.len; b++) {
            struct frame f = feed(view_of(v.at, a));
            frame_feed(&f, view_of(v.at + a, b - a));
            frame_feed(&f, view_of(v.at + b, v.len - b));
            expect_same(&f, &whole);
        }
}

Test(frame, byte_by_byte_counts_the_same) {
    struct view v = conversation();
    struct frame f = feed(view_of(NULL, 0));
    for (size_t i = 0; i < v.len; i++) {
        struct frame prefix = feed(view_of(v.at, i));
        expect_same(&f, &prefix);
        frame_feed(&f, view_of(v.at + i, 1));
    }
    struct frame whole = feed(v);
    expect_same(&f, &whole);
}

Test(frame, inside_a_message_is_not_a_boundary) {
    struct view v = conversation();
    for (size_t i = 1; i < 11; i++) { /* 'C', 11 bytes */
        struct frame f = feed(view_of(v.at, i));
        cr_assert_not(frame_at_boundary(&f), "after %zu bytes", i);
        cr_assert_eq(f.messages, 1);
    }
    struct frame f = feed(view_of(v.at, 11));
    cr_assert(frame_at_boundary(&f));
}

Test(frame, status_waits_for_its_byte) {
    struct view v = view_of("Z\0\0\0\5E", 6);
    struct frame f = feed(view_of(v.at, 5));
    cr_assert_eq(f.status, 0);
    cr_assert_eq(f.ready, 0);
    cr_assert_eq(f.left, 1);
    frame_feed(&f, view_of(v.at + 5, 1));
    cr_assert_eq(f.status, 'E');
    cr_assert_eq(f.ready, 1);
    cr_assert_eq(f.commits, 0);
}

Test(frame, a_length_under_four_is_not_postgresql) {
    for (uint8_t length = 0; length < 4; length++) {
        uint8_t bytes[] = {'D', 0, 0, 0, length, 'Z', 0, 0, 0, 5, 'I'};
        struct frame f = feed(view_of(bytes, sizeof bytes));
        cr_assert(f.bad);
        cr_assert_eq(f.messages, 1);
        frame_feed(&f, view_of(bytes + 5, 6)); /* nothing is believed any more */
        cr_assert_eq(f.ready, 0);
    }
}

Test(frame, four_gigabytes_are_counted_and_nothing_is_smuggled) {
    struct frame f = feed(view_of("d\xff\xff\xff\xff", 5));
    cr_assert_eq(f.left, UINT64_C(0xfffffffb));
    cr_assert_not(f.bad);
    frame_feed(&f, view_of("Z\0\0\0\5I", 6));
    cr_assert_eq(f.ready, 0);
    cr_assert_eq(f.left, UINT64_C(0xfffffffb) - 6);
}

Test(frame, a_ready_for_query_of_another_length_is_none) {
    struct frame f = feed(view_of("Z\0\0\0\4Z\0\0\0\6IT", 12));
    cr_assert_eq(f.ready, 0);
    cr_assert_eq(f.status, 0);
    cr_assert_eq(f.messages, 2);
    cr_assert(frame_at_boundary(&f));
}
