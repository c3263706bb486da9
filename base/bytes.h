/* SPDX-License-Identifier: ISC
 *
 * Byte views with an end, readers that cannot pass it, writers that cannot overflow. A reader or writer goes
 * bad once and stays bad: check `bad` after the last step, not after each. All integers are big-endian
 * (network order), as in PostgreSQL's protocol and in our channels. Nothing here allocates or owns memory.
 */
#ifndef SEKISHO_BYTES_H
#define SEKISHO_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct view {
    const uint8_t *at; /* may be NULL only when len is 0 */
    size_t len;        /* bytes */
};

struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

struct writer {
    uint8_t *at; /* start of the caller's buffer */
    size_t cap;  /* its size in bytes */
    size_t len;  /* bytes written so far; never more than cap */
    bool bad;    /* something did not fit: nothing of that something was written */
};

struct view view_of(const void *at, size_t len);
/* The bytes of a NUL-terminated text, without the NUL. */
struct view view_text(const char *text);
bool view_equal(struct view a, struct view b);
bool view_equal_text(struct view a, const char *text);
bool view_starts(struct view a, const char *prefix);
/* The view from `from` on; empty when `from` lies past the end. */
struct view view_from(struct view v, size_t from);
/* Copies v and a NUL into dst. False, with dst empty, when it does not fit or v holds a NUL. */
bool view_copy_text(struct view v, char *dst, size_t cap);

struct reader reader_of(struct view v);
size_t reader_left(const struct reader *r);
/* True when everything was read and nothing went wrong. */
bool reader_done(const struct reader *r);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u24(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
/* n bytes as a view into the read memory; an empty view and bad when fewer are left. */
struct view reader_bytes(struct reader *r, size_t n);
/* A NUL-terminated text of at most `max` bytes without its NUL; the NUL is consumed. */
struct view reader_cstr(struct reader *r, size_t max);
/* A text written by writer_text16: a 16-bit length, then that many bytes, at most `max`. */
struct view reader_text16(struct reader *r, size_t max);
/* As reader_text16, copied with a NUL into dst; bad when it does not fit or holds a NUL. */
void reader_text16_into(struct reader *r, char *dst, size_t cap);

struct writer writer_of(void *at, size_t cap);
struct view writer_view(const struct writer *w);
size_t writer_left(const struct writer *w);
void writer_u8(struct writer *w, uint8_t v);
void writer_u16(struct writer *w, uint16_t v);
void writer_u32(struct writer *w, uint32_t v);
void writer_u64(struct writer *w, uint64_t v);
void writer_bytes(struct writer *w, struct view v);
/* The bytes of text without a NUL. */
void writer_text(struct writer *w, const char *text);
/* The bytes of text and a NUL. */
void writer_cstr(struct writer *w, const char *text);
/* A 16-bit length and the bytes; bad when v is longer than 65,535 bytes. */
void writer_text16(struct writer *w, struct view v);
void writer_format(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Overwrites the 32-bit number at offset `where`, which must have been written before. */
void writer_patch_u32(struct writer *w, size_t where, uint32_t v);

#endif
