/* SPDX-License-Identifier: ISC
 *
 * bytes.c: views with an end, readers that cannot pass it, writers that cannot overflow.
 */
#include "bytes.h"

#include <criterion/criterion.h>
#include <string.h>

Test(bytes, views_compare_by_content) {
    cr_assert(view_equal(view_of("abc", 3), view_text("abc")));
    cr_assert_not(view_equal(view_text("abc"), view_text("abd")));
    cr_assert_not(view_equal(view_text("abc"), view_text("ab")));
    cr_assert(view_equal(view_of(NULL, 0), view_text("")));
    cr_assert(view_equal_text(view_of("abcd", 3), "abc"));
    cr_assert(view_starts(view_text("_pq_.x"), "_pq_."));
    cr_assert(view_starts(view_text("_pq_."), "_pq_."));
    cr_assert_not(view_starts(view_text("_pq_"), "_pq_."));
}

Test(bytes, a_view_never_begins_past_its_end) {
    struct view v = view_text("hello");
    cr_assert(view_equal_text(view_from(v, 2), "llo"));
    cr_assert_eq(view_from(v, 5).len, 0);
    cr_assert_eq(view_from(v, SIZE_MAX).len, 0);
}

Test(bytes, copied_text_fits_or_is_empty) {
    char out[4] = "xyz";
    cr_assert(view_copy_text(view_text("abc"), out, sizeof out));
    cr_assert_str_eq(out, "abc");
    cr_assert_not(view_copy_text(view_text("abcd"), out, sizeof out));
    cr_assert_str_empty(out);
    cr_assert_not(view_copy_text(view_of("a\0b", 3), out, sizeof out));
    cr_assert_str_empty(out);
    cr_assert(view_copy_text(view_of(NULL, 0), out, sizeof out));
}

Test(bytes, numbers_are_big_endian) {
    struct reader r =
        reader_of(view_of("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12", 18));
    cr_assert_eq(reader_u8(&r), 1);
    cr_assert_eq(reader_u16(&r), 0x0203);
    cr_assert_eq(reader_u24(&r), 0x040506);
    cr_assert_eq(reader_u32(&r), 0x0708090a);
    cr_assert_eq(reader_u64(&r), UINT64_C(0x0b0c0d0e0f101112));
    cr_assert(reader_done(&r));
}

Test(bytes, a_reader_goes_bad_once_and_stays_bad) {
    struct reader r = reader_of(view_of("\1\2\3", 3));
    cr_assert_eq(reader_u32(&r), 0);
    cr_assert(r.bad);
    cr_assert_eq(reader_u8(&r), 0);
    cr_assert_eq(reader_left(&r), 0);
    cr_assert_not(reader_done(&r));
}

Test(bytes, lengths_that_wrap_are_refused) {
    struct reader r = reader_of(view_text("abc"));
    reader_u8(&r);
    cr_assert_eq(reader_bytes(&r, SIZE_MAX).len, 0);
    cr_assert(r.bad);
}

Test(bytes, nothing_is_read_from_nothing) {
    struct reader r = reader_of(view_of(NULL, 0));
    cr_assert(reader_done(&r));
    cr_assert_eq(reader_bytes(&r, 0).len, 0);
    cr_assert_not(r.bad);
    reader_cstr(&r, 10);
    cr_assert(r.bad);
}

Test(bytes, terminated_texts_are_bounded) {
    struct reader r = reader_of(view_of("abc\0\0xyz", 8));
    cr_assert(view_equal_text(reader_cstr(&r, 3), "abc"));
    cr_assert_eq(reader_cstr(&r, 3).len, 0);
    cr_assert_not(r.bad);
    cr_assert_eq(reader_cstr(&r, 3).len, 0); /* no NUL before the end */
    cr_assert(r.bad);
    r = reader_of(view_of("abcd\0", 5));
    reader_cstr(&r, 3);
    cr_assert(r.bad);
    r = reader_of(view_of("abcd\0", 5));
    cr_assert_eq(reader_cstr(&r, SIZE_MAX - 1).len, 4);
}

Test(bytes, counted_texts_are_read_as_written) {
    uint8_t room[16];
    char out[8];
    struct writer w = writer_of(room, sizeof room);
    writer_text16(&w, view_text("shop"));
    struct reader r = reader_of(writer_view(&w));
    reader_text16_into(&r, out, sizeof out);
    cr_assert(reader_done(&r));
    cr_assert_str_eq(out, "shop");
    r = reader_of(writer_view(&w));
    reader_text16_into(&r, out, 4);
    cr_assert(r.bad);
    cr_assert_str_empty(out);
    r = reader_of(view_of("\0\3a\0b", 5));
    reader_text16_into(&r, out, sizeof out);
    cr_assert(r.bad);
    r = reader_of(view_of("\0\5abc", 5));
    cr_assert_eq(reader_text16(&r, 100).len, 0);
    cr_assert(r.bad);
}

Test(bytes, a_writer_never_overflows) {
    uint8_t room[8];
    memset(room, 0xee, sizeof room);
    struct writer w = writer_of(room, 5);
    writer_u32(&w, 0x01020304);
    writer_u16(&w, 0xffff);
    cr_assert(w.bad);
    cr_assert_eq(w.len, 4);
    cr_assert_eq(room[4], 0xee);
    writer_u8(&w, 1); /* would fit, but bad stays bad */
    cr_assert_eq(w.len, 4);
    cr_assert_eq(writer_left(&w), 0);
}

Test(bytes, a_counted_text_is_written_whole_or_not_at_all) {
    uint8_t room[5];
    struct writer w = writer_of(room, sizeof room);
    writer_text16(&w, view_text("abcd"));
    cr_assert(w.bad);
    cr_assert_eq(w.len, 0);
    static const uint8_t large[65536];
    static uint8_t larger[70000];
    w = writer_of(larger, sizeof larger);
    writer_text16(&w, view_of(large, sizeof large));
    cr_assert(w.bad);
}

Test(bytes, writes_texts_numbers_and_formats) {
    uint8_t room[64];
    struct writer w = writer_of(room, sizeof room);
    writer_u8(&w, 'a');
    writer_u16(&w, 0x6263);
    writer_u64(&w, UINT64_C(0x6465666768696a6b));
    writer_text(&w, "-");
    writer_cstr(&w, "l");
    writer_format(&w, "%d%s", 42, "m");
    cr_assert(view_equal(writer_view(&w), view_of("abcdefghijk-l\00042m", 17)));
    cr_assert_eq(writer_left(&w), 64 - 17);
}

Test(bytes, a_format_that_fills_the_room_fits) {
    uint8_t room[4];
    struct writer w = writer_of(room, sizeof room);
    writer_format(&w, "%s", "abcd");
    cr_assert_not(w.bad);
    writer_format(&w, "%s", "e");
    cr_assert(w.bad);
}

Test(bytes, a_length_is_patched_in_afterwards) {
    uint8_t room[8];
    struct writer w = writer_of(room, sizeof room);
    writer_u32(&w, 0);
    writer_text(&w, "body");
    writer_patch_u32(&w, 0, 8);
    cr_assert(view_equal(writer_view(&w), view_of("\0\0\0\x08"
                                                  "body",
                                                  8)));
}
