/* SPDX-License-Identifier: ISC
 *
 * Notifications taken out of a stream: wherever it is cut, what is left is everything else, whole.
 */
#include "drop.h"

#include <criterion/criterion.h>
#include <string.h>

static uint8_t stream[256], expected[256];
static size_t stream_len, expected_len;

static void message(char type, size_t body) {
    struct writer w = writer_of(stream + stream_len, sizeof stream - stream_len);
    writer_u8(&w, (uint8_t)type);
    writer_u32(&w, (uint32_t)body + 4);
    for (size_t i = 0; i < body; i++)
        writer_u8(&w, (uint8_t)('a' + i));
    cr_assert(!w.bad);
    if (type != 'A') {
        memcpy(expected + expected_len, w.at, w.len);
        expected_len += w.len;
    }
    stream_len += w.len;
}

Test(drop, leaves_everything_else_wherever_the_stream_is_cut) {
    message('S', 20);
    message('A', 17);
    message('Z', 1);
    message('A', 0);
    message('A', 9);
    message('1', 0);
    message('D', 30);
    for (size_t first = 0; first <= stream_len; first++)
        for (size_t second = first; second <= stream_len; second++) {
            struct drop d = {.have = 0};
            uint8_t got[300];
            struct writer w = writer_of(got, sizeof got);
            drop_messages(&d, 'A', view_of(stream, first), &w);
            drop_messages(&d, 'A', view_of(stream + first, second - first), &w);
            drop_messages(&d, 'A', view_of(stream + second, stream_len - second), &w);
            cr_assert_eq(w.len, expected_len, "cut at %zu and %zu", first, second);
            cr_assert_eq(memcmp(got, expected, expected_len), 0);
            cr_assert_eq(d.dropped, 3);
        }
}

Test(drop, needs_no_more_room_than_it_says) {
    message('D', 40);
    struct drop d = {.have = 0};
    uint8_t got[64];
    for (size_t i = 0; i < stream_len; i++) {
        struct writer w = writer_of(got, 1 + DROP_HELD);
        drop_messages(&d, 'A', view_of(stream + i, 1), &w);
        cr_assert(!w.bad);
    }
}

Test(drop, a_length_too_short_is_passed_on_for_others_to_refuse) {
    uint8_t short_one[] = {'A', 0, 0, 0, 3, 'D', 0, 0, 0, 3};
    struct drop d = {.have = 0};
    uint8_t got[32];
    struct writer w = writer_of(got, sizeof got);
    drop_messages(&d, 'A', view_of(short_one, sizeof short_one), &w);
    cr_assert_eq(w.len, 5);
    cr_assert_eq(got[0], 'D');
}
