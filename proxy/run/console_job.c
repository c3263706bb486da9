/* SPDX-License-Identifier: ISC
 *
 * See console_job.h. Each verb has one function that begins it and, when its answer may be long, one that
 * makes the next rows.
 */
#include "console_job_parts.h"
#include "console_numbers.h"
#include "console_stats.h"
#include "console_time.h"
#include "files.h"
#include "magic.h"
#include "role.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_ROWS 64
#define SLICE_STATEMENTS 256 /* looked at; not all are shown */

static struct console_look look_of(const struct console_job *j) {
    return facts_look(j->order.person);
}

static bool fail(struct failure *f, const char *sqlstate, const char *hint, const char *sentence) {
    failure_set(f, sqlstate, hint, "%s", sentence);
    return false;
}

/* A value as a text; NULL when it wasn't given. False when it is none. */
static bool value_text(const struct console_job *j, enum console_argument a, char *out, size_t cap,
                       const char **text, struct failure *f) {
    *text = NULL;
    if (!console_command_has(j->command, a))
        return true;
    *text = out;
    return view_copy_text(console_command_value(j->command, a), out, cap) ||
           fail(f, "22023", NULL, "a text of the command is too long");
}

/* --- whose logs are told --- */

/* always: a log itself is read. */
static void tell_log_as(struct console_job *j, const char *tenant, bool always, const char *what) {
    for (size_t i = 0; i < j->read_count; i++)
        if (strcmp(j->read[i], tenant) == 0)
            return;
    void *bigger = realloc(j->read, (j->read_count + 1) * sizeof *j->read);
    if (!bigger)
        abort();
    j->read = bigger;
    snprintf(j->read[j->read_count++], sizeof *j->read, "%s", tenant);
    if (!always && j->order.read_before(j->order.arg, tenant, j->command->verb))
        return;
    reading_record(&j->reading, j->order.session, j->order.person, tenant, what);
}

static void tell_log(struct console_job *j, const char *tenant, bool always) {
    tell_log_as(j, tenant, always, console_declaration(j->command->verb)->words);
}

static void tell_grant(struct console_job *j, const struct grant_view *v) {
    if (!rights_own(j->order.person, v))
        tell_log(j, v->request->tenant, false);
}

/* --- grants --- */

static bool collect(void *arg, const struct grant_view *v) {
    struct console_job *j = arg;
    struct console_look l = look_of(j);
    if (!rights_grant(l.person, l.trust, l.now, v))
        return true;
    if (j->command->verb == VERB_ACCESS && !facts_operator(v->request->signer))
        return true;
    if (j->command->verb == VERB_APPROVALS && !rights_awaits(l.person, l.grants, v, l.now)[0])
        return true;
    if (j->grant_count == j->grant_cap) {
        j->grant_cap = j->grant_cap ? 2 * j->grant_cap : 64;
        void *bigger = realloc(j->grants, j->grant_cap * sizeof *j->grants);
        if (!bigger)
            abort();
        j->grants = bigger;
    }
    memcpy(j->grants[j->grant_count++].text, v->digest, sizeof v->digest);
    return true;
}

static enum fill fill_grants(struct console_job *j, struct failure *f) {
    struct console_look l = look_of(j);
    struct grant_view v;
    for (size_t i = 0; i < SLICE_ROWS && j->grant_at < j->grant_count; i++) {
        /* Rights again: it may have been a while, and trust another. */
        if (!grants_find(l.grants, j->grants[j->grant_at++].text, l.now, &v) ||
            !rights_grant(l.person, l.trust, l.now, &v))
            continue;
        tell_grant(j, &v);
        show_grant_row(&j->table, &l, &v);
    }
    return j->grant_at < j->grant_count ? FILL_MORE : FILL_END;
}

static const char *only_tenant(const struct console_job *j) {
    return j->order.person->who == WHO_ADMIN ? j->order.person->tenant : NULL;
}

static bool begin_grants(struct console_job *j, struct failure *f) {
    struct console_look l = look_of(j);
    grants_each(l.grants, only_tenant(j), NULL, l.now, collect, j);
    j->fill = fill_grants;
    return true;
}

static bool begin_access(struct console_job *j, struct failure *f) {
    struct console_look l = look_of(j);
    for (size_t i = 0; i < facts_tenants(); i++)
        if (!only_tenant(j) || strcmp(only_tenant(j), facts_tenant(i)) == 0)
            grants_access(l.grants, facts_tenant(i), l.now, collect, j);
    j->fill = fill_grants;
    return true;
}

