/* SPDX-License-Identifier: ISC
 *
 * status, session list, session kill: questions to the running proxy.
 */
#include "args.h"
#include "commands.h"
#include "control.h"
#include "facts.h"
#include "table.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

/* A member of an object as text, whatever it is. */
static const char *member(const json_t *object, const char *name, char scratch[32]) {
    const json_t *value = json_object_get(object, name);
    if (json_is_string(value))
        return json_string_value(value);
    snprintf(scratch, 32, json_is_integer(value) ? "%lld" : "-", (long long)json_integer_value(value));
    return scratch;
}

static void row(struct table *t, const json_t *object, const char *const *names) {
    char scratch[32];
    for (size_t i = 0; names[i]; i++) {
        const char *text = member(object, names[i], scratch);
        table_cell(t, text[0] ? text : "-");
    }
}

static void rows(const struct ctl *ctl, const json_t *array, const char *const *heads,
                 const char *const *names) {
    struct table *t = table_new(heads);
    size_t i;
    json_t *object;
    json_array_foreach(array, i, object) row(t, object, names);
    table_print(&t, ctl->colour);
}

/* Healthy: the ledger writes, and every process there should be is running. */
static bool healthy(const json_t *status) {
    size_t i;
    json_t *process;
    char scratch[32];
    bool good = json_is_true(json_object_get(json_object_get(status, "ledger"), "healthy"));
    json_array_foreach(json_object_get(status, "processes"), i, process) good =
        good && strcmp(member(process, "state", scratch), "running") == 0;
    return good;
}

static void print_status(const struct ctl *ctl, const json_t *status) {
    static const char *const heads[] = {"PROCESS", "TENANT", "PID", "RESTARTS", "STATE", "NOTE", NULL};
    static const char *const names[] = {"role", "tenant", "pid", "restarts", "state", "note", NULL};
    const json_t *directory = json_object_get(status, "directory"),
                 *ledger = json_object_get(status, "ledger");
    char a[32], b[32], shown[512];
    printf("sekisho %s, since %s\n", member(status, "version", a), member(status, "started", b));
    printf("sessions   %s of %s\n", member(status, "sessions", a), member(status, "max_connections", b));
    printf("directory  %s tenants, ", member(directory, "tenants", a));
    printf("version %s, read %s ms ago\n", member(directory, "version", a), member(directory, "age_ms", b));
    bool writing = json_is_true(json_object_get(ledger, "healthy"));
    harmless(member(ledger, "why", a), shown, sizeof shown);
    printf("ledger     %s%s\n\n", writing ? "healthy" : "NOT WRITING: ", writing ? "" : shown);
    rows(ctl, json_object_get(status, "processes"), heads, names);
}

int ctl_status(const struct ctl *ctl, int argc, char **argv) {
    int code = args_words("status", argc, argv, 0, 0, NULL);
    if (code != CTL_DONE)
        return code;
    json_t *status = control_ask(ctl, json_pack("{s:s}", "verb", "status"), &code);
    if (!status)
        return code;
    code = healthy(status) ? CTL_DONE : CTL_REFUSED;
    if (ctl->json) {
        facts_print_json(status);
        return code;
    }
    print_status(ctl, status);
    json_decref(status);
    return code;
}

int ctl_session_list(const struct ctl *ctl, int argc, char **argv) {
    static const char *const heads[] = {"SESSION", "TENANT", "USER",  "DATABASE", "APPLICATION",
                                        "CLIENT",  "PID",    "SINCE", NULL};
    static const char *const names[] = {"session", "tenant",       "user",  "database", "application",
                                        "client",  "instance_pid", "since", NULL};
    const char *tenant;
    int code = args_words("session list", argc, argv, 0, 1, &tenant);
    if (code != CTL_DONE)
        return code;
    if (tenant && !tenant_id_valid(view_text(tenant)))
        return ctl_usage("session list", "\"%s\" is no tenant id", tenant);
    json_t *request = json_pack("{s:s}", "verb", "sessions");
    if (tenant)
        json_object_set_new(request, "tenant", json_string(tenant));
    json_t *answer = control_ask(ctl, request, &code);
    if (!answer)
        return code;
    if (ctl->json)
        facts_print_json(json_incref(json_object_get(answer, "sessions")));
    else
        rows(ctl, json_object_get(answer, "sessions"), heads, names);
    json_decref(answer);
    return CTL_DONE;
}

int ctl_session_kill(const struct ctl *ctl, int argc, char **argv) {
    const char *session;
    uint64_t id;
    int code = args_words("session kill", argc, argv, 1, 1, &session);
    if (code != CTL_DONE)
        return code;
    if (!text_unhex64(view_text(session), &id))
        return ctl_usage("session kill", "\"%s\" is no session: expected 16 hexadecimal digits", session);
    char digits[17]; /* as the proxy prints it, whichever case was typed */
    text_hex64(id, digits);
    json_t *answer = control_ask(ctl, json_pack("{s:s,s:s}", "verb", "kill", "session", digits), &code);
    if (!answer)
        return code;
    if (ctl->json)
        facts_print_json(json_pack("{s:s,s:s}", "session", digits, "done", "killed"));
    else
        printf("session %s killed\n", digits);
    json_decref(answer);
    return CTL_DONE;
}
