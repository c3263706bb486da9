/* SPDX-License-Identifier: ISC
 *
 * standing add, list, revoke: a tenant's consent given in advance, for certain hours.
 */
#include "commands.h"
#include "desk_visit.h"
#include "facts.h"
#include "prefix.h"
#include "table.h"
#include "times.h"

#include <stdio.h>
#include <string.h>

#define YEAR (365 * 86400)

enum {
    OPTION_TENANT,
    OPTION_KEY,
    OPTION_AS,
    OPTION_SCOPE,
    OPTION_DAYS,
    OPTION_FROM,
    OPTION_TO,
    OPTION_ZONE,
    OPTION_MOST,
    OPTION_BEGIN,
    OPTION_FOR,
    OPTIONS
};
static const struct args_option options[OPTIONS] = {
    {"--tenant", true},       {"--key", true},   {"--as", true}, {"--scope", true},
    {"--days", true},         {"--from", true},  {"--to", true}, {"--zone", true},
    {"--max-duration", true}, {"--begin", true}, {"--for", true}};

/* Whose it is: --tenant, or whose the key is. */
static int whose(const char *command, const struct person *p, const char *given,
                 char out[TENANT_ID_MAX + 1]) {
    const char *tenant = given ? given : p->is.tenant;
    if (!tenant[0])
        return ctl_usage(command, "%s needs --tenant T", command);
    if (!tenant_id_valid(view_text(tenant)))
        return ctl_usage(command, "\"%s\" is no tenant id", tenant);
    snprintf(out, TENANT_ID_MAX + 1, "%s", tenant);
    return CTL_DONE;
}

static int read_window(const char *command, const char **value, struct statement *s) {
    int64_t most, lasts = YEAR, now = times_now();
    for (int i = OPTION_SCOPE; i <= OPTION_MOST; i++)
        if (!value[i])
            return ctl_usage(command, "%s needs %s", command, options[i].name);
    if (!scope_by_name(view_text(value[OPTION_SCOPE]), &s->scope))
        return ctl_usage(command, "--scope %s: expected diagnose, read, write or admin", value[OPTION_SCOPE]);
    if (!days_parse(view_text(value[OPTION_DAYS]), &s->days))
        return ctl_usage(command, "--days %s: expected days in the week's order, such as mon,tue,fri",
                         value[OPTION_DAYS]);
    if (!minute_parse(view_text(value[OPTION_FROM]), &s->from) ||
        !minute_parse(view_text(value[OPTION_TO]), &s->to))
        return ctl_usage(command, "--from and --to: expected times such as 22:30");
    if (!clock_parse_offset(view_text(value[OPTION_ZONE]), &s->zone))
        return ctl_usage(command, "--zone %s: expected Z or an offset such as +09:00", value[OPTION_ZONE]);
    if (!times_duration(value[OPTION_MOST], &most) || most > UINT32_MAX)
        return ctl_usage(command, "--max-duration %s: expected a duration such as 2h", value[OPTION_MOST]);
    if (value[OPTION_FOR] && !times_duration(value[OPTION_FOR], &lasts))
        return ctl_usage(command, "--for %s: expected a duration such as 90d", value[OPTION_FOR]);
    s->max_duration = (uint32_t)most;
    s->not_before = now;
    if (value[OPTION_BEGIN] && !times_moment(value[OPTION_BEGIN], now, &s->not_before))
        return ctl_usage(command, "--begin %s: expected a moment such as 2026-11-24T21:30:00Z",
                         value[OPTION_BEGIN]);
    s->not_after = s->not_before + lasts;
    return CTL_DONE;
}

static int answer(const struct desk *d, const char *digest, const char *what, const char *tenant) {
    if (d->ctl->json)
        facts_print_json(json_pack("{s:s,s:s,s:s}", "standing", digest, "tenant", tenant, "done", what));
    else
        printf("standing consent %.16s of %s %s\n", digest, tenant, what);
    return CTL_DONE;
}

static int add_at(struct desk *d, const struct person *p, void *arg) {
    const char **value = arg;
    char digest[2 * STATEMENT_DIGEST + 1];
    struct statement s = desk_statement(STATEMENT_STANDING, "");
    int code = whose("standing add", p, value[OPTION_TENANT], s.tenant);
    if (code == CTL_DONE)
        code = read_window("standing add", value, &s);
    if (code == CTL_DONE)
        code = desk_sign(d, p, &s, digest);
    return code == CTL_DONE ? answer(d, digest, "given", s.tenant) : code;
}

int ctl_standing_add(const struct ctl *ctl, int argc, char **argv) {
    const char *value[OPTIONS] = {NULL};
    int code = times_options("standing add", options, OPTIONS, value, 0, NULL, argc, argv);
    return code == CTL_DONE
               ? desk_visit(ctl, "standing add", true, value[OPTION_KEY], value[OPTION_AS], add_at, value)
               : code;
}

