/* SPDX-License-Identifier: ISC
 *
 * Fuzzes message_read_error, which reads what a hostile backend sends, and message_write_fatal with what was
 * read.
 */
#include "inside.h"
#include "message.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_views(const struct error_fields *e, struct view body) {
    const struct view fields[] = {e->severity, e->sqlstate, e->message, e->detail, e->hint};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        assert(view_inside(fields[i], body));
}

/* What the proxy writes with the same texts must be read back as the same texts. */
static void check_written(const struct error_fields *e) {
    struct failure f = {.sqlstate = ""};
    if (!view_copy_text(e->message, f.sentence, sizeof f.sentence) ||
        !view_copy_text(e->hint, f.hint, sizeof f.hint))
        return; /* longer than ours ever are */
    assert(view_copy_text(e->sqlstate, f.sqlstate, sizeof f.sqlstate));
    uint8_t room[1024];
    struct writer w = writer_of(room, sizeof room);
    message_write_fatal(&w, &f, 0xfeed);
    assert(!w.bad);
    struct message m;
    size_t used;
    struct error_fields again;
    assert(message_next(writer_view(&w), sizeof room, &m, &used) == MESSAGE_OK && used == w.len);
    assert(message_read_error(m.body, &again) && view_equal_text(again.severity, "FATAL"));
    assert(view_equal(again.sqlstate, e->sqlstate) && view_equal(again.message, e->message));
    assert(view_equal(again.hint, e->hint) && view_equal_text(again.detail, "Session 000000000000feed."));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view body = view_of(data, size);
    struct error_fields e;
    if (message_read_error(body, &e)) {
        assert(size > 0 && data[size - 1] == 0 && e.sqlstate.len == 5 && e.message.at);
        check_views(&e, body);
        check_written(&e);
    } else {
        assert(!e.severity.at && !e.sqlstate.at && !e.message.at && !e.detail.at && !e.hint.at);
    }
    return 0;
}
