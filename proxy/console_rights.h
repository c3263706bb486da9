/* SPDX-License-Identifier: ISC
 *
 * Who may see and hand in what at the console. A tenant's administrator: that tenant's, never another's. A
 * person of the provider: their own, and everybody's grants (never a tenant's log) when they are an approver
 * now. An account of the proxy's host: everything. Handing in needs the signature besides; nothing here
 * replaces it. Pure.
 */
#ifndef SEKISHO_CONSOLE_RIGHTS_H
#define SEKISHO_CONSOLE_RIGHTS_H

#include "console_command.h"
#include "grants.h"

#define CONSOLE_PERSON_MAGIC 0xC0456E12u

struct console_person {
    uint32_t magic;
    enum console_who who;
    char name[64];                  /* the database role, the person, or "uid 1000" */
    char tenant[TENANT_ID_MAX + 1]; /* WHO_ADMIN: whose; else "" */
};

/* "administrator of acme", "operator", "local account" */
void console_person_text(const struct console_person *p, char out[96]);
/* A provider approver's role now. */
bool rights_approver(const struct console_person *p, const struct trust *t, int64_t now);

/* May this connection say it at all? 42501. */
bool rights_command(const struct console_person *p, enum console_verb verb, struct failure *f);
/* tenant: as named in the command, or NULL. *out: the tenant meant ("" for the provider's own log); lives as
 * long as p and tenant. */
bool rights_log(const struct console_person *p, const char *tenant, const char **out, struct failure *f);
bool rights_grant(const struct console_person *p, const struct trust *t, int64_t now,
                  const struct grant_view *v);
/* Something about a whole tenant that operators go by: its policy, standing consents, locks. "": the
 * provider. */
bool rights_tenant(const struct console_person *p, const char *tenant);
/* A row of the statement log. */
bool rights_statement(const struct console_person *p, const struct grants *g, const struct trust *t,
                      int64_t now, const struct statement *s);
/* A session that there is: grant "" for a tenant's own. */
bool rights_session(const struct console_person *p, const struct trust *t, int64_t now, const char *tenant,
                    const char *user, const char *grant);
/* What all tenants do, in numbers: an approver of the provider's, or the host. 42501. */
bool rights_numbers(const struct console_person *p, const struct trust *t, int64_t now, struct failure *f);
bool rights_key(const struct console_person *p, const struct trust_key *k);
/* Handing in: 22023 for a kind the verb doesn't carry, 42501 otherwise. */
bool rights_submit(const struct console_person *p, const struct trust *t, enum console_verb verb,
                   const struct statement *s, struct failure *f);
/* Reading one's own is no event in the tenant's log. */
bool rights_own(const struct console_person *p, const struct grant_view *v);
/* What a grant awaits from whoever is there: "approve", "consent", "review", or "". */
const char *rights_awaits(const struct console_person *p, const struct grants *g, const struct grant_view *v,
                          int64_t now);

#endif
