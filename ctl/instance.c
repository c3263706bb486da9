/* SPDX-License-Identifier: ISC
 *
 * tenant provision, tenant rotate and tenant check: what the proxy needs on an instance, and the proof of it.
 */
#include "args.h"
#include "commands.h"
#include "facts.h"
#include "provision_scope.h"
#include "secret.h"
#include "table.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

/* 32 random bytes: what nobody has to type may be long. */
static void make_password(char out[64]) {
    uint8_t random[32];
    secret_random(random, sizeof random);
    struct writer w = writer_of(out, 64);
    text_base64(&w, view_of(random, sizeof random));
    writer_u8(&w, 0);
    secret_wipe(random, sizeof random);
}

static void print_rest(const struct ctl *ctl, const struct tenant *t) {
    char hba[4096];
    struct writer w = writer_of(hba, sizeof hba);
    provision_hba(&w, t);
    if (ctl->json) {
        facts_print_json(json_pack("{s:s,s:s,s:s%,s:s}", "tenant", t->id, "auth_role", PROVISION_ROLE,
                                   "pg_hba", hba, w.len, "ssl_ca_file", t->client_certificate));
        return;
    }
    printf("Role %s, function %s.verifier and the roles of the operators' scopes are installed. What is left "
           "for the instance's administrator:\n\n"
           "1. postgresql.conf:\n"
           "     ssl = on\n"
           "     ssl_min_protocol_version = 'TLSv1.2'\n"
           "     password_encryption = 'scram-sha-256'\n"
           "     ssl_ca_file = 'sekisho-proxy.crt'\n"
           "   and in the data folder's sekisho-proxy.crt what this prints:\n"
           "     sekishoctl tenant show %s --client-certificate\n\n"
           "2. pg_hba.conf:\n\n%.*s\n"
           "3. Reload the instance, then prove it: sekishoctl tenant check %s\n",
           PROVISION_ROLE, PROVISION_SCHEMA, t->id, (int)w.len, hba, t->id);
}

static int remember(const struct ctl *ctl, const struct tenant *t, const char *action, const char *password,
                    const struct scope_login logins[SCOPE_COUNT]) {
    struct change c = change_of(t->id, action);
    change_detail(&c, "role %s, schema %s, database %s", PROVISION_ROLE, PROVISION_SCHEMA, t->auth_database);
    int code = change_outcome(
        ctl, ctl->store->driver->auth_set(ctl->store, t->id, PROVISION_ROLE, view_text(password), &c), t->id);
    for (enum scope s = 0; code == CTL_DONE && s < SCOPE_COUNT; s++) {
        c = change_of(t->id, action);
        change_detail(&c, "role %s", scope_role(s));
        code =
            change_outcome(ctl, ctl->store->driver->scope_set(ctl->store, t->id, s, &logins[s], &c), t->id);
    }
    return code;
}

/* The instance first: when the store then fails, running it again mends both. */
static int install(const struct ctl *ctl, const struct tenant *t, const char *action, const char *admin) {
    char password[64], why[512];
    struct scope_login logins[SCOPE_COUNT];
    make_password(password);
    for (enum scope s = 0; s < SCOPE_COUNT; s++)
        scope_login_draw(&logins[s]);
    int code = CTL_DONE;
    if (!provision_install(admin, t, password, logins, why)) {
        ctl_error("%s", why);
        code = CTL_REFUSED;
    }
    if (code == CTL_DONE)
        code = remember(ctl, t, action, password, logins);
    secret_wipe(password, sizeof password);
    secret_wipe(logins, sizeof logins);
    return code;
}

