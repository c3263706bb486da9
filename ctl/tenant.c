/* SPDX-License-Identifier: ISC
 *
 * tenant list, show, suspend, resume, retire, remove. What is signed about a retired tenant is
 * tenant_erase.c's.
 */
#include "args.h"
#include "commands.h"
#include "facts.h"
#include "secret.h"
#include "table.h"
#include "tenant_erase.h"

#include <stdio.h>
#include <string.h>

struct listing {
    json_t *array;
    struct table *table;
};

static bool list_one(void *arg, struct tenant *t) {
    struct listing *l = arg;
    static const char *const columns[] = {"state", "instance", "max_connections", "service", "labels"};
    if (l->array) {
        json_array_append_new(l->array, facts_json(t));
        return true;
    }
    table_cell(l->table, t->id);
    for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++)
        for (size_t i = 0; i < fact_count; i++)
            if (strcmp(fact_name(i), columns[c]) == 0) {
                char text[FACT_TEXT];
                fact_text(i, t, text);
                table_cell(l->table, strcmp(text, "0") == 0 || text[0] == '\0' ? "-" : text);
            }
    return true;
}

int ctl_tenant_list(const struct ctl *ctl, int argc, char **argv) {
    static const char *const heads[] = {"TENANT", "STATE", "INSTANCE", "LIMIT", "SERVICE", "LABELS", NULL};
    int code = args_words("tenant list", argc, argv, 0, 0, NULL);
    if (code != CTL_DONE)
        return code;
    struct listing l = {.array = ctl->json ? json_array() : NULL,
                        .table = ctl->json ? NULL : table_new(heads)};
    code = change_outcome(ctl, ctl->store->driver->tenants(ctl->store, list_one, &l), "");
    if (code != CTL_DONE)
        json_decref(l.array);
    else if (ctl->json)
        facts_print_json(l.array);
    else
        table_print(&l.table, ctl->colour);
    return code;
}

static void show(const struct ctl *ctl, const struct tenant *t) {
    char role[64] = "", password[129] = "";
    bool provisioned = ctl->store->driver->auth_get(ctl->store, t->id, role, password) == STORE_OK;
    secret_wipe(password, sizeof password);
    if (ctl->json) {
        json_t *object = facts_json(t);
        json_object_set_new(object, "auth_role", provisioned ? json_string(role) : json_null());
        facts_print_json(object);
        return;
    }
    printf("%-20s%s\n%-20s%s.%s\n", "tenant", t->id, "name", t->id, ctl->settings->domain);
    for (size_t i = 0; i < fact_count; i++) {
        char text[FACT_TEXT], shown[FACT_TEXT];
        fact_text(i, t, text);
        harmless(text, shown, sizeof shown);
        printf("%-20s%s\n", fact_name(i), shown[0] ? shown : "-");
    }
    printf("%-20s%s\n", "auth_role", provisioned ? role : "- (run: sekishoctl tenant provision)");
}

int ctl_tenant_show(const struct ctl *ctl, int argc, char **argv) {
    static const struct args_option options[] = {{"--client-certificate", false}};
    struct args a = args_of(argc, argv);
    const char *id = NULL;
    bool certificate = false;
    for (int what; (what = args_next(&a, options, 1)) != ARGS_END;) {
        if (what == ARGS_UNKNOWN || what == ARGS_NO_VALUE)
            return args_complain(&a, what, "tenant show");
        if (what == ARGS_WORD && id)
            return ctl_usage("tenant show", "tenant show: one argument too many: %s", a.value);
        if (what == ARGS_WORD)
            id = a.value;
        else
            certificate = true;
    }
    if (!id)
        return ctl_usage("tenant show", "tenant show needs the tenant's id");
    struct tenant t;
    int code = change_read(ctl, id, &t);
    if (code == CTL_DONE && certificate)
        fputs(t.client_certificate, stdout);
    else if (code == CTL_DONE)
        show(ctl, &t);
    tenant_end(&t);
    return code;
}

static int answer(const struct ctl *ctl, const char *id, const char *done) {
    if (ctl->json)
        facts_print_json(json_pack("{s:s,s:s}", "tenant", id, "done", done));
    else
        printf("tenant %s %s\n", id, done);
    return CTL_DONE;
}

static int set_state(const struct ctl *ctl, int argc, char **argv, enum tenant_state state,
                     const char *command, const char *action, const char *done) {
    const char *id;
    int code = args_words(command, argc, argv, 1, 1, &id);
    if (code != CTL_DONE)
        return code;
    struct tenant t;
    code = change_read(ctl, id, &t);
    if (code == CTL_DONE && t.state != state) {
        struct change c = change_of(id, action);
        change_detail(&c, "state: %s -> %s", tenant_state_name(t.state), tenant_state_name(state));
        t.state = state;
        code = change_outcome(ctl, ctl->store->driver->put(ctl->store, &t, false, &c), id);
    }
    tenant_end(&t);
    return code == CTL_DONE ? answer(ctl, id, done) : code;
}

int ctl_tenant_suspend(const struct ctl *ctl, int argc, char **argv) {
    return set_state(ctl, argc, argv, TENANT_SUSPENDED, "tenant suspend", "tenant.suspend", "suspended");
}

int ctl_tenant_resume(const struct ctl *ctl, int argc, char **argv) {
    const char *id;
    int code = args_words("tenant resume", argc, argv, 1, 1, &id);
    if (code == CTL_DONE)
        code = tenant_erase_none(ctl, id);
    if (code != CTL_DONE)
        return code;
    return set_state(ctl, argc, argv, TENANT_ACTIVE, "tenant resume", "tenant.resume", "resumed");
}

int ctl_tenant_retire(const struct ctl *ctl, int argc, char **argv) {
    int code = set_state(ctl, argc, argv, TENANT_RETIRED, "tenant retire", "tenant.retire",
                         "retired: nobody gets in");
    if (code == CTL_DONE && !ctl->json)
        ctl_hint("two approvers sign its erasure: sekishoctl tenant erase %s --reason R --key FILE",
                 argv[argc - 1]);
    return code;
}

int ctl_tenant_remove(const struct ctl *ctl, int argc, char **argv) {
    const char *id;
    int code = args_words("tenant remove", argc, argv, 1, 1, &id);
    if (code != CTL_DONE)
        return code;
    struct change c = change_of(id, "tenant.remove");
    code = change_outcome(ctl, ctl->store->driver->remove(ctl->store, id, &c), id);
    return code == CTL_DONE ? answer(ctl, id, "removed") : code;
}
