/* SPDX-License-Identifier: ISC
 *
 * grant request: the operator's part. Reads what is asked for, asks the ticket's checker, signs, hands in,
 * and waits when told to.
 */
#include "change.h"
#include "commands.h"
#include "grant_print.h"
#include "magic.h"
#include "text.h"
#include "ticket.h"
#include "ticket_ask.h"
#include "times.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COMMAND "grant request"
#define LOOK_AGAIN_NS 300000000 /* --wait */

enum {
    OPTION_TENANT,
    OPTION_DATABASE,
    OPTION_SCOPE,
    OPTION_TICKET,
    OPTION_REASON,
    OPTION_CODE,
    OPTION_CLASS,
    OPTION_FROM,
    OPTION_FOR,
    OPTION_KEY,
    OPTION_AS,
    OPTION_WAIT,
    OPTIONS
};
static const struct args_option options[OPTIONS] = {
    {"--tenant", true}, {"--database", true},    {"--scope", true}, {"--ticket", true},
    {"--reason", true}, {"--reason-code", true}, {"--class", true}, {"--from", true},
    {"--for", true},    {"--key", true},         {"--as", true},    {"--wait", false}};

/* What must be given, in the order in which a first-time user is asked for it. */
static int check_given(const char **value) {
    static const struct {
        int option;
        const char *what;
    } needed[] = {
        {OPTION_TENANT, "whose instance: --tenant T"},
        {OPTION_DATABASE, "which database there: --database D"},
        {OPTION_SCOPE, "what you must be able to do: --scope diagnose, read, write or admin"},
        {OPTION_TICKET, "the ticket that calls for it: --ticket X"},
        {OPTION_REASON, "why, in words the tenant will read: --reason 'why'"},
        {OPTION_FOR, "for how long: --for 1h"},
    };
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
        if (!value[needed[i].option])
            return ctl_usage(COMMAND, "a request needs to say %s", needed[i].what);
    return CTL_DONE;
}

/* "a, b" as the statement has it: without spaces. */
static bool take_databases(const char *list, char out[STATEMENT_DATABASES_TEXT]) {
    struct writer w = writer_of(out, STATEMENT_DATABASES_TEXT);
    struct view rest = view_text(list), item;
    while (text_next_item(&rest, &item)) {
        if (w.len > 0)
            writer_u8(&w, ',');
        writer_bytes(&w, item);
    }
    struct view made = writer_view(&w);
    writer_u8(&w, 0);
    return !w.bad && databases_valid(made);
}

static enum reason_code usual_code(enum grant_class class) {
    switch (class) {
    case CLASS_MAINTENANCE:
        return REASON_PLANNED_MAINTENANCE;
    case CLASS_EMERGENCY:
        return REASON_PROVIDER_FAULT;
    default:
        return REASON_CUSTOMER_CASE;
    }
}

static int read_words(const char **value, struct statement *s) {
    if (!scope_by_name(view_text(value[OPTION_SCOPE]), &s->scope))
        return ctl_usage(COMMAND, "--scope %s: expected diagnose, read, write or admin", value[OPTION_SCOPE]);
    s->class = CLASS_SUPPORT;
    if (value[OPTION_CLASS] && !class_by_name(view_text(value[OPTION_CLASS]), &s->class))
        return ctl_usage(COMMAND, "--class %s: expected support, maintenance or emergency",
                         value[OPTION_CLASS]);
    s->reason_code = usual_code(s->class);
    if (value[OPTION_CODE] && !reason_code_by_name(view_text(value[OPTION_CODE]), &s->reason_code))
        return ctl_usage(COMMAND,
                         "--reason-code %s: expected customer-case, provider-fault, planned-maintenance, "
                         "security-incident "
                         "or legal-demand",
                         value[OPTION_CODE]);
    if (!take_databases(value[OPTION_DATABASE], s->databases))
        return ctl_usage(COMMAND, "--database %s: expected at most %d names, separated by commas, none twice",
                         value[OPTION_DATABASE], STATEMENT_DATABASES_MAX);
    if (!statement_words(view_text(value[OPTION_TICKET]), STATEMENT_TICKET_MAX) ||
        !view_copy_text(view_text(value[OPTION_TICKET]), s->ticket, sizeof s->ticket))
        return ctl_usage(COMMAND, "--ticket: expected the number of a ticket");
    if (!statement_words(view_text(value[OPTION_REASON]), STATEMENT_REASON_MAX) ||
        !view_copy_text(view_text(value[OPTION_REASON]), s->reason, sizeof s->reason))
        return ctl_usage(COMMAND, "--reason: expected some words on one line, at most %d bytes",
                         STATEMENT_REASON_MAX);
    return CTL_DONE;
}

