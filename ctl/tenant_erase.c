/* SPDX-License-Identifier: ISC
 *
 * tenant erase, tenant keep: the end of a retired tenant is signed by two approvers of the provider, the
 * first of whom names the time, and taken back by anyone. What erases is the running proxy.
 */
#include "tenant_erase.h"
#include "change.h"
#include "commands.h"
#include "desk_visit.h"
#include "facts.h"
#include "times.h"

#include <stdio.h>
#include <string.h>

#define WINDOW (30 * 86400) /* how long after its time an erasure may still happen */
#define SLACK 60            /* until what is signed now has arrived */

enum { OPTION_KEY, OPTION_AS, OPTION_REASON, OPTIONS };
static const struct args_option options[OPTIONS] = {{"--key", true}, {"--as", true}, {"--reason", true}};

struct ending {
    const char *command, *tenant, *reason;
};

static int fill(const struct ending *e, struct statement *s) {
    if (!statement_words(view_text(e->reason), STATEMENT_REASON_MAX) ||
        !view_copy_text(view_text(e->reason), s->reason, sizeof s->reason))
        return ctl_usage(e->command, "--reason: expected some words on one line, at most %d bytes",
                         STATEMENT_REASON_MAX);
    return CTL_DONE;
}

static void answer(const struct desk *d, const struct ending *e, const struct statement *s,
                   unsigned signers) {
    char at[INSTANT_TEXT];
    instant_text(s->not_before, at);
    if (d->ctl->json) {
        facts_print_json(json_pack("{s:s,s:s,s:i,s:i}", "tenant", e->tenant, "not_before", at, "signers",
                                   (int)signers, "needed", ERASURE_SIGNERS));
        return;
    }
    printf("tenant %s: signed by %u of %d; ", e->tenant, signers, ERASURE_SIGNERS);
    printf(signers < ERASURE_SIGNERS ? "with another approver's signature it is erased at %s\n"
                                     : "it is erased at %s\n",
           at);
}

/* From elsewhere it cannot be known: then the signature alone does nothing. */
static int must_be_retired(const struct desk *d, const char *id) {
    struct tenant t;
    if (!d->ctl->store)
        return CTL_DONE;
    int code = change_read(d->ctl, id, &t);
    if (code == CTL_DONE && t.state != TENANT_RETIRED) {
        ctl_error("tenant %s is not retired", id);
        ctl_hint("sekishoctl tenant retire %s", id);
        code = CTL_REFUSED;
    }
    tenant_end(&t);
    return code;
}

static int erase_at(struct desk *d, const struct person *p, void *arg) {
    const struct ending *e = arg;
    char digest[2 * STATEMENT_DIGEST + 1];
    struct erasure_view v;
    int code = desk_must_know(d);
    if (code == CTL_DONE)
        code = must_be_retired(d, e->tenant);
    struct statement s = desk_statement(STATEMENT_ERASE, e->tenant);
    if (code == CTL_DONE)
        code = fill(e, &s);
    if (code != CTL_DONE)
        return code;
    grants_erasure(d->grants, e->tenant, desk_now(d), &v);
    s.not_before = v.signers ? v.not_before : desk_now(d) + d->ctl->settings->erase_after / 1000 + SLACK;
    s.not_after = v.signers ? v.not_after : s.not_before + WINDOW;
    code = desk_sign(d, p, &s, digest);
    if (code == CTL_DONE)
        answer(d, e, &s, v.signers + 1);
    return code;
}

static int keep_at(struct desk *d, const struct person *p, void *arg) {
    const struct ending *e = arg;
    char digest[2 * STATEMENT_DIGEST + 1];
    struct statement s = desk_statement(STATEMENT_KEEP, e->tenant);
    int code = fill(e, &s);
    if (code == CTL_DONE)
        code = desk_sign(d, p, &s, digest);
    if (code == CTL_DONE && d->ctl->json)
        facts_print_json(json_pack("{s:s,s:s}", "tenant", e->tenant, "done", "kept"));
    else if (code == CTL_DONE)
        printf("tenant %s is kept: what was signed for its erasure does not count any more\n", e->tenant);
    return code;
}

static int visit(const struct ctl *ctl, const char *command, desk_visit_fn *what, int argc, char **argv) {
    const char *value[OPTIONS] = {NULL}, *tenant;
    int code = times_options(command, options, OPTIONS, value, 1, &tenant, argc, argv);
    if (code == CTL_DONE && (!tenant || !value[OPTION_REASON]))
        code = ctl_usage(command, "%s needs a tenant and --reason 'why'", command);
    if (code == CTL_DONE && !tenant_id_valid(view_text(tenant)))
        code = ctl_usage(command, "\"%s\" is no tenant id", tenant);
    if (code != CTL_DONE)
        return code;
    struct ending e = {command, tenant, value[OPTION_REASON]};
    return desk_visit(ctl, command, true, value[OPTION_KEY], value[OPTION_AS], what, &e);
}

int ctl_tenant_erase(const struct ctl *ctl, int argc, char **argv) {
    return visit(ctl, "tenant erase", erase_at, argc, argv);
}

int ctl_tenant_keep(const struct ctl *ctl, int argc, char **argv) {
    return visit(ctl, "tenant keep", keep_at, argc, argv);
}

static int none_at(struct desk *d, const struct person *p, void *arg) {
    const char *id = arg;
    struct erasure_view v;
    grants_erasure(d->grants, id, desk_now(d), &v);
    if (v.signers == 0)
        return CTL_DONE;
    ctl_error("tenant %s is to be erased: %s signed for it", id, v.by);
    ctl_hint("an approver takes that back first: sekishoctl tenant keep %s --reason R --key FILE", id);
    return CTL_REFUSED;
}

int tenant_erase_none(const struct ctl *ctl, const char *id) {
    struct tenant t;
    int code = change_read(ctl, id, &t);
    bool retired = code == CTL_DONE && t.state == TENANT_RETIRED;
    tenant_end(&t);
    char name[TENANT_ID_MAX + 1];
    snprintf(name, sizeof name, "%s", id);
    return retired ? desk_visit(ctl, "tenant resume", false, NULL, NULL, none_at, name) : code;
}
