/* SPDX-License-Identifier: ISC
 *
 * Fuzzes record_read, which reads what a cell that was taken over sends to the ledger. Whatever is read must
 * be written again as the same bytes, and be one line of JSON.
 */
#include "inside.h"
#include "record.h"

#include <assert.h>
#include <jansson.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_written(const struct record *r, struct view read) {
    uint8_t bytes[RECORD_BINARY_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    record_write(&w, r);
    assert(!w.bad && view_equal(writer_view(&w), read));
}

static void check_line(const struct record *r) {
    static const uint8_t prev[32];
    char line[RECORD_LINE_MAX];
    struct writer w = writer_of(line, sizeof line);
    record_json(&w, r, "acme", 1, 0, 540, prev);
    assert(!w.bad && w.len < RECORD_LINE_MAX && !memchr(line, '\n', w.len));
    json_t *object = json_loadb(line, w.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    assert(json_is_object(object));
    assert(strcmp(json_string_value(json_object_get(object, "event")), event_name(r->event)) == 0);
    json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view all = view_of(data, size);
    struct reader in = reader_of(all);
    struct record r;
    if (!record_read(&in, &r)) {
        assert(in.bad);
        return 0;
    }
    assert(r.count <= RECORD_FIELDS_MAX);
    for (size_t i = 0; i < r.count; i++)
        assert(view_inside(r.item[i].text, all));
    check_written(&r, view_of(data, size - reader_left(&in)));
    check_line(&r);
    return 0;
}
