/* SPDX-License-Identifier: ISC
 *
 * See console_rights.h.
 */
#include "console_rights.h"
#include "magic.h"

#include <stdio.h>
#include <string.h>

static bool refuse(struct failure *f, const char *hint, const char *sentence) {
    failure_set(f, "42501", hint, "%s", sentence);
    return false;
}

void console_person_text(const struct console_person *p, char out[96]) {
    MAGIC_CHECK(p, CONSOLE_PERSON_MAGIC);
    if (p->who == WHO_ADMIN)
        snprintf(out, 96, "administrator of %s", p->tenant);
    else
        snprintf(out, 96, "%s", p->who == WHO_OPERATOR ? "person of the provider" : "local account");
}

bool rights_approver(const struct console_person *p, const struct trust *t, int64_t now) {
    MAGIC_CHECK(p, CONSOLE_PERSON_MAGIC);
    return p->who == WHO_OPERATOR && trust_person(t, p->name, "", now) & TRUST_PROVIDER_APPROVER;
}

bool rights_command(const struct console_person *p, enum console_verb verb, struct failure *f) {
    MAGIC_CHECK(p, CONSOLE_PERSON_MAGIC);
    const struct console_declaration *d = console_declaration(verb);
    if (d->who & p->who)
        return true;
    failure_set(f, "42501",
                p->who == WHO_OPERATOR
                    ? "a tenant's log is read, and consent given, from the tenant's own connection"
                    : "only the provider's people do that, with their certificates",
                "permission denied for %s", d->words);
    return false;
}

bool rights_log(const struct console_person *p, const char *tenant, const char **out, struct failure *f) {
    MAGIC_CHECK(p, CONSOLE_PERSON_MAGIC);
    if (p->who == WHO_LOCAL) {
        *out = tenant ? tenant : "";
        return true;
    }
    if (p->who != WHO_ADMIN || (tenant && strcmp(tenant, p->tenant) != 0))
        return refuse(f, NULL, "permission denied for the log of another tenant");
    *out = p->tenant;
    return true;
}

bool rights_own(const struct console_person *p, const struct grant_view *v) {
    MAGIC_CHECK(p, CONSOLE_PERSON_MAGIC);
    return p->who == WHO_OPERATOR && strcmp(v->request->signer, p->name) == 0;
}

bool rights_grant(const struct console_person *p, const struct trust *t, int64_t now,
                  const struct grant_view *v) {
    MAGIC_CHECK(p, CONSOLE_PERSON_MAGIC);
    switch (p->who) {
    case WHO_LOCAL:
        return true;
    case WHO_ADMIN:
        return strcmp(v->request->tenant, p->tenant) == 0;
    case WHO_OPERATOR:
        return rights_own(p, v) || rights_approver(p, t, now);
    default:
        return false;
    }
}

bool rights_tenant(const struct console_person *p, const char *tenant) {
    MAGIC_CHECK(p, CONSOLE_PERSON_MAGIC);
    return p->who != WHO_ADMIN || tenant[0] == 0 || strcmp(tenant, p->tenant) == 0;
}

/* What it says is about whole tenants, and decides what a request of theirs needs. */
static bool about_tenants(enum statement_kind kind) {
    return kind == STATEMENT_POLICY || kind == STATEMENT_STANDING || kind == STATEMENT_REVOKE_STANDING ||
           kind == STATEMENT_LOCK || kind == STATEMENT_UNLOCK;
}

static bool about_own(const struct console_person *p, const struct grants *g, int64_t now,
                      const struct statement *s) {
    char digest[2 * STATEMENT_DIGEST + 1];
    struct grant_view v;
    if (!statement_has(s->kind, KEY_REQUEST))
        return false;
    statement_digest_text(s->about, digest);
    return grants_find(g, digest, now, &v) && rights_own(p, &v);
}

bool rights_statement(const struct console_person *p, const struct grants *g, const struct trust *t,
                      int64_t now, const struct statement *s) {
    MAGIC_CHECK(p, CONSOLE_PERSON_MAGIC);
    switch (p->who) {
    case WHO_LOCAL:
        return true;
    case WHO_ADMIN:
        return rights_tenant(p, s->tenant);
    case WHO_OPERATOR:
        return strcmp(s->signer, p->name) == 0 || about_tenants(s->kind) || rights_approver(p, t, now) ||
               about_own(p, g, now, s);
    default:
        return false;
    }
}

bool rights_session(const struct console_person *p, const struct trust *t, int64_t now, const char *tenant,
                    const char *user, const char *grant) {
    MAGIC_CHECK(p, CONSOLE_PERSON_MAGIC);
    switch (p->who) {
    case WHO_LOCAL:
        return true;
    case WHO_ADMIN:
        return strcmp(tenant, p->tenant) == 0;
    case WHO_OPERATOR:
        return grant[0] && (strcmp(user, p->name) == 0 || rights_approver(p, t, now));
    default:
        return false;
    }
}

bool rights_numbers(const struct console_person *p, const struct trust *t, int64_t now, struct failure *f) {
    return p->who == WHO_LOCAL || rights_approver(p, t, now) ||
           refuse(f, NULL, "permission denied for the numbers of all tenants");
}

bool rights_key(const struct console_person *p, const struct trust_key *k) {
    MAGIC_CHECK(p, CONSOLE_PERSON_MAGIC);
    return rights_tenant(p, k->tenant);
}

/* The roles of whoever signed, by the key that the statement names. */
static unsigned signer_roles(const struct trust *t, const struct statement *s) {
    for (size_t i = 0; i < trust_count(t); i++) {
        const struct trust_key *k = trust_at(t, i);
        if (strcmp(k->id, s->key) == 0 && strcmp(k->name, s->signer) == 0)
            return trust_roles(t, s->signer, k->public, s->tenant, s->at);
    }
    return 0;
}

bool rights_submit(const struct console_person *p, const struct trust *t, enum console_verb verb,
                   const struct statement *s, struct failure *f) {
    MAGIC_CHECK(p, CONSOLE_PERSON_MAGIC);
    const struct console_declaration *d = console_declaration(verb);
    if (!(d->kinds & 1u << s->kind)) {
        failure_set(f, "22023", NULL, "%s does not hand in a statement of kind %s", d->words,
                    statement_kind_name(s->kind));
        return false;
    }
    if (p->who == WHO_ADMIN && strcmp(s->tenant, p->tenant) != 0)
        return refuse(f, NULL, "a tenant's administrator hands in statements about that tenant only");
    if (p->who != WHO_OPERATOR)
        return true;
    if (strcmp(s->signer, p->name) != 0)
        return refuse(f, "each person hands in their own", "the statement is signed by somebody else");
    if (signer_roles(t, s) & TRUST_TENANT_APPROVER || statement_signers(s->kind) == TRUST_TENANT_APPROVER)
        return refuse(
            f, "a tenant's approver connects as that tenant, or gives the statement to its administrator",
            "a tenant's consent is not taken from the operators' plane");
    return true;
}

const char *rights_awaits(const struct console_person *p, const struct grants *g, const struct grant_view *v,
                          int64_t now) {
    MAGIC_CHECK(p, CONSOLE_PERSON_MAGIC);
    if (v->state != GRANT_REQUESTED && v->state != GRANT_REVIEW_DUE)
        return "";
    if (p->who == WHO_OPERATOR)
        return grants_awaits(g, v, p->name, now);
    if (v->state == GRANT_REVIEW_DUE)
        return "review";
    if (v->needs_tenant)
        return "consent";
    return p->who == WHO_LOCAL && v->needs_provider > 0 ? "approve" : "";
}