static bool begin_grant(struct console_job *j, struct failure *f) {
    struct console_look l = look_of(j);
    struct digest_text id;
    struct grant_view v;
    if (!view_copy_text(console_command_value(j->command, ARGUMENT_ID), id.text, sizeof id.text) ||
        !grants_find(l.grants, id.text, l.now, &v) || !rights_grant(l.person, l.trust, l.now, &v))
        return fail(f, "42704", "SHOW GRANTS; lists those you may see", "there is no such grant");
    tell_grant(j, &v);
    show_grant(&j->table, &l, &v);
    return true;
}

/* --- what grants are judged by --- */

static bool begin_help(struct console_job *j, struct failure *f) {
    show_help(&j->table, j->order.person);
    return true;
}

static bool begin_locks(struct console_job *j, struct failure *f) {
    struct console_look l = look_of(j);
    show_locks(&j->table, &l);
    return true;
}

static bool begin_policy(struct console_job *j, struct failure *f) {
    struct console_look l = look_of(j);
    char room[TENANT_ID_MAX + 1];
    const char *tenant;
    if (!value_text(j, ARGUMENT_TENANT, room, sizeof room, &tenant, f))
        return false;
    for (size_t i = 0; i < facts_tenants(); i++)
        if (rights_tenant(l.person, facts_tenant(i)) && (!tenant || strcmp(tenant, facts_tenant(i)) == 0))
            show_policy(&j->table, &l, facts_tenant(i));
    return true;
}

static bool begin_standing(struct console_job *j, struct failure *f) {
    struct console_look l = look_of(j);
    for (size_t i = 0; i < facts_tenants(); i++)
        if (rights_tenant(l.person, facts_tenant(i)))
            show_standing(&j->table, &l, facts_tenant(i));
    return true;
}

static bool begin_trust(struct console_job *j, struct failure *f) {
    struct console_look l = look_of(j);
    show_trust(&j->table, &l);
    return true;
}

static bool begin_rules(struct console_job *j, struct failure *f) {
    show_rules(&j->table, role_settings());
    return true;
}

/* --- the statement log --- */

struct statement_slice {
    struct console_job *job;
    struct console_look look;
    size_t seen;
};

static bool is_about_grant(const struct statement *s) {
    return s->kind == STATEMENT_REQUEST || statement_has(s->kind, KEY_REQUEST);
}

static bool statement_row(void *arg, const struct statement_row *row) {
    struct statement_slice *slice = arg;
    struct console_job *j = slice->job;
    const struct console_look *l = &slice->look;
    struct statement s;
    char why[STATEMENT_WHY];
    j->after = row->n;
    /* What doesn't parse is nobody's statement: the tenant's log and the broker's say that it is there. */
    if (statement_parse(row->body, &s, why) && row->signature.len == STATEMENT_SIGNATURE &&
        rights_statement(l->person, l->grants, l->trust, l->now, &s)) {
        bool own = l->person->who == WHO_OPERATOR && strcmp(s.signer, l->person->name) == 0;
        if (is_about_grant(&s) && !own)
            tell_log(j, s.tenant, false);
        show_statement(&j->table, row->n, &s, row->body, row->signature);
    }
    return ++slice->seen < SLICE_STATEMENTS && j->table.rows < SLICE_ROWS;
}

static enum fill fill_statements(struct console_job *j, struct failure *f) {
    struct statement_slice slice = {j, look_of(j), 0};
    uint64_t before = j->after;
    if (!facts_statements(j->after, statement_row, &slice, f))
        return FILL_FAILED;
    return j->after == before ? FILL_END : FILL_MORE;
}

static bool begin_statements(struct console_job *j, struct failure *f) {
    j->fill = fill_statements;
    return !console_command_has(j->command, ARGUMENT_AFTER) ||
           text_number(console_command_value(j->command, ARGUMENT_AFTER), 0, INT64_MAX, &j->after) ||
           fail(f, "22023", NULL, "AFTER takes a statement's number");
}

/* --- the session log --- */

static bool take_time(const struct console_job *j, enum console_argument a, int64_t *us, struct failure *f) {
    return !console_command_has(j->command, a) ||
           console_time_parse(console_command_value(j->command, a), us) ||
           fail(f, "22007", "a time looks like 2026-11-24T21:30:00+09:00, or 2026-11-24",
                "that is not a time");
}

static bool take_wish(const struct console_job *j, struct scroll_wish *w, struct failure *f) {
    uint64_t session;
    *w = (struct scroll_wish){.from_us = INT64_MIN, .to_us = INT64_MAX};
    if (!take_time(j, ARGUMENT_FROM, &w->from_us, f) || !take_time(j, ARGUMENT_TO, &w->to_us, f))
        return false;
    if (console_command_has(j->command, ARGUMENT_SESSION)) {
        if (!text_unhex64(console_command_value(j->command, ARGUMENT_SESSION), &session))
            return fail(f, "22023", NULL, "a session's id has 16 hexadecimal digits");
        text_hex64(session, w->session);
    }
    return !console_command_has(j->command, ARGUMENT_LIMIT) ||
           text_number(console_command_value(j->command, ARGUMENT_LIMIT), 1, UINT32_MAX, &w->newest) ||
           fail(f, "22023", NULL, "LIMIT takes a number from 1 on");
}

