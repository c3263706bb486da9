/* SPDX-License-Identifier: ISC
 *
 * Fuzzes the verifier with a log file's text: it ends with an answer that holds together, whatever the lines
 * are.
 */
#include "verify.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_step(const struct verify *v, bool taken, uint64_t before) {
    const struct verify_report *r = &v->report;
    assert(taken == (r->good && r->records == before + 1));
    assert(taken || (!r->good && r->bad_record > 0 && r->bad_record > r->records && r->why[0]));
    assert(memchr(r->why, 0, sizeof r->why));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct verify v;
    verify_begin(&v, "acme");
    struct view rest = view_of(data, size);
    while (rest.len > 0) {
        const uint8_t *newline = memchr(rest.at, '\n', rest.len);
        size_t len = newline ? (size_t)(newline - rest.at) : rest.len;
        uint64_t before = v.report.records;
        check_step(&v, verify_line(&v, view_of(rest.at, len)), before);
        rest = view_from(rest, len + 1);
    }
    return 0;
}
