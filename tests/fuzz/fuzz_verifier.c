/* SPDX-License-Identifier: ISC
 *
 * Fuzzes verifier.c: what is taken as a text is written back byte by byte, and so it is in a channel's
 * message.
 */
#include "verifier.h"

#include <stdlib.h>
#include <string.h>

static void require(bool holds) {
    if (!holds)
        abort();
}

static void check_bounds(const struct verifier *v) {
    require(v->iterations >= VERIFIER_ITERATIONS_MIN && v->iterations <= VERIFIER_ITERATIONS_MAX);
    require(v->salt_len >= 1 && v->salt_len <= VERIFIER_SALT_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view input = view_of(data, size);
    struct verifier v, again;
    uint8_t bytes[512];
    struct writer w = writer_of(bytes, sizeof bytes);
    if (verifier_parse(input, &v)) {
        check_bounds(&v);
        verifier_text(&w, &v);
        require(!w.bad && view_equal(writer_view(&w), input));
        w = writer_of(bytes, sizeof bytes);
        verifier_write(&w, &v);
        struct reader back = reader_of(writer_view(&w));
        require(verifier_read(&back, &again) && reader_done(&back) && memcmp(&v, &again, sizeof v) == 0);
    }
    struct reader r = reader_of(input);
    if (verifier_read(&r, &v)) {
        check_bounds(&v);
        w = writer_of(bytes, sizeof bytes);
        verifier_write(&w, &v);
        require(!w.bad && view_equal(writer_view(&w), view_of(data, size - reader_left(&r))));
    }
    return 0;
}
