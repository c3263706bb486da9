/* SPDX-License-Identifier: ISC
 *
 * tenant provision and tenant check: what the proxy needs on an instance, and the proof of it.
 */
#include "args.h"
#include "commands.h"
#include "facts.h"
#include "provision.h"
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
    printf(
        "Role %s and function %s.verifier are installed. What is left for the instance's administrator:\n\n"
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

/* The instance first: when the store then fails, running it again mends both. */
static int provision(const struct ctl *ctl, const struct tenant *t, const char *admin) {
    char password[64], why[512];
    make_password(password);
    if (!provision_install(admin, t, password, why)) {
        secret_wipe(password, sizeof password);
        ctl_error("%s", why);
        return CTL_REFUSED;
    }
    struct change c = change_of(t->id, "tenant.provision");
    change_detail(&c, "role %s, schema %s, database %s", PROVISION_ROLE, PROVISION_SCHEMA, t->auth_database);
    enum store_result r =
        ctl->store->driver->auth_set(ctl->store, t->id, PROVISION_ROLE, view_text(password), &c);
    secret_wipe(password, sizeof password);
    return change_outcome(ctl, r, t->id);
}

int ctl_tenant_provision(const struct ctl *ctl, int argc, char **argv) {
    static const struct args_option options[] = {{"--admin", true}};
    struct args a = args_of(argc, argv);
    const char *id = NULL, *admin = NULL;
    for (int what; (what = args_next(&a, options, 1)) != ARGS_END;) {
        if (what == ARGS_UNKNOWN || what == ARGS_NO_VALUE)
            return args_complain(&a, what, "tenant provision");
        if (what == ARGS_WORD && id)
            return ctl_usage("tenant provision", "tenant provision: one argument too many: %s", a.value);
        *(what == ARGS_WORD ? &id : &admin) = a.value;
    }
    if (!id || !admin)
        return ctl_usage("tenant provision", "tenant provision needs the tenant's id and --admin CONNINFO");
    struct tenant t;
    int code = change_read(ctl, id, &t);
    if (code == CTL_DONE)
        code = provision(ctl, &t, admin);
    if (code == CTL_DONE)
        print_rest(ctl, &t);
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
    if (code == CTL_DONE && ctl->store->driver->auth_get(ctl->store, id, role, password) != STORE_OK) {
        ctl_error("tenant \"%s\" has no auth role yet", id);
        ctl_hint("sekishoctl tenant provision %s --admin CONNINFO", id);
        code = CTL_REFUSED;
    }
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
