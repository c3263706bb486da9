/* SPDX-License-Identifier: ISC
 *
 * See console_show.h.
 */
#include "console_show.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

static void text_or_null(struct console_table *t, const char *text) {
    if (text && text[0])
        rows_text(t, text);
    else
        rows_null(t);
}

static void tenant_cell(struct console_table *t, const char *tenant) {
    rows_text(t, tenant[0] ? tenant : "-");
}

static void yes_no(struct console_table *t, bool yes) {
    rows_text(t, yes ? "yes" : "no");
}

void show_help(struct console_table *t, const struct console_person *p) {
    for (int verb = VERB_NONE + 1; verb < VERB_COUNT; verb++) {
        const struct console_declaration *d = console_declaration((enum console_verb)verb);
        char usage[256];
        struct writer w = writer_of(usage, sizeof usage);
        if (!(d->who & p->who))
            continue;
        console_usage((enum console_verb)verb, &w);
        rows_cell(t, writer_view(&w));
        rows_text(t, d->summary);
    }
}

/* --- grants --- */

/* "1 approval, the tenant's consent"; "". */
static void missing_text(const struct grant_view *v, char out[96]) {
    out[0] = 0;
    if (v->state != GRANT_REQUESTED)
        return;
    char approvals[48] = "";
    if (v->needs_provider > 0)
        snprintf(approvals, sizeof approvals, "%u provider approval%s", v->needs_provider,
                 v->needs_provider == 1 ? "" : "s");
    snprintf(out, 96, "%s%s%s", approvals, approvals[0] && v->needs_tenant ? ", " : "",
             v->needs_tenant ? "the tenant's consent" : "");
}

void show_grant_row(struct console_table *t, const struct console_look *l, const struct grant_view *v) {
    char missing[96];
    missing_text(v, missing);
    rows_text(t, v->id);
    rows_text(t, grant_state_name(v->state));
    rows_text(t, v->request->tenant);
    rows_text(t, v->request->signer);
    rows_text(t, class_name(v->request->class));
    rows_text(t, scope_name(v->scope));
    rows_text(t, v->request->ticket);
    rows_text(t, v->request->reason);
    rows_text(t, v->databases);
    rows_instant(t, v->begins);
    rows_instant(t, v->ends);
    text_or_null(t, v->approvers);
    text_or_null(t, missing);
    text_or_null(t, rights_awaits(l->person, l->grants, v, l->now));
    yes_no(t, v->locked);
    rows_text(t, v->digest);
}

static void pair(struct console_table *t, const char *name, const char *value) {
    if (!value || !value[0])
        return;
    rows_text(t, name);
    rows_text(t, value);
}

static void pair_instant(struct console_table *t, const char *name, int64_t seconds) {
    rows_text(t, name);
    rows_instant(t, seconds);
}

void show_grant(struct console_table *t, const struct console_look *l, const struct grant_view *v) {
    const struct statement *r = v->request;
    char missing[96];
    missing_text(v, missing);
    pair(t, "id", v->id);
    pair(t, "state", grant_state_name(v->state));
    if (v->ended != GRANT_NONE)
        pair(t, "ended as", grant_state_name(v->ended));
    pair(t, "locked", v->locked ? "yes" : "");
    pair(t, "tenant", r->tenant);
    pair(t, "operator", r->signer);
    pair(t, "class", class_name(r->class));
    pair(t, "reason code", reason_code_name(r->reason_code));
    pair(t, "reason", r->reason);
    pair(t, "ticket", r->ticket);
    pair(t, "ticket was checked", v->ticket_unchecked ? "no" : "");
    pair(t, "scope asked for", scope_name(r->scope));
    pair(t, "scope", scope_name(v->scope));
    pair(t, "databases asked for", r->databases);
    pair(t, "databases", v->databases);
    pair_instant(t, "requested", r->at);
    pair_instant(t, "begins", v->begins);
    pair_instant(t, "ends", v->ends);
    pair(t, "approvers", v->approvers);
    pair(t, "missing", missing);
    pair(t, "awaits from you", rights_awaits(l->person, l->grants, v, l->now));
    pair(t, "decided by", v->by);
    pair(t, "words", v->words);
    pair(t, "digest", v->digest);
}

/* --- locks, policies, standing consents --- */

struct showing {
    struct console_table *table;
    const struct console_look *look;
};

static bool lock_row(void *arg, const struct lock_view *v) {
    struct showing *s = arg;
    struct console_table *t = s->table;
    if (!rights_tenant(s->look->person, v->lock->tenant))
        return true;
    rows_text(t, v->digest);
    tenant_cell(t, v->lock->tenant);
    rows_text(t, lock_object_name(v->lock->object));
    rows_text(t, v->lock->name);
    rows_text(t, v->lock->reason);
    rows_text(t, v->lock->signer);
    rows_instant(t, v->lock->at);
    rows_text(t, v->by_tenant ? "the tenant" : "the provider");
    return true;
}

