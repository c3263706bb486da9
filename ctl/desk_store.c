/* SPDX-License-Identifier: ISC
 *
 * The desk on the proxy's host: statements go straight into the control store and come from it; whose
 * signatures count stands in trust_dir. The running broker follows within a second.
 */
#include "change.h"
#include "desk.h"
#include "ticket.h"

#include <stdio.h>

static int submit(struct desk *d, const struct statement *s, struct view body, struct view signature) {
    char action[64];
    uint64_t n;
    struct store *store = d->ctl->store;
    snprintf(action, sizeof action, "statement.%s", statement_kind_name(s->kind));
    struct change c = change_of(s->tenant, action);
    change_detail(&c, "signed by %s", s->signer);
    if (d->unchecked && d->unchecked[0])
        change_detail(&c, TICKET_LOGGED, d->unchecked);
    return change_outcome(d->ctl, store->driver->statement_add(store, body, signature, &c, &n), s->tenant);
}

static int fetch(struct desk *d, uint64_t after, bool (*each)(void *arg, const struct statement_row *row),
                 void *arg) {
    struct store *store = d->ctl->store;
    return change_outcome(d->ctl, store->driver->statements(store, after, each, arg), "");
}

static void problem(void *arg, const char *file, const char *why) {
    ctl_hint("%s does not count: %s", file, why);
}

static struct trust *load(struct desk *d, char why[256]) {
    return trust_load(d->ctl->settings->trust_dir, problem, NULL, why);
}

static void head(struct desk *d, struct statement_head *out) {
    char path[512], why[256];
    snprintf(path, sizeof path, "%.255s/statements.head", d->ctl->settings->state_dir);
    if (!statement_head_read(path, out, why)) {
        *out = (struct statement_head){0};
        ctl_hint("what the proxy accepted last is not known: %s", why);
    }
}

const struct desk_driver desk_store = {
    .name = "store",
    .submit = submit,
    .fetch = fetch,
    .trust = load,
    .head = head,
};
