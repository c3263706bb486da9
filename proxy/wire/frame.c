/* SPDX-License-Identifier: ISC
 *
 * Follows message boundaries in a relayed stream; see struct frame in message.h. This is the relay's hot
 * path: a whole header is read at once, a body is skipped by arithmetic, and only what a read(2) cut in two
 * goes byte by byte.
 */
#include "message.h"

#include <string.h>

enum { HEADER = 5, LENGTH_ITSELF = 4, READY_LENGTH = 5 };

void frame_begin(struct frame *f) {
    memset(f, 0, sizeof *f);
}

bool frame_at_boundary(const struct frame *f) {
    return f->have == 0 && f->left == 0 && !f->bad;
}

/* The header is complete: what follows is the body. */
static void open_body(struct frame *f) {
    f->have = 0;
    f->bad = f->length < LENGTH_ITSELF;
    f->left = f->bad ? 0 : (uint64_t)f->length - LENGTH_ITSELF;
    f->asks += f->type == 'Q' || f->type == 'S' || f->type == 'F';
}

static const uint8_t *whole_header(struct frame *f, const uint8_t *at) {
    f->type = (char)at[0];
    f->length = (uint32_t)at[1] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 8 | at[4];
    f->messages++;
    open_body(f);
    return at + HEADER;
}

static const uint8_t *header_byte(struct frame *f, const uint8_t *at) {
    if (f->have == 0) {
        f->type = (char)*at;
        f->length = 0;
        f->messages++;
    } else {
        f->length = f->length << 8 | *at;
    }
    f->have++;
    if (f->have == HEADER)
        open_body(f);
    return at + 1;
}

/* The only body that is looked at: ReadyForQuery's, which is one byte long, so it is here whole or not at
 * all. */
static void see_ready(struct frame *f, uint8_t status) {
    f->status = (char)status;
    f->ready++;
    f->commits += status == 'I';
}

static const uint8_t *skip_body(struct frame *f, const uint8_t *at, const uint8_t *end) {
    uint64_t here = (uint64_t)(end - at);
    uint64_t step = here < f->left ? here : f->left;
    if (f->type == 'Z' && f->length == READY_LENGTH)
        see_ready(f, *at);
    f->left -= step;
    return at + step;
}

void frame_feed(struct frame *f, struct view bytes) {
    if (bytes.len == 0)
        return;
    const uint8_t *at = bytes.at, *end = bytes.at + bytes.len;
    while (at < end && !f->bad) {
        if (f->left > 0)
            at = skip_body(f, at, end);
        else if (f->have == 0 && end - at >= HEADER)
            at = whole_header(f, at);
        else
            at = header_byte(f, at);
    }
}
