/* SPDX-License-Identifier: ISC
 *
 * policy show and policy set: what a tenant demands before an operator gets in.
 */
#include "change.h"
#include "commands.h"
#include "desk_visit.h"
#include "facts.h"
#include "text.h"
#include "times.h"

#include <stdio.h>
#include <string.h>

static int print(const struct desk *d, const char *tenant) {
    struct policy_view v;
    grants_policy(d->grants, tenant, desk_now(d), &v);
    if (d->ctl->json) {
        json_t *object = json_pack("{s:s,s:s,s:i,s:s}", "tenant", tenant, "consent", consent_name(v.consent),
                                   "provider_approvals", (int)v.provider_approvals, "emergency_scope",
                                   scope_name(v.emergency_scope));
        json_object_set_new(object, "signer", v.statement ? json_string(v.statement->signer) : json_null());
        facts_print_json(object);
        return CTL_DONE;
    }
    static const char *const means[] = {
        [CONSENT_NONE] = "",
        [CONSENT_REQUIRED] = "an approver of the tenant must sign each grant",
        [CONSENT_NOTIFY] = "the provider's approvers suffice; the tenant is told at once",
        [CONSENT_STANDING] = "grants within the tenant's standing consents need no signature of theirs",
    };
    printf("%-20s%s\n%-20s%s (%s)\n%-20s%u\n%-20s%s\n%-20s%s\n", "tenant", tenant, "consent",
           consent_name(v.consent), means[v.consent], "provider approvals", v.provider_approvals,
           "emergencies", scope_name(v.emergency_scope), "signed by",
           v.statement ? v.statement->signer : "nobody: this is the default");
    return CTL_DONE;
}

static int known(const struct ctl *ctl, const char *tenant) {
    struct tenant t;
    int code = change_read(ctl, tenant, &t);
    tenant_end(&t);
    return code;
}

static int show_at(struct desk *d, const struct person *p, void *arg) {
    const char **tenant = arg;
    return print(d, *tenant);
}

int ctl_policy_show(const struct ctl *ctl, int argc, char **argv) {
    const char *tenant;
    int code = args_words("policy show", argc, argv, 1, 1, &tenant);
    if (code == CTL_DONE)
        code = known(ctl, tenant);
    return code == CTL_DONE ? desk_visit(ctl, "policy show", false, NULL, NULL, show_at, &tenant) : code;
}

enum { OPTION_CONSENT, OPTION_APPROVALS, OPTION_EMERGENCY, OPTION_KEY, OPTION_AS, OPTIONS };
static const struct args_option options[OPTIONS] = {{"--consent", true},
                                                    {"--provider-approvals", true},
                                                    {"--emergency-scope", true},
                                                    {"--key", true},
                                                    {"--as", true}};

struct setting_of {
    const char *tenant, **value;
};

static int set_at(struct desk *d, const struct person *p, void *arg) {
    static const char command[] = "policy set";
    const struct setting_of *what = arg;
    char digest[2 * STATEMENT_DIGEST + 1];
    struct policy_view now = {.consent = CONSENT_REQUIRED,
                              .provider_approvals = d->ctl->settings->provider_approvals,
                              .emergency_scope = SCOPE_DIAGNOSE};
    struct statement s = desk_statement(STATEMENT_POLICY, what->tenant);
    if (d->grants)
        grants_policy(d->grants, what->tenant, desk_now(d), &now);
    uint64_t approvals = now.provider_approvals;
    s.consent = now.consent;
    s.emergency_scope = now.emergency_scope;
    if (what->value[OPTION_CONSENT] && !consent_by_name(view_text(what->value[OPTION_CONSENT]), &s.consent))
        return ctl_usage(command, "--consent %s: expected required, notify or standing",
                         what->value[OPTION_CONSENT]);
    if (what->value[OPTION_APPROVALS] &&
        !text_number(view_text(what->value[OPTION_APPROVALS]), 1, 9, &approvals))
        return ctl_usage(command, "--provider-approvals %s: expected a number from 1 to 9",
                         what->value[OPTION_APPROVALS]);
    if (what->value[OPTION_EMERGENCY] &&
        !scope_by_name(view_text(what->value[OPTION_EMERGENCY]), &s.emergency_scope))
        return ctl_usage(command, "--emergency-scope %s: expected diagnose, read, write or admin",
                         what->value[OPTION_EMERGENCY]);
    s.provider_approvals = (uint32_t)approvals;
    int code = desk_sign(d, p, &s, digest);
    return code == CTL_DONE && d->grants ? print(d, what->tenant) : code;
}

int ctl_policy_set(const struct ctl *ctl, int argc, char **argv) {
    const char *value[OPTIONS] = {NULL}, *tenant;
    int code = times_options("policy set", options, OPTIONS, value, 1, &tenant, argc, argv);
    if (code == CTL_DONE && !tenant)
        code = ctl_usage("policy set", "policy set needs the tenant's id");
    if (code == CTL_DONE)
        code = known(ctl, tenant);
    struct setting_of what = {tenant, value};
    return code == CTL_DONE
               ? desk_visit(ctl, "policy set", true, value[OPTION_KEY], value[OPTION_AS], set_at, &what)
               : code;
}
