/* SPDX-License-Identifier: ISC
 *
 * See outbox.h.
 */
#include "outbox.h"
#include "log.h"
#include "magic.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define OUTBOX_MAGIC 0x07b0c51du
#define BACKLOG_MOST                                                                                         \
    (2u << 20) /* beyond this the ledger is not keeping up: keep here, where it is counted                   \
                */

struct kept {
    STAILQ_ENTRY(kept) next;
    size_t len;
    uint8_t bytes[];
};

struct outbox {
    uint32_t magic;
    struct channel *ledger;
    size_t most, count;
    uint64_t lost;
    STAILQ_HEAD(, kept) queue;
};

struct outbox *outbox_new(size_t most) {
    struct outbox *o = calloc(1, sizeof *o);
    if (!o)
        abort();
    o->magic = OUTBOX_MAGIC;
    o->most = most;
    STAILQ_INIT(&o->queue);
    return o;
}

static void drop_first(struct outbox *o) {
    struct kept *k = STAILQ_FIRST(&o->queue);
    STAILQ_REMOVE_HEAD(&o->queue, next);
    free(k);
    o->count--;
}

void outbox_free(struct outbox **o) {
    if (!*o)
        return;
    MAGIC_CHECK(*o, OUTBOX_MAGIC);
    while (!STAILQ_EMPTY(&(*o)->queue))
        drop_first(*o);
    free(*o);
    *o = NULL;
}

static bool ledger_takes(const struct outbox *o) {
    return o->ledger && channel_backlog(o->ledger) < BACKLOG_MOST;
}

static void flush(struct outbox *o) {
    while (!STAILQ_EMPTY(&o->queue) && ledger_takes(o)) {
        struct kept *k = STAILQ_FIRST(&o->queue);
        struct writer w = writer_of(k->bytes, k->len);
        w.len = k->len;
        channel_send(o->ledger, M_RECORD, &w, -1);
        drop_first(o);
    }
    if (o->lost > 0 && STAILQ_EMPTY(&o->queue)) {
        log_error("%llu records were lost while the ledger took none", (unsigned long long)o->lost);
        o->lost = 0;
    }
}

static void keep(struct outbox *o, struct view bytes) {
    struct kept *k = o->count < o->most ? malloc(sizeof *k + bytes.len) : NULL;
    if (!k) {
        if (o->lost++ == 0)
            log_error("the ledger takes no records and %zu are waiting: losing some", o->count);
        return;
    }
    k->len = bytes.len;
    memcpy(k->bytes, bytes.at, bytes.len);
    STAILQ_INSERT_TAIL(&o->queue, k, next);
    o->count++;
}

void outbox_ledger(struct outbox *o, struct channel *ledger) {
    MAGIC_CHECK(o, OUTBOX_MAGIC);
    o->ledger = ledger;
    flush(o);
}

void outbox_record(struct outbox *o, uint64_t request, const char *tenant, const struct record *r) {
    MAGIC_CHECK(o, OUTBOX_MAGIC);
    struct writer w = channel_scratch();
    writer_u64(&w, request);
    writer_text16(&w, view_text(tenant));
    record_write(&w, r);
    flush(o);
    if (STAILQ_EMPTY(&o->queue) && ledger_takes(o))
        channel_send(o->ledger, M_RECORD, &w, -1);
    else
        keep(o, writer_view(&w));
}
