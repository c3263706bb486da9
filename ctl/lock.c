/* SPDX-License-Identifier: ISC
 *
 * lock operator|tenant|grant, unlock, lock list: locks beat every grant, and cut at once.
 */
#include "commands.h"
#include "desk_visit.h"
#include "facts.h"
#include "prefix.h"
#include "table.h"
#include "times.h"

#include <stdio.h>
#include <string.h>

enum { OPTION_KEY, OPTION_AS, OPTION_REASON, OPTION_TENANT, OPTIONS };
static const struct args_option options[OPTIONS] = {
    {"--key", true}, {"--as", true}, {"--reason", true}, {"--tenant", true}};

struct locking {
    enum lock_object object;
    const char *command, *name, **value;
};

/* About whom it is said: the tenant that is locked, the tenant of the grant, and for an operator either the
 * whole provider or the tenant whose approver locks. */
static int about(const struct locking *l, const struct desk *d, const struct person *p, struct statement *s) {
    struct grant_view v;
    const char *tenant = l->value[OPTION_TENANT];
    if (l->object == LOCK_TENANT)
        tenant = l->name;
    if (l->object == LOCK_OPERATOR && !tenant && p->is.role == TRUST_TENANT_APPROVER)
        tenant = p->is.tenant;
    if (l->object == LOCK_GRANT) {
        int code = desk_grant(d, l->command, l->name, &v);
        if (code != CTL_DONE)
            return code;
        tenant = v.request->tenant;
        snprintf(s->name, sizeof s->name, "%s", v.id);
    }
    if (tenant && tenant[0] && !tenant_id_valid(view_text(tenant)))
        return ctl_usage(l->command, "\"%s\" is no tenant id", tenant);
    snprintf(s->tenant, sizeof s->tenant, "%s", tenant ? tenant : "");
    return CTL_DONE;
}

static int lock_at(struct desk *d, const struct person *p, void *arg) {
    const struct locking *l = arg;
    char digest[2 * STATEMENT_DIGEST + 1];
    struct statement s = desk_statement(STATEMENT_LOCK, "");
    s.object = l->object;
    if (!view_copy_text(view_text(l->name), s.name, sizeof s.name) && l->object != LOCK_GRANT)
        return ctl_usage(l->command, "\"%s\" is too long for a name", l->name);
    if (!statement_words(view_text(l->value[OPTION_REASON]), STATEMENT_REASON_MAX) ||
        !view_copy_text(view_text(l->value[OPTION_REASON]), s.reason, sizeof s.reason))
        return ctl_usage(l->command, "--reason: expected some words on one line, at most %d bytes",
                         STATEMENT_REASON_MAX);
    int code = about(l, d, p, &s);
    if (code == CTL_DONE)
        code = desk_sign(d, p, &s, digest);
    if (code != CTL_DONE)
        return code;
    if (d->ctl->json)
        facts_print_json(
            json_pack("{s:s,s:s,s:s}", "lock", digest, "object", lock_object_name(s.object), "name", s.name));
    else
        printf("%s %s is locked (lock %.16s); whoever is in is cut\n", lock_object_name(s.object), s.name,
               digest);
    return CTL_DONE;
}

static int lock(const struct ctl *ctl, const char *command, enum lock_object object, int argc, char **argv) {
    const char *value[OPTIONS] = {NULL}, *name;
    size_t count = object == LOCK_OPERATOR ? OPTIONS : OPTION_TENANT;
    int code = times_options(command, options, count, value, 1, &name, argc, argv);
    if (code == CTL_DONE && (!name || !value[OPTION_REASON]))
        code = ctl_usage(command, "%s needs a name and --reason 'why'", command);
    if (code != CTL_DONE)
        return code;
    struct locking l = {object, command, name, value};
    return desk_visit(ctl, command, true, value[OPTION_KEY], value[OPTION_AS], lock_at, &l);
}

int ctl_lock_operator(const struct ctl *ctl, int argc, char **argv) {
    return lock(ctl, "lock operator", LOCK_OPERATOR, argc, argv);
}

int ctl_lock_tenant(const struct ctl *ctl, int argc, char **argv) {
    return lock(ctl, "lock tenant", LOCK_TENANT, argc, argv);
}

int ctl_lock_grant(const struct ctl *ctl, int argc, char **argv) {
    return lock(ctl, "lock grant", LOCK_GRANT, argc, argv);
}

