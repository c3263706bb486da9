/* SPDX-License-Identifier: ISC
 *
 * See grant_print.h.
 */
#include "grant_print.h"
#include "times.h"

#include <stdio.h>
#include <string.h>

void grant_missing(const struct grant_view *v, char out[128]) {
    char provider[64] = "";
    if (v->needs_provider > 0)
        snprintf(provider, sizeof provider, "%u %sprovider approval%s", v->needs_provider,
                 v->approvers[0] ? "more " : "", v->needs_provider > 1 ? "s" : "");
    bool one = (v->needs_provider == 1) != v->needs_tenant && v->needs_provider < 2;
    snprintf(out, 128, "%s%s%s%s", provider, provider[0] && v->needs_tenant ? " and " : "",
             v->needs_tenant ? "the tenant's consent" : "",
             !provider[0] && !v->needs_tenant ? ""
             : one                            ? " is missing"
                                              : " are missing");
}

json_t *grant_json(const struct desk *d, const struct grant_view *v, const char *person) {
    const struct statement *r = v->request;
    char begins[INSTANT_TEXT], ends[INSTANT_TEXT], at[INSTANT_TEXT];
    instant_text(v->begins, begins);
    instant_text(v->ends, ends);
    instant_text(r->at, at);
    json_t *object =
        json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:b,s:s,s:b,s:b}", "grant",
                  v->id, "request", v->digest, "tenant", r->tenant, "operator", r->signer, "scope",
                  scope_name(v->scope), "databases", v->databases, "class", class_name(r->class),
                  "reason_code", reason_code_name(r->reason_code), "ticket", r->ticket, "reason", r->reason,
                  "state", grant_state_name(v->state), "requested", at, "begins", begins, "ends", ends,
                  "needs_provider", (int)v->needs_provider, "needs_tenant", v->needs_tenant, "approvers",
                  v->approvers, "locked", v->locked, "ticket_unchecked", v->ticket_unchecked);
    if (v->ended != GRANT_NONE)
        json_object_set_new(object, "ended", json_string(grant_state_name(v->ended)));
    if (v->by[0])
        json_object_set_new(object, "by", json_string(v->by));
    if (v->words && v->words[0])
        json_object_set_new(object, "words", json_string(v->words));
    if (person)
        json_object_set_new(object, "awaits_you",
                            json_string(grants_awaits(d->grants, v, person, desk_now(d))));
    return object;
}

static void line(const char *name, const char *text) {
    char shown[4096];
    harmless(text, shown, sizeof shown);
    if (text[0])
        printf("%-11s%s\n", name, shown);
}

void grant_print(const struct desk *d, const struct grant_view *v, const char *person) {
    const struct statement *r = v->request;
    char text[512], missing[128], left[32], begins[INSTANT_TEXT], ends[INSTANT_TEXT];
    int64_t now = desk_now(d);
    grant_missing(v, missing);
    char state[256];
    snprintf(state, sizeof state, "%s%s%s%s%s", grant_state_name(v->state), missing[0] ? ": " : "", missing,
             v->locked ? "; LOCKED" : "", v->ended != GRANT_NONE ? " (see ended)" : "");
    line("grant", v->id);
    line("state", state);
    if (v->ended != GRANT_NONE)
        line("ended", grant_state_name(v->ended));
    line("tenant", r->tenant);
    line("operator", r->signer);
    line("scope", scope_name(v->scope));
    if (v->scope != r->scope)
        line("asked for", scope_name(r->scope));
    line("databases", v->databases);
    line("class", class_name(r->class));
    snprintf(text, sizeof text, "%s%s", r->ticket, v->ticket_unchecked ? " (does not look like one)" : "");
    line("ticket", text);
    line("code", reason_code_name(r->reason_code));
    char reason[STATEMENT_REASON_MAX + 1];
    snprintf(reason, sizeof reason, "%s", r->reason);
    line("reason", reason);
    instant_text(v->begins, begins);
    instant_text(v->ends, ends);
    times_left(v->ends - (now > v->begins ? now : v->begins), left);
    line("begins", begins);
    snprintf(text, sizeof text, "%s%s%s%s", ends, v->ends > now ? " (" : "", v->ends > now ? left : "",
             v->ends <= now    ? ""
             : v->begins > now ? " long)"
                               : " left)");
    line("ends", text);
    line("approved", v->approvers);
    line("by", v->by);
    line("words", v->words ? v->words : "");
    line("request", v->digest);
    const char *yours = person ? grants_awaits(d->grants, v, person, now) : "";
    if (yours[0])
        printf("\nThis awaits you: sekishoctl grant %s %s\n",
               strcmp(yours, "consent") == 0 ? "approve" : yours, v->id);
}

void grant_listing_begin(struct grant_listing *l, const struct desk *d, const char *person) {
    static const char *const heads[] = {"GRANT", "TENANT", "OPERATOR", "SCOPE", "DATABASES",
                                        "CLASS", "TICKET", "STATE",    "ENDS",  NULL};
    static const char *const heads_for_you[] = {"GRANT",  "TENANT", "OPERATOR", "SCOPE", "DATABASES", "CLASS",
                                                "TICKET", "STATE",  "ENDS",     "YOU",   NULL};
    *l = (struct grant_listing){.desk = d, .person = person};
    if (d->ctl->json)
        l->array = json_array();
    else
        l->table = table_new(person ? heads_for_you : heads);
}

bool grant_listing_add(void *arg, const struct grant_view *v) {
    struct grant_listing *l = arg;
    char ends[INSTANT_TEXT];
    l->count++;
    if (l->array) {
        json_array_append_new(l->array, grant_json(l->desk, v, l->person));
        return true;
    }
    instant_text(v->ends, ends);
    const char *cells[] = {v->id,
                           v->request->tenant,
                           v->request->signer,
                           scope_name(v->scope),
                           v->databases,
                           class_name(v->request->class),
                           v->request->ticket};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++)
        table_cell(l->table, cells[i]);
    table_format(l->table, "%s%s", grant_state_name(v->state), v->locked ? ", locked" : "");
    table_cell(l->table, ends);
    if (l->person) {
        const char *yours = grants_awaits(l->desk->grants, v, l->person, desk_now(l->desk));
        table_cell(l->table, yours[0] ? yours : "-");
    }
    return true;
}

void grant_listing_end(struct grant_listing *l, const char *nothing) {
    if (l->array)
        facts_print_json(l->array);
    else if (l->count == 0)
        puts(nothing);
    if (l->table && l->count > 0)
        table_print(&l->table, l->desk->ctl->colour);
    else if (l->table)
        table_free(&l->table);
}