static int read_times(const char **value, struct statement *s) {
    int64_t now = times_now(), lasts;
    s->not_before = now;
    if (value[OPTION_FROM] && !times_moment(value[OPTION_FROM], now, &s->not_before))
        return ctl_usage(COMMAND, "--from %s: expected a moment such as 2026-11-24T21:30:00Z, or +2h",
                         value[OPTION_FROM]);
    if (!times_duration(value[OPTION_FOR], &lasts))
        return ctl_usage(COMMAND, "--for %s: expected a duration such as 30min or 2h", value[OPTION_FOR]);
    s->not_after = s->not_before + lasts;
    return CTL_DONE;
}

struct sought {
    const char *id;
    bool found;
};

static bool same_operator(void *arg, const struct operator* o) {
    struct sought *l = arg;
    l->found = l->found || strcmp(o->id, l->id) == 0;
    return !l->found;
}

static int check_tenant(const struct ctl *ctl, const char *id) {
    struct tenant t;
    int code = change_read(ctl, id, &t);
    tenant_end(&t);
    return code;
}

/* Whoever may sign need not be in the directory, but gets in only then. */
static void warn_outside(const struct ctl *ctl, const char *operator) {
    struct sought l = {.id = operator};
    if (ctl->store && ctl->store->driver->operators(ctl->store, same_operator, &l) == STORE_OK && !l.found)
        ctl_hint("%s is not in the directory of operators, and is let in only when they are: sekishoctl "
                 "operator add %s",
                 operator, operator);
}

/* The form is for all; the checker may say no to all but an emergency, which goes on and says so: then why is
 * not "". */
static int check_ticket(const struct ctl *ctl, const struct statement *s, const char *operator,
                        char why[TICKET_WHY]) {
    const struct settings *set = ctl->settings;
    why[0] = '\0';
    bool emergency = s->class == CLASS_EMERGENCY;
    if (!ticket_matches(set->ticket_pattern, s->ticket) && !emergency) {
        ctl_error("\"%s\" is no ticket: one looks like %s", s->ticket, set->ticket_pattern);
        return CTL_REFUSED;
    }
    if (ticket_ask(set, s->ticket, s->tenant, operator, why))
        return CTL_DONE;
    if (emergency) {
        ctl_hint(TICKET_GOES_ON, s->ticket, why);
        return CTL_DONE;
    }
    ctl_error(TICKET_REFUSED, s->ticket, why);
    return CTL_REFUSED;
}

static bool decided(enum grant_state s) {
    return s != GRANT_REQUESTED && s != GRANT_APPROVED;
}

static bool granted(enum grant_state s) {
    return s == GRANT_REQUESTED || s == GRANT_APPROVED || s == GRANT_SCHEDULED || s == GRANT_ACTIVE;
}

/* Only a terminal is told what is awaited meanwhile. */
static int wait_for_it(struct desk *d, const char *id, struct grant_view *v) {
    bool told = isatty(STDERR_FILENO);
    char before[512] = "", line[512], missing[128];
    int code = desk_grant(d, COMMAND, id, v);
    while (code == CTL_DONE && !decided(v->state)) {
        grant_missing(v, missing);
        snprintf(line, sizeof line, "%s%s%s", missing, v->approvers[0] ? "; approved by " : "", v->approvers);
        if (told && strcmp(line, before) != 0)
            fprintf(stderr, "waiting: %s\n", line);
        memcpy(before, line, sizeof before);
        nanosleep(&(struct timespec){0, LOOK_AGAIN_NS}, NULL);
        code = desk_refresh(d);
        if (code == CTL_DONE)
            code = desk_grant(d, COMMAND, id, v);
    }
    return code;
}