static enum fill fill_audit(struct console_job *j, struct failure *f) {
    char why[256];
    switch (scroll_slice(j->scroll, &j->table, why)) {
    case SCROLL_MORE:
        return FILL_MORE;
    case SCROLL_END:
        return FILL_END;
    case SCROLL_BROKEN:
        break;
    }
    failure_set(f, "XX001", "sekishoctl audit verify tells more", "the log cannot be read: %.200s", why);
    return FILL_FAILED;
}

static bool log_wanted(const struct console_job *j, char room[TENANT_ID_MAX + 1], const char **tenant,
                       struct failure *f) {
    const char *named;
    return value_text(j, ARGUMENT_TENANT, room, TENANT_ID_MAX + 1, &named, f) &&
           rights_log(j->order.person, named, tenant, f);
}

static bool no_log(struct failure *f, const char *why) {
    failure_set(f, "58030", NULL, "the log cannot be read: %.200s", why);
    return false;
}

static bool begin_audit(struct console_job *j, struct failure *f) {
    char room[TENANT_ID_MAX + 1], why[256];
    const char *tenant;
    struct scroll_wish wish;
    if (!log_wanted(j, room, &tenant, f) || !take_wish(j, &wish, f))
        return false;
    j->scroll = scroll_open(role_settings()->ledger_dir, tenant, &wish, why);
    if (!j->scroll)
        return no_log(f, why);
    tell_log(j, tenant, true);
    j->fill = fill_audit;
    return true;
}

/* Whoever has the host's files reads them without us; our own command says so first. A log that is not there
 * must not begin with that. */
static bool begin_reading(struct console_job *j, struct failure *f) {
    char room[TENANT_ID_MAX + 1], action[64], why[256];
    const char *tenant, *what;
    struct scroll_wish wish = {.from_us = INT64_MIN, .to_us = INT64_MAX};
    if (!log_wanted(j, room, &tenant, f) || !value_text(j, ARGUMENT_ACTION, action, sizeof action, &what, f))
        return false;
    j->scroll = scroll_open(role_settings()->ledger_dir, tenant, &wish, why);
    if (!j->scroll)
        return no_log(f, why);
    tell_log_as(j, tenant, true, what);
    rows_text(&j->table, files_folder(tenant));
    return true;
}

static bool begin_checkpoint(struct console_job *j, struct failure *f) {
    char room[TENANT_ID_MAX + 1], why[256];
    const char *tenant;
    if (!log_wanted(j, room, &tenant, f))
        return false;
    return scroll_head(role_settings()->ledger_dir, tenant, &j->table, why) || no_log(f, why);
}

/* --- sessions --- */

static void on_sessions(void *arg, json_t *sessions) {
    struct console_job *j = arg;
    MAGIC_CHECK(j, CONSOLE_JOB_MAGIC);
    j->ask = NULL;
    j->sessions = sessions;
    j->asked_in_vain = !sessions;
    j->order.wake(j->order.arg);
}

static void session_row(struct console_job *j, const json_t *s) {
    static const char *const names[] = {"session",     "tenant", "user",  "database",
                                        "application", "client", "since", "grant"};
    struct console_look l = look_of(j);
    const char *value[8];
    for (size_t i = 0; i < 8; i++) {
        value[i] = json_string_value(json_object_get(s, names[i]));
        value[i] = value[i] ? value[i] : "";
    }
    if (!rights_session(l.person, l.trust, l.now, value[1], value[2], value[7]))
        return;
    for (size_t i = 0; i < 8; i++) {
        if (value[i][0])
            rows_text(&j->table, value[i]);
        else
            rows_null(&j->table);
    }
}

static enum fill fill_sessions(struct console_job *j, struct failure *f) {
    if (j->asked_in_vain) {
        fail(f, "57P03", "try again in a moment", "the broker does not answer");
        return FILL_FAILED;
    }
    if (!j->sessions)
        return FILL_WAIT;
    size_t count = json_array_size(j->sessions);
    for (size_t i = 0; i < SLICE_ROWS && j->session_at < count; i++)
        session_row(j, json_array_get(j->sessions, j->session_at++));
    return j->session_at < count ? FILL_MORE : FILL_END;
}

