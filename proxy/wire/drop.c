/* SPDX-License-Identifier: ISC
 *
 * See drop.h.
 */
#include "drop.h"

#include <assert.h>

enum { HEADER = 5, LENGTH_ITSELF = 4 };

static void open_body(struct drop *d, char type, struct writer *out) {
    struct reader r = reader_of(view_of(d->header + 1, HEADER - 1));
    uint32_t length = reader_u32(&r);
    d->have = 0;
    d->left = length > LENGTH_ITSELF ? length - LENGTH_ITSELF : 0;
    d->dropping = (char)d->header[0] == type;
    d->dropped += d->dropping;
    if (!d->dropping)
        writer_bytes(out, view_of(d->header, HEADER));
}

static struct view header_byte(struct drop *d, char type, struct view bytes, struct writer *out) {
    d->header[d->have++] = bytes.at[0];
    if (d->have == HEADER)
        open_body(d, type, out);
    return view_from(bytes, 1);
}

static struct view body_bytes(struct drop *d, struct view bytes, struct writer *out) {
    size_t n = bytes.len < d->left ? bytes.len : (size_t)d->left;
    if (!d->dropping)
        writer_bytes(out, view_of(bytes.at, n));
    d->left -= n;
    return view_from(bytes, n);
}

void drop_messages(struct drop *d, char type, struct view bytes, struct writer *out) {
    while (bytes.len > 0)
        bytes = d->left > 0 ? body_bytes(d, bytes, out) : header_byte(d, type, bytes, out);
    assert(!out->bad);
}