static void say_next(const struct desk *d, const struct grant_view *v) {
    const struct statement *r = v->request;
    if (v->state == GRANT_REQUESTED)
        printf("\nWhoever approves runs:   sekishoctl grant approve %s\n"
               "You look at it with:     sekishoctl grant show %s\n",
               v->id, v->id);
    if (v->state == GRANT_REQUESTED || v->state == GRANT_ACTIVE || v->state == GRANT_SCHEDULED)
        printf("%sYou then get in with:    psql 'host=%s.%s dbname=%.*s user=%s ...'\n",
               v->state == GRANT_REQUESTED ? "" : "\n", r->tenant, d->ctl->settings->operator_domain,
               (int)strcspn(v->databases, ","), v->databases, r->signer);
}

static int answer(struct desk *d, const struct person *p, const char *digest, bool wait) {
    char id[GRANT_ID + 1];
    struct grant_view v;
    snprintf(id, sizeof id, "%.*s", GRANT_ID, digest);
    if (!d->grants) {
        if (d->ctl->json)
            facts_print_json(json_pack("{s:s,s:s}", "grant", id, "request", digest));
        else
            printf("grant %s requested; it was not checked here: %s\n", id, d->why);
        return CTL_DONE;
    }
    if (wait)
        fprintf(stderr, "grant %s requested\n", id);
    int code = wait ? wait_for_it(d, id, &v) : desk_grant(d, COMMAND, id, &v);
    if (code != CTL_DONE)
        return code;
    if (d->ctl->json)
        facts_print_json(grant_json(d, &v, p->is.name));
    else {
        grant_print(d, &v, p->is.name);
        say_next(d, &v);
    }
    return granted(v.state) ? CTL_DONE : CTL_REFUSED;
}

static int request(const struct ctl *ctl, const struct person *p, const char **value, struct statement *s) {
    char digest[2 * STATEMENT_DIGEST + 1], unchecked[TICKET_WHY];
    int code = check_tenant(ctl, s->tenant);
    if (code == CTL_DONE)
        code = check_ticket(ctl, s, p->is.name, unchecked);
    if (code != CTL_DONE)
        return code;
    struct desk d;
    code = desk_enter(&d, ctl);
    d.unchecked = unchecked;
    if (code == CTL_DONE)
        code = desk_sign(&d, p, s, digest);
    if (code == CTL_DONE)
        warn_outside(ctl, p->is.name);
    if (code == CTL_DONE)
        code = answer(&d, p, digest, value[OPTION_WAIT] != NULL);
    desk_leave(&d);
    return code;
}

int ctl_grant_request(const struct ctl *ctl, int argc, char **argv) {
    const char *value[OPTIONS] = {NULL};
    int code = times_options(COMMAND, options, OPTIONS, value, 0, NULL, argc, argv);
    if (code == CTL_DONE)
        code = check_given(value);
    if (code != CTL_DONE)
        return code;
    if (!tenant_id_valid(view_text(value[OPTION_TENANT])))
        return ctl_usage(COMMAND, "\"%s\" is no tenant id", value[OPTION_TENANT]);
    struct statement s = desk_statement(STATEMENT_REQUEST, value[OPTION_TENANT]);
    code = read_words(value, &s);
    if (code == CTL_DONE)
        code = read_times(value, &s);
    if (code != CTL_DONE)
        return code;
    struct person p;
    code = person_read(&p, COMMAND, value[OPTION_KEY], value[OPTION_AS]) ? request(ctl, &p, value, &s)
                                                                         : CTL_REFUSED;
    person_end(&p);
    return code;
}