/* ---- looking ---- */

static void days_text(uint8_t days, char out[32]) {
    static const char names[7][4] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    out[0] = '\0';
    for (int i = 0; i < 7; i++)
        if (days & (1 << i))
            snprintf(out + strlen(out), 32 - strlen(out), "%s%s", out[0] ? "," : "", names[i]);
}

struct listing {
    json_t *array;
    struct table *table;
};

static bool list_one(void *arg, const struct standing_view *v) {
    struct listing *l = arg;
    const struct statement *s = v->standing;
    char days[32], hours[32], most[32], until[INSTANT_TEXT], zone[8];
    int minutes = s->zone < 0 ? -s->zone : s->zone;
    days_text(s->days, days);
    snprintf(zone, sizeof zone, "%c%02d:%02d", s->zone < 0 ? '-' : '+', minutes / 60 % 24, minutes % 60);
    snprintf(hours, sizeof hours, "%02d:%02d-%02d:%02d %s", s->from / 60 % 24, s->from % 60, s->to / 60 % 24,
             s->to % 60, zone);
    times_left(s->max_duration, most);
    instant_text(s->not_after, until);
    if (l->array) {
        json_array_append_new(l->array,
                              json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:s,s:s,s:b}", "standing", v->digest,
                                        "tenant", s->tenant, "scope", scope_name(s->scope), "days", days,
                                        "hours", hours, "max_duration_s", (json_int_t)s->max_duration, "ends",
                                        until, "signer", s->signer, "open", v->open));
        return true;
    }
    table_format(l->table, "%.16s", v->digest);
    const char *cells[] = {s->tenant, scope_name(s->scope),  days, hours, most, until,
                           s->signer, v->open ? "yes" : "no"};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++)
        table_cell(l->table, cells[i]);
    return true;
}

static int list_at(struct desk *d, const struct person *p, void *arg) {
    const char **value = arg;
    char tenant[TENANT_ID_MAX + 1];
    int code = whose("standing list", p, value[OPTION_TENANT], tenant);
    if (code != CTL_DONE)
        return code;
    static const char *const heads[] = {"STANDING", "TENANT", "SCOPE", "DAYS", "HOURS",
                                        "AT MOST",  "ENDS",   "BY",    "NOW",  NULL};
    struct listing l = {d->ctl->json ? json_array() : NULL, d->ctl->json ? NULL : table_new(heads)};
    grants_standing(d->grants, tenant, desk_now(d), list_one, &l);
    if (l.array)
        facts_print_json(l.array);
    else
        table_print(&l.table, d->ctl->colour);
    return CTL_DONE;
}

int ctl_standing_list(const struct ctl *ctl, int argc, char **argv) {
    const char *value[OPTIONS] = {NULL};
    int code = times_options("standing list", options, OPTION_SCOPE, value, 0, NULL, argc, argv);
    return code == CTL_DONE
               ? desk_visit(ctl, "standing list", false, value[OPTION_KEY], value[OPTION_AS], list_at, value)
               : code;
}

/* ---- revoking ---- */

struct revoking {
    struct prefix found;
    const char *tenant;
};

static bool match(void *arg, const struct standing_view *v) {
    struct revoking *r = arg;
    prefix_try(&r->found, v->digest);
    return true;
}

static int revoke_at(struct desk *d, const struct person *p, void *arg) {
    struct revoking *r = arg;
    char digest[2 * STATEMENT_DIGEST + 1];
    struct statement s = desk_statement(STATEMENT_REVOKE_STANDING, "");
    int code = whose("standing revoke", p, r->tenant, s.tenant);
    if (code == CTL_DONE)
        code = desk_must_know(d);
    if (code != CTL_DONE)
        return code;
    grants_standing(d->grants, s.tenant, desk_now(d), match, r);
    code = prefix_end(&r->found, "standing consent", "standing list");
    if (code != CTL_DONE)
        return code;
    desk_digest(r->found.digest, s.about);
    code = desk_sign(d, p, &s, digest);
    return code == CTL_DONE ? answer(d, r->found.digest, "revoked", s.tenant) : code;
}

int ctl_standing_revoke(const struct ctl *ctl, int argc, char **argv) {
    const char *value[OPTIONS] = {NULL}, *id;
    int code = times_options("standing revoke", options, OPTION_SCOPE, value, 1, &id, argc, argv);
    if (code == CTL_DONE && !id)
        code =
            ctl_usage("standing revoke", "standing revoke needs the consent's id, as standing list shows it");
    if (code != CTL_DONE)
        return code;
    struct revoking r = {.found = prefix_of(id), .tenant = value[OPTION_TENANT]};
    return desk_visit(ctl, "standing revoke", true, value[OPTION_KEY], value[OPTION_AS], revoke_at, &r);
}
