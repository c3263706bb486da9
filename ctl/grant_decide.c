/* SPDX-License-Identifier: ISC
 *
 * grant approve, deny, withdraw, end, revoke, review: one signed statement about one request.
 */
#include "commands.h"
#include "desk_visit.h"
#include "grant_print.h"
#include "text.h"
#include "times.h"

#include <stdio.h>
#include <string.h>

enum {
    OPTION_KEY,
    OPTION_AS,
    OPTION_REASON,
    OPTION_COMMENT,
    OPTION_DISPUTED,
    OPTION_SCOPE,
    OPTION_DATABASE,
    OPTION_FOR,
    OPTIONS
};
static const struct args_option options[OPTIONS] = {
    {"--key", true},       {"--as", true},    {"--reason", true},   {"--comment", true},
    {"--disputed", false}, {"--scope", true}, {"--database", true}, {"--for", true}};

/* Each command takes those of the options that its statement has a line for. */
static int check_options(const char *command, enum statement_kind kind, const char **value) {
    static const struct {
        int option;
        enum statement_key key;
    } about[] = {{OPTION_REASON, KEY_REASON},      {OPTION_COMMENT, KEY_COMMENT},
                 {OPTION_DISPUTED, KEY_VERDICT},   {OPTION_SCOPE, KEY_SCOPE},
                 {OPTION_DATABASE, KEY_DATABASES}, {OPTION_FOR, KEY_NOT_AFTER}};
    for (size_t i = 0; i < sizeof about / sizeof about[0]; i++)
        if (value[about[i].option] && !statement_has(kind, about[i].key))
            return ctl_usage(command, "%s has no option %s", command, options[about[i].option].name);
    return CTL_DONE;
}

/* What is approved is what was asked for, as far as others have left it; options narrow it further. */
static int narrow(const char *command, const struct desk *d, const struct grant_view *v, const char **value,
                  struct statement *s) {
    int64_t lasts, now = desk_now(d);
    s->scope = v->scope;
    s->not_after = v->ends;
    snprintf(s->databases, sizeof s->databases, "%s",
             value[OPTION_DATABASE] ? value[OPTION_DATABASE] : v->databases);
    if (!databases_valid(view_text(s->databases)))
        return ctl_usage(command, "--database %s: expected names, separated by commas only",
                         value[OPTION_DATABASE]);
    if (value[OPTION_SCOPE] && !scope_by_name(view_text(value[OPTION_SCOPE]), &s->scope))
        return ctl_usage(command, "--scope %s: expected diagnose, read, write or admin", value[OPTION_SCOPE]);
    if (value[OPTION_FOR] && !times_duration(value[OPTION_FOR], &lasts))
        return ctl_usage(command, "--for %s: expected a duration such as 30min or 2h", value[OPTION_FOR]);
    if (value[OPTION_FOR])
        s->not_after = (v->begins > now ? v->begins : now) + lasts;
    return CTL_DONE;
}

static int words(const char *command, const char *option, const char *given, bool needed, char *out,
                 size_t cap) {
    if (!given && needed)
        return ctl_usage(command, "%s needs %s 'why'", command, option);
    if (given && (!statement_words(view_text(given), STATEMENT_REASON_MAX) ||
                  !view_copy_text(view_text(given), out, cap)))
        return ctl_usage(command, "%s: expected some words on one line, at most %d bytes", option,
                         STATEMENT_REASON_MAX);
    return CTL_DONE;
}

static int fill(const char *command, const struct desk *d, const struct grant_view *v, const char **value,
                struct statement *s) {
    desk_digest(v->digest, s->about);
    switch (s->kind) {
    case STATEMENT_APPROVE:
        return narrow(command, d, v, value, s);
    case STATEMENT_DENY:
    case STATEMENT_REVOKE:
        return words(command, "--reason", value[OPTION_REASON], true, s->reason, sizeof s->reason);
    case STATEMENT_REVIEW:
        s->verdict = value[OPTION_DISPUTED] ? REVIEW_DISPUTED : REVIEW_REVIEWED;
        snprintf(s->comment, sizeof s->comment, "%s", "seen");
        return words(command, "--comment", value[OPTION_COMMENT], value[OPTION_DISPUTED] != NULL, s->comment,
                     sizeof s->comment);
    default:
        return CTL_DONE;
    }
}

struct decision {
    const char *command, *id, **value;
    enum statement_kind kind;
};

static int decide_at(struct desk *d, const struct person *p, void *arg) {
    const struct decision *what = arg;
    char digest[2 * STATEMENT_DIGEST + 1], missing[128];
    struct grant_view v;
    int code = desk_grant(d, what->command, what->id, &v);
    if (code != CTL_DONE)
        return code;
    struct statement s = desk_statement(what->kind, v.request->tenant);
    code = fill(what->command, d, &v, what->value, &s);
    if (code == CTL_DONE)
        code = desk_sign(d, p, &s, digest);
    if (code == CTL_DONE)
        code = desk_grant(d, what->command, what->id, &v);
    if (code != CTL_DONE)
        return code;
    grant_missing(&v, missing);
    if (d->ctl->json)
        facts_print_json(grant_json(d, &v, p->is.name));
    else
        printf("grant %s of %s for %s: %s%s%s\n", v.id, v.request->signer, v.request->tenant,
               grant_state_name(v.state), missing[0] ? "; " : "", missing);
    return CTL_DONE;
}

static int decide(const struct ctl *ctl, const char *command, enum statement_kind kind, int argc,
                  char **argv) {
    const char *value[OPTIONS] = {NULL}, *id;
    int code = times_options(command, options, OPTIONS, value, 1, &id, argc, argv);
    if (code == CTL_DONE)
        code = check_options(command, kind, value);
    if (code == CTL_DONE && !id)
        code = ctl_usage(command, "%s needs the grant's id", command);
    if (code != CTL_DONE)
        return code;
    struct decision what = {command, id, value, kind};
    return desk_visit(ctl, command, true, value[OPTION_KEY], value[OPTION_AS], decide_at, &what);
}

int ctl_grant_approve(const struct ctl *ctl, int argc, char **argv) {
    return decide(ctl, "grant approve", STATEMENT_APPROVE, argc, argv);
}

int ctl_grant_deny(const struct ctl *ctl, int argc, char **argv) {
    return decide(ctl, "grant deny", STATEMENT_DENY, argc, argv);
}

int ctl_grant_withdraw(const struct ctl *ctl, int argc, char **argv) {
    return decide(ctl, "grant withdraw", STATEMENT_WITHDRAW, argc, argv);
}

int ctl_grant_end(const struct ctl *ctl, int argc, char **argv) {
    return decide(ctl, "grant end", STATEMENT_END, argc, argv);
}

int ctl_grant_revoke(const struct ctl *ctl, int argc, char **argv) {
    return decide(ctl, "grant revoke", STATEMENT_REVOKE, argc, argv);
}

int ctl_grant_review(const struct ctl *ctl, int argc, char **argv) {
    return decide(ctl, "grant review", STATEMENT_REVIEW, argc, argv);
}
