/* SPDX-License-Identifier: ISC
 *
 * The end of retired tenants: when two approvers signed and their time has come (policy/grants_erase.c), the
 * ledger is told to erase the log; when that is gone, the keeper to erase rows and secrets. Nothing is kept
 * here: as long as the tenant is in the directory, everybody is asked again.
 */
#include "broker_grants.h"
#include "log.h"

#define LOOK_MS 5000

static bool is_retired(const struct tenant *t) {
    return t && t->state == TENANT_RETIRED;
}

static void erase_log(const struct tenant *t, const struct erasure_view *v) {
    struct writer w = channel_scratch();
    writer_text16(&w, view_text(t->id));
    writer_text16(&w, view_text(v->by));
    channel_send(operators_log(), M_ERASE, &w, -1);
}

static void on_look(evutil_socket_t fd, short what, void *arg) {
    struct erasure_view v;
    bool looked = false;
    for (size_t i = 0; broker.snapshot && operators_log() && i < snapshot_count(broker.snapshot); i++) {
        const struct tenant *t = snapshot_at(broker.snapshot, i);
        if (!is_retired(t))
            continue;
        if (!looked)
            operators_look();
        looked = true;
        if (operators_erasure(t->id, &v))
            erase_log(t, &v);
    }
}

void erase_begin(void) {
    role_timer(LOOK_MS, true, on_look, NULL);
}

bool erase_done(struct reader *body) {
    char tenant[TENANT_ID_MAX + 1];
    struct erasure_view v;
    reader_text16_into(body, tenant, sizeof tenant);
    if (!reader_done(body))
        return false;
    /* Judged once more: it may have been taken back, though nothing of the log is left to keep. */
    if (!broker.keeper || !broker.snapshot || !is_retired(snapshot_tenant(broker.snapshot, tenant)) ||
        !operators_erasure(tenant, &v))
        return true;
    struct writer w = channel_scratch();
    writer_text16(&w, view_text(tenant));
    channel_send(broker.keeper, M_ERASE_ROWS, &w, -1);
    return true;
}
