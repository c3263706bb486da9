/* SPDX-License-Identifier: ISC
 *
 * grant list, grant show, access: what there is, what awaits whom, and who can get in right now.
 */
#include "change.h"
#include "commands.h"
#include "desk_visit.h"
#include "grant_print.h"
#include "times.h"

#include <stdio.h>
#include <string.h>

enum { OPTION_TENANT, OPTION_KEY, OPTION_AS, OPTIONS };
static const struct args_option options[OPTIONS] = {{"--tenant", true}, {"--key", true}, {"--as", true}};

static int list_at(struct desk *d, const struct person *p, void *arg) {
    const char *tenant = arg;
    struct grant_listing l;
    grant_listing_begin(&l, d, p->key ? p->is.name : NULL);
    grants_each(d->grants, tenant, NULL, desk_now(d), grant_listing_add, &l);
    grant_listing_end(&l, "there are no grants");
    return CTL_DONE;
}

static int known_tenant(const struct ctl *ctl, const char *id) {
    struct tenant t;
    int code = change_read(ctl, id, &t);
    tenant_end(&t);
    return code;
}

int ctl_grant_list(const struct ctl *ctl, int argc, char **argv) {
    static const char command[] = "grant list";
    const char *value[OPTIONS] = {NULL};
    int code = times_options(command, options, OPTIONS, value, 0, NULL, argc, argv);
    if (code == CTL_DONE && value[OPTION_TENANT])
        code = known_tenant(ctl, value[OPTION_TENANT]);
    if (code != CTL_DONE)
        return code;
    char tenant[TENANT_ID_MAX + 1];
    snprintf(tenant, sizeof tenant, "%s", value[OPTION_TENANT] ? value[OPTION_TENANT] : "");
    return desk_visit(ctl, command, false, value[OPTION_KEY], value[OPTION_AS], list_at,
                      tenant[0] ? tenant : NULL);
}

static int show_at(struct desk *d, const struct person *p, void *arg) {
    struct grant_view v;
    const char **id = arg, *person = p->key ? p->is.name : NULL;
    int code = desk_grant(d, "grant show", *id, &v);
    if (code == CTL_DONE && d->ctl->json)
        facts_print_json(grant_json(d, &v, person));
    else if (code == CTL_DONE)
        grant_print(d, &v, person);
    return code;
}

int ctl_grant_show(const struct ctl *ctl, int argc, char **argv) {
    static const char command[] = "grant show";
    const char *value[OPTIONS] = {NULL}, *id;
    int code = times_options(command, options + OPTION_KEY, OPTIONS - OPTION_KEY, value + OPTION_KEY, 1, &id,
                             argc, argv);
    if (code == CTL_DONE && !id)
        code = ctl_usage(command, "grant show needs the grant's id");
    return code == CTL_DONE
               ? desk_visit(ctl, command, false, value[OPTION_KEY], value[OPTION_AS], show_at, &id)
               : code;
}

/* ---- access ---- */

struct access {
    struct grant_listing listing;
    const struct ctl *ctl;
    size_t outside; /* grants whose operator is not in the directory, so that they let nobody in */
};

struct sought {
    const char *id;
    bool found;
};

static bool same_operator(void *arg, const struct operator* o) {
    struct sought *l = arg;
    l->found = strcmp(o->id, l->id) == 0;
    return !l->found;
}

static bool can_get_in(void *arg, const struct grant_view *v) {
    struct access *a = arg;
    struct sought l = {.id = v->request->signer};
    struct store *store = a->ctl->store;
    if (store && store->driver->operators(store, same_operator, &l) == STORE_OK && !l.found) {
        a->outside++;
        return true;
    }
    return grant_listing_add(&a->listing, v);
}

static int access_at(struct desk *d, const struct person *p, void *arg) {
    const char **tenant = arg, *closed = grants_closed(d->grants, *tenant);
    struct access a = {.ctl = d->ctl};
    grant_listing_begin(&a.listing, d, NULL);
    grants_access(d->grants, *tenant, desk_now(d), can_get_in, &a);
    if (!d->ctl->json && a.listing.count > 0)
        printf("Operators who can get in to %s right now:\n\n", *tenant);
    grant_listing_end(&a.listing, "nobody");
    if (closed[0])
        ctl_hint("nobody gets in to %s: %s", *tenant, closed);
    if (a.outside)
        ctl_hint("%zu active grant%s of operators who are not in the directory let%s nobody in", a.outside,
                 a.outside == 1 ? "" : "s", a.outside == 1 ? "s" : "");
    return CTL_DONE;
}

int ctl_access(const struct ctl *ctl, int argc, char **argv) {
    const char *tenant;
    int code = args_words("access", argc, argv, 1, 1, &tenant);
    if (code == CTL_DONE)
        code = known_tenant(ctl, tenant);
    return code == CTL_DONE ? desk_visit(ctl, "access", false, NULL, NULL, access_at, &tenant) : code;
}
