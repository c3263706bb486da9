/* SPDX-License-Identifier: ISC
 *
 * See keeper_changes.h.
 */
#include "keeper_changes.h"
#include "log.h"
#include "magic.h"
#include "record.h"

#define CHANGES_MAGIC 0xC4A96E51u
#define AGAIN_US 1000000

void changes_begin(struct changes *c) {
    *c = (struct changes){.magic = CHANGES_MAGIC, .look = true};
}

void changes_ledger(struct changes *c, struct channel *ledger) {
    MAGIC_CHECK(c, CHANGES_MAGIC);
    c->ledger = ledger;
    c->count = 0;
    c->look = true;
    c->again_us = 0;
}

static bool send_one(void *arg, const struct change *change) {
    struct changes *c = arg;
    struct record r;
    record_begin(&r, EVENT_ADMIN_CHANGE, 0);
    record_text(&r, FIELD_ACTOR, view_text(change->actor));
    record_text(&r, FIELD_ACTION, view_text(change->action));
    record_text(&r, FIELD_DETAIL, view_text(change->detail));
    struct writer w = channel_scratch();
    writer_u64(&w, change->id);
    writer_text16(&w, view_text(change->tenant));
    record_write(&w, &r);
    channel_send(c->ledger, M_RECORD, &w, -1);
    c->item[c->count].id = change->id;
    c->item[c->count].answered = c->item[c->count].durable = false;
    c->count++;
    return c->count < CHANGES_BATCH;
}

void changes_step(struct changes *c, struct store *s, int64_t now_us) {
    MAGIC_CHECK(c, CHANGES_MAGIC);
    if (!c->ledger || !c->look || c->count > 0 || now_us < c->again_us)
        return;
    if (s->driver->changes(s, send_one, c) == STORE_OK)
        c->look = c->count > 0;
}

/* Every answer is there: settles what became durable, up to the first that did not. */
static void settle(struct changes *c, struct store *s, int64_t now_us) {
    size_t good = 0;
    while (good < c->count && c->item[good].durable)
        good++;
    bool settled = good == 0 || (s && s->driver->settled(s, c->item[good - 1].id) == STORE_OK);
    if (good < c->count || !settled) {
        log_warning("administrative changes are not in the session log yet: %s",
                    settled ? "the ledger refused them" : "the store does not take the receipt");
        c->again_us = now_us + AGAIN_US;
    }
    c->count = 0;
    c->look = true;
}

bool changes_durable(struct changes *c, struct store *s, uint64_t request, bool durable, int64_t now_us) {
    MAGIC_CHECK(c, CHANGES_MAGIC);
    size_t left = 0;
    bool known = false;
    for (size_t i = 0; i < c->count; i++) {
        if (c->item[i].id == request && !c->item[i].answered) {
            c->item[i].answered = known = true;
            c->item[i].durable = durable;
        }
        left += !c->item[i].answered;
    }
    if (known && left == 0) {
        settle(c, s, now_us);
        if (s)
            changes_step(c, s, now_us);
    }
    return known;
}
