/* SPDX-License-Identifier: ISC
 *
 * Fuzzes message_next and the readers of single messages: every view lies in the input, and what was
 * understood survives being written and read again. (ErrorResponse has a target of its own.)
 */
#include "inside.h"
#include "message.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_auth(struct view body) {
    struct auth a;
    message_read_auth(body, &a);
    assert(view_inside(a.data, body));
    assert((a.request == AUTH_REQUEST_OTHER) == (a.name != NULL));
    assert(a.request == AUTH_REQUEST_SASL || (!a.scram && !a.plus));
    assert(a.request == AUTH_REQUEST_SASL_CONTINUE || a.request == AUTH_REQUEST_SASL_FINAL ||
           a.data.len == 0);
}

static void check_sasl_initial(struct view body) {
    struct view mechanism, data;
    if (!message_read_sasl_initial(body, &mechanism, &data)) {
        assert(mechanism.len == 0 && data.len == 0);
        return;
    }
    assert(mechanism.len > 0 && mechanism.len <= 63);
    assert(view_inside(mechanism, body) && view_inside(data, body));
    static uint8_t room[1 << 20];
    char name[64];
    struct writer w = writer_of(room, sizeof room);
    if (!data.at || body.len + 5 > sizeof room)
        return; /* absent data is read but never written */
    assert(view_copy_text(mechanism, name, sizeof name));
    message_write_sasl_initial(&w, name, data);
    assert(view_equal(view_from(writer_view(&w), 5), body));
}

static void check_others(struct view body) {
    uint32_t pid, key;
    if (message_read_backend_key(body, &pid, &key)) {
        uint8_t room[13];
        struct writer w = writer_of(room, sizeof room);
        message_write_backend_key(&w, pid, key);
        assert(!w.bad && view_equal(view_from(writer_view(&w), 5), body));
    }
    struct view name, value;
    if (message_read_parameter(body, &name, &value)) {
        assert(view_inside(name, body) && view_inside(value, body));
        assert(name.len > 0 && name.len + value.len + 2 == body.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum { LONGEST = 65536 };
    struct view rest = view_of(data, size);
    struct message m;
    size_t used;
    while (message_next(rest, LONGEST, &m, &used) == MESSAGE_OK) {
        assert(used >= 5 && used <= rest.len && used <= LONGEST);
        assert(m.body.len == used - 5 && view_inside(m.body, rest));
        check_auth(m.body);
        check_sasl_initial(m.body);
        check_others(m.body);
        rest = view_from(rest, used);
    }
    assert(used == 0);
    return 0;
}