static bool begin_sessions(struct console_job *j, struct failure *f) {
    const char *tenant = only_tenant(j);
    j->ask = control_sessions(role_settings()->run_dir, tenant ? tenant : "", on_sessions, j);
    j->fill = fill_sessions;
    return j->ask || fail(f, "57P03", "try again in a moment", "the broker does not answer");
}

/* --- statistics --- */

static bool begin_numbers(struct console_job *j,
                          void (*show)(struct console_table *, const struct stats_series *, size_t),
                          struct failure *f) {
    struct console_look l = look_of(j);
    if (!rights_numbers(l.person, l.trust, l.now, f))
        return false;
    size_t count;
    struct stats_series *all = console_stats_collect(SIZE_MAX, &count);
    show(&j->table, all, count);
    free(all);
    return true;
}

static bool begin_stats(struct console_job *j, struct failure *f) {
    return begin_numbers(j, show_stats, f);
}

static bool begin_pools(struct console_job *j, struct failure *f) {
    return begin_numbers(j, show_pools, f);
}

/* --- any command --- */

typedef bool begin_fn(struct console_job *j, struct failure *f);

/* NULL: hands in a signed statement. */
static begin_fn *const beginnings[VERB_COUNT] = {
    [VERB_CLIENTS] = begin_sessions,      [VERB_STATS] = begin_stats,
    [VERB_POOLS] = begin_pools,           [VERB_HELP] = begin_help,
    [VERB_SESSIONS] = begin_sessions,     [VERB_GRANTS] = begin_grants,
    [VERB_GRANT] = begin_grant,           [VERB_APPROVALS] = begin_grants,
    [VERB_ACCESS] = begin_access,         [VERB_LOCKS] = begin_locks,
    [VERB_POLICY] = begin_policy,         [VERB_STANDING] = begin_standing,
    [VERB_AUDIT] = begin_audit,           [VERB_CHECKPOINT] = begin_checkpoint,
    [VERB_STATEMENTS] = begin_statements, [VERB_TRUST] = begin_trust,
    [VERB_RULES] = begin_rules,           [VERB_READING] = begin_reading,
};

struct console_job *job_new(const struct job_order *order, const struct console_command *c,
                            struct failure *f) {
    const struct console_declaration *d = console_declaration(c->verb);
    struct view name[CONSOLE_COLUMNS_MAX];
    if (!rights_command(order->person, c->verb, f) || !facts_refresh(f))
        return NULL;
    struct console_job *j = calloc(1, sizeof *j);
    if (!j)
        abort();
    j->magic = CONSOLE_JOB_MAGIC;
    j->order = *order;
    j->command = c;
    rows_begin(&j->table, console_columns(d->columns, name));
    reading_begin(&j->reading, order->wake, order->arg);
    begin_fn *begin = beginnings[c->verb];
    assert(begin || d->kinds);
    if (!(begin ? begin : job_begin_signed)(j, f))
        job_free(&j);
    return j;
}

void job_free(struct console_job **j) {
    if (!*j)
        return;
    MAGIC_CHECK(*j, CONSOLE_JOB_MAGIC);
    reading_end(&(*j)->reading);
    control_forget(&(*j)->ask);
    ticket_check_end(&(*j)->check);
    free((*j)->request);
    json_decref((*j)->sessions);
    scroll_close(&(*j)->scroll);
    rows_end(&(*j)->table);
    free((*j)->read);
    free((*j)->grants);
    (*j)->magic = 0;
    free(*j);
    *j = NULL;
}

static enum job_next fill_table(struct console_job *j, struct failure *f) {
    switch (j->fill(j, f)) {
    case FILL_MORE:
        return JOB_AGAIN;
    case FILL_END:
        j->fill = NULL;
        return JOB_AGAIN;
    case FILL_WAIT:
        return JOB_WAIT;
    case FILL_FAILED:
        break;
    }
    return JOB_FAILED;
}

enum job_next job_next(struct console_job *j, struct view cell[CONSOLE_COLUMNS_MAX], size_t *cells,
                       struct failure *f) {
    MAGIC_CHECK(j, CONSOLE_JOB_MAGIC);
    if (j->reading.failed) {
        fail(f, "58030", "what is not recorded is not shown; try again in a moment",
             "the session log cannot record that you read this");
        return JOB_FAILED;
    }
    if (j->reading.pending > 0)
        return JOB_WAIT;
    *cells = j->table.columns;
    if (j->warning.sentence[0]) {
        *f = j->warning;
        j->warning.sentence[0] = 0;
        return JOB_WARNS;
    }
    if (rows_take(&j->table, cell))
        return JOB_ROW;
    return j->fill ? fill_table(j, f) : JOB_DONE;
}