/* ID --admin CONNINFO, of both. */
static int read_target(const char *command, int argc, char **argv, const char **id, const char **admin) {
    static const struct args_option options[] = {{"--admin", true}};
    struct args a = args_of(argc, argv);
    for (int what; (what = args_next(&a, options, 1)) != ARGS_END;) {
        if (what == ARGS_UNKNOWN || what == ARGS_NO_VALUE)
            return args_complain(&a, what, command);
        if (what == ARGS_WORD && *id)
            return ctl_usage(command, "%s: one argument too many: %s", command, a.value);
        *(what == ARGS_WORD ? id : admin) = a.value;
    }
    return *id && *admin ? CTL_DONE
                         : ctl_usage(command, "%s needs the tenant's id and --admin CONNINFO", command);
}

int ctl_tenant_provision(const struct ctl *ctl, int argc, char **argv) {
    const char *id = NULL, *admin = NULL;
    int code = read_target("tenant provision", argc, argv, &id, &admin);
    if (code != CTL_DONE)
        return code;
    struct tenant t;
    code = change_read(ctl, id, &t);
    if (code == CTL_DONE)
        code = install(ctl, &t, "tenant.provision", admin);
    if (code == CTL_DONE)
        print_rest(ctl, &t);
    tenant_end(&t);
    return code;
}

static int no_role(const char *id) {
    ctl_error("tenant \"%s\" has no auth role yet", id);
    ctl_hint("sekishoctl tenant provision %s --admin CONNINFO", id);
    return CTL_REFUSED;
}

int ctl_tenant_rotate(const struct ctl *ctl, int argc, char **argv) {
    const char *id = NULL, *admin = NULL;
    char role[64], password[129];
    int code = read_target("tenant rotate", argc, argv, &id, &admin);
    if (code != CTL_DONE)
        return code;
    struct tenant t;
    code = change_read(ctl, id, &t);
    if (code == CTL_DONE && ctl->store->driver->auth_get(ctl->store, id, role, password) != STORE_OK)
        code = no_role(id);
    secret_wipe(password, sizeof password);
    if (code == CTL_DONE)
        code = install(ctl, &t, "tenant.rotate", admin);
    if (code == CTL_DONE && ctl->json)
        facts_print_json(json_pack("{s:s,s:s}", "tenant", id, "done", "rotated"));
    else if (code == CTL_DONE)
        printf("tenant %s: the credentials of %s and of the four scopes are new\n", id, PROVISION_ROLE);
    tenant_end(&t);
    return code;
}

struct checklist {
    json_t *array;
    struct table *table;
};

static void checked(void *arg, enum check_outcome outcome, const char *name, const char *detail) {
    static const char *const words[] = {
        [CHECK_OK] = "ok", [CHECK_WARNING] = "warning", [CHECK_FAILED] = "FAILED"};
    struct checklist *l = arg;
    if (l->array) {
        json_array_append_new(
            l->array, json_pack("{s:s,s:s,s:s}", "check", name, "outcome", words[outcome], "detail", detail));
        return;
    }
    table_cell(l->table, words[outcome]);
    table_cell(l->table, name);
    table_cell(l->table, detail);
}

int ctl_tenant_check(const struct ctl *ctl, int argc, char **argv) {
    static const char *const heads[] = {"OUTCOME", "CHECK", "DETAIL", NULL};
    const char *id;
    int code = args_words("tenant check", argc, argv, 1, 1, &id);
    if (code != CTL_DONE)
        return code;
    struct tenant t;
    char role[64], password[129];
    code = change_read(ctl, id, &t);
    if (code == CTL_DONE && ctl->store->driver->auth_get(ctl->store, id, role, password) != STORE_OK)
        code = no_role(id);
    if (code == CTL_DONE) {
        struct checklist l = {ctl->json ? json_array() : NULL, ctl->json ? NULL : table_new(heads)};
        bool good = provision_check(&t, role, password, checked, &l);
        if (ctl->json)
            facts_print_json(l.array);
        else
            table_print(&l.table, ctl->colour);
        code = good ? CTL_DONE : CTL_REFUSED;
    }
    secret_wipe(password, sizeof password);
    tenant_end(&t);
    return code;
}