/* ---- unlock ---- */

struct unlocking {
    struct prefix found;
    char tenant[TENANT_ID_MAX + 1];
};

static bool match(void *arg, const struct lock_view *v) {
    struct unlocking *u = arg;
    if (prefix_try(&u->found, v->digest))
        snprintf(u->tenant, sizeof u->tenant, "%s", v->lock->tenant);
    return true;
}

static int unlock_at(struct desk *d, const struct person *p, void *arg) {
    struct unlocking *u = arg;
    char digest[2 * STATEMENT_DIGEST + 1];
    int code = desk_must_know(d);
    if (code != CTL_DONE)
        return code;
    grants_locks(d->grants, NULL, desk_now(d), match, u);
    code = prefix_end(&u->found, "lock", "lock list");
    if (code != CTL_DONE)
        return code;
    struct statement s = desk_statement(STATEMENT_UNLOCK, u->tenant);
    desk_digest(u->found.digest, s.about);
    code = desk_sign(d, p, &s, digest);
    if (code == CTL_DONE && d->ctl->json)
        facts_print_json(json_pack("{s:s,s:s}", "lock", u->found.digest, "done", "unlocked"));
    else if (code == CTL_DONE)
        printf("lock %.16s is taken off\n", u->found.digest);
    return code;
}

int ctl_unlock(const struct ctl *ctl, int argc, char **argv) {
    const char *value[2] = {NULL}, *id;
    int code = times_options("unlock", options, 2, value, 1, &id, argc, argv);
    if (code == CTL_DONE && !id)
        code = ctl_usage("unlock", "unlock needs the lock's id, as lock list shows it");
    if (code != CTL_DONE)
        return code;
    struct unlocking u = {.found = prefix_of(id)};
    return desk_visit(ctl, "unlock", true, value[OPTION_KEY], value[OPTION_AS], unlock_at, &u);
}

/* ---- lock list ---- */

struct listing {
    json_t *array;
    struct table *table;
};

static bool list_one(void *arg, const struct lock_view *v) {
    struct listing *l = arg;
    const struct statement *s = v->lock;
    char at[INSTANT_TEXT];
    instant_text(s->at, at);
    if (l->array) {
        json_t *object = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:b}", "lock", v->digest, "object",
                                   lock_object_name(s->object), "name", s->name, "reason", s->reason,
                                   "signer", s->signer, "at", at, "by_tenant", v->by_tenant);
        json_object_set_new(object, "tenant", s->tenant[0] ? json_string(s->tenant) : json_null());
        json_array_append_new(l->array, object);
        return true;
    }
    table_format(l->table, "%.16s", v->digest);
    const char *cells[] = {lock_object_name(s->object),
                           s->name,
                           s->tenant[0] ? s->tenant : "-",
                           s->signer,
                           v->by_tenant ? "tenant" : "provider",
                           at,
                           s->reason};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++)
        table_cell(l->table, cells[i]);
    return true;
}

static int list_at(struct desk *d, const struct person *p, void *arg) {
    static const char *const heads[] = {"LOCK", "OBJECT", "NAME",   "TENANT", "BY",
                                        "OF",   "SINCE",  "REASON", NULL};
    struct listing l = {d->ctl->json ? json_array() : NULL, d->ctl->json ? NULL : table_new(heads)};
    grants_locks(d->grants, arg, desk_now(d), list_one, &l);
    if (l.array)
        facts_print_json(l.array);
    else
        table_print(&l.table, d->ctl->colour);
    return CTL_DONE;
}

int ctl_lock_list(const struct ctl *ctl, int argc, char **argv) {
    const char *value[OPTIONS] = {NULL};
    char tenant[TENANT_ID_MAX + 1];
    int code =
        times_options("lock list", options + OPTION_TENANT, 1, value + OPTION_TENANT, 0, NULL, argc, argv);
    if (code != CTL_DONE)
        return code;
    if (value[OPTION_TENANT] && !tenant_id_valid(view_text(value[OPTION_TENANT])))
        return ctl_usage("lock list", "\"%s\" is no tenant id", value[OPTION_TENANT]);
    snprintf(tenant, sizeof tenant, "%s", value[OPTION_TENANT] ? value[OPTION_TENANT] : "");
    return desk_visit(ctl, "lock list", false, NULL, NULL, list_at, tenant[0] ? tenant : NULL);
}
