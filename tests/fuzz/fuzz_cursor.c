/* SPDX-License-Identifier: ISC
 *
 * Fuzzes the notifier's file of how far it told whom: head and lines. What reads well is written back as the
 * same text, or (a tenant's folder has one name only) reads again as the same.
 */
#include "files.h"
#include "notice_cursor.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_head(struct view line) {
    bool known[TARGETS], again[TARGETS];
    uint8_t room[128];
    struct writer w = writer_of(room, sizeof room);
    if (!cursor_read_head(line, known))
        return;
    cursor_write_head(&w, known);
    assert(!w.bad && w.at[w.len - 1] == '\n');
    assert(cursor_read_head(view_of(w.at, w.len - 1), again) && memcmp(known, again, sizeof known) == 0);
}

static void check_line(struct view line) {
    char tenant[41];
    enum target t;
    struct cursor c;
    uint8_t room[256];
    struct writer w = writer_of(room, sizeof room);
    if (!cursor_read(line, tenant, &t, &c))
        return;
    assert(!tenant[0] || files_tenant_valid(tenant));
    cursor_write(&w, tenant, t, &c);
    assert(!w.bad && view_equal(view_of(w.at, w.len - 1), line));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (struct view rest = view_of(data, size); rest.len > 0;) {
        const uint8_t *newline = memchr(rest.at, '\n', rest.len);
        struct view line = view_of(rest.at, newline ? (size_t)(newline - rest.at) : rest.len);
        check_head(line);
        check_line(line);
        rest = view_from(rest, line.len + 1);
    }
    return 0;
}
