/* SPDX-License-Identifier: ISC
 *
 * A tenant as the keeper sends it. What reads well must write back to the same bytes, and joins a snapshot or
 * says why not.
 */
#include "directory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition) {
    if (!condition)
        abort();
}

static void write_again(const struct tenant *t, struct view read) {
    static uint8_t room[TENANT_WIRE_MAX];
    struct writer w = writer_of(room, sizeof room);
    tenant_write(&w, t);
    must(!w.bad && view_equal(writer_view(&w), read));
}

static void join(struct tenant *t) {
    struct snapshot *s = snapshot_new(1, (struct moment){0, 0});
    const char *why = NULL;
    must(s != NULL);
    snapshot_domain(s, "db.example.com");
    bool good = tenant_check(t, &why);
    must(snapshot_add(s, t, &why) == good && good == !why);
    must(snapshot_count(s) == good);
    must(!good || snapshot_tenant(s, snapshot_at(s, 0)->id) == snapshot_at(s, 0));
    snapshot_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reader r = reader_of(view_of(data, size));
    struct tenant t;
    if (tenant_read(&r, &t)) {
        write_again(&t, view_of(data, size - reader_left(&r)));
        join(&t);
    }
    tenant_end(&t);
    return 0;
}