void show_locks(struct console_table *t, const struct console_look *l) {
    struct showing s = {t, l};
    grants_locks(l->grants, l->person->who == WHO_ADMIN ? l->person->tenant : NULL, l->now, lock_row, &s);
}

void show_policy(struct console_table *t, const struct console_look *l, const char *tenant) {
    struct policy_view v;
    grants_policy(l->grants, tenant, l->now, &v);
    rows_text(t, tenant);
    rows_text(t, consent_name(v.consent));
    rows_number(t, v.provider_approvals);
    rows_text(t, scope_name(v.emergency_scope));
    text_or_null(t, v.statement ? v.statement->signer : NULL);
    if (v.statement)
        rows_instant(t, v.statement->at);
    else
        rows_null(t);
}

static void days_cell(struct console_table *t, uint8_t days) {
    static const char *const names[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    char text[32];
    struct writer w = writer_of(text, sizeof text);
    for (unsigned i = 0; i < 7; i++)
        if (days & 1u << i)
            writer_format(&w, "%s%s", w.len > 0 ? "," : "", names[i]);
    rows_cell(t, writer_view(&w));
}

static void minute_cell(struct console_table *t, unsigned minute) {
    char text[16];
    snprintf(text, sizeof text, "%02u:%02u", minute / 60, minute % 60);
    rows_text(t, text);
}

static void zone_cell(struct console_table *t, int minutes) {
    char text[16];
    unsigned east = (unsigned)(minutes < 0 ? -minutes : minutes);
    snprintf(text, sizeof text, "%c%02u:%02u", minutes < 0 ? '-' : '+', east / 60, east % 60);
    rows_text(t, text);
}

static bool standing_row(void *arg, const struct standing_view *v) {
    struct showing *s = arg;
    struct console_table *t = s->table;
    const struct statement *c = v->standing;
    if (!rights_tenant(s->look->person, c->tenant))
        return true;
    rows_text(t, v->digest);
    rows_text(t, c->tenant);
    rows_text(t, scope_name(c->scope));
    days_cell(t, c->days);
    minute_cell(t, c->from);
    minute_cell(t, c->to);
    zone_cell(t, c->zone);
    rows_number(t, c->max_duration);
    rows_instant(t, c->not_before);
    rows_instant(t, c->not_after);
    rows_text(t, c->signer);
    yes_no(t, v->open);
    return true;
}

void show_standing(struct console_table *t, const struct console_look *l, const char *tenant) {
    struct showing s = {t, l};
    grants_standing(l->grants, tenant, l->now, standing_row, &s);
}

/* --- what grants are judged by --- */

void show_trust(struct console_table *t, const struct console_look *l) {
    for (size_t i = 0; i < trust_count(l->trust); i++) {
        const struct trust_key *k = trust_at(l->trust, i);
        char public[64];
        struct writer w = writer_of(public, sizeof public);
        if (!rights_key(l->person, k))
            continue;
        text_base64(&w, view_of(k->public, sizeof k->public));
        rows_text(t, k->name);
        rows_text(t, trust_role_name(k->role));
        tenant_cell(t, k->tenant);
        rows_instant(t, k->not_before);
        rows_instant(t, k->not_after);
        if (k->withdrawn == TRUST_NEVER)
            rows_text(t, "-");
        else
            rows_instant(t, k->withdrawn);
        rows_cell(t, writer_view(&w));
    }
}

static void rule_text(struct console_table *t, const char *name, const char *value) {
    rows_text(t, name);
    rows_text(t, value);
}

static void rule_number(struct console_table *t, const char *name, uint32_t value, const char *unit) {
    char text[32];
    snprintf(text, sizeof text, "%u%s", value, unit);
    rule_text(t, name, text);
}

void show_rules(struct console_table *t, const struct settings *s) {
    rule_text(t, "environment", s->environment);
    rule_text(t, "operator_domain", s->operator_domain);
    rule_text(t, "ticket_pattern", s->ticket_pattern);
    rule_number(t, "provider_approvals", s->provider_approvals, "");
    rule_number(t, "approval_window", s->approval_window, "ms");
    rule_number(t, "max_diagnose", s->max_diagnose, "ms");
    rule_number(t, "max_read", s->max_read, "ms");
    rule_number(t, "max_write", s->max_write, "ms");
    rule_number(t, "max_admin", s->max_admin, "ms");
    rule_number(t, "emergencies_per_week", s->emergencies_per_week, "");
}

void show_statement(struct console_table *t, uint64_t n, const struct statement *s, struct view body,
                    struct view signature) {
    uint8_t digest[STATEMENT_DIGEST];
    char text[2 * STATEMENT_DIGEST + 1], encoded[128];
    struct writer w = writer_of(encoded, sizeof encoded);
    statement_digest(body, digest);
    statement_digest_text(digest, text);
    text_base64(&w, signature);
    rows_number(t, n);
    rows_text(t, statement_kind_name(s->kind));
    tenant_cell(t, s->tenant);
    rows_text(t, s->signer);
    rows_instant(t, s->at);
    rows_text(t, text);
    rows_cell(t, body);
    rows_cell(t, writer_view(&w));
}
