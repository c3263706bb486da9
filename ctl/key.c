/* SPDX-License-Identifier: ISC
 *
 * key generate and key show: a person's signing key, and the text by which an administrator trusts it.
 * Neither needs a configuration: keys are made where their person works.
 */
#include "args.h"
#include "commands.h"
#include "facts.h"
#include "newfile.h"
#include "person.h"
#include "secret.h"
#include "text.h"
#include "times.h"

#include <stdio.h>
#include <string.h>

#define YEAR (365 * 86400)

static int print_trust(const struct ctl *ctl, const struct trust_key *k) {
    char text[TRUST_FILE_MAX + 1];
    struct writer w = writer_of(text, sizeof text);
    if (!trust_compose(k, &w) || w.bad) {
        ctl_error("the key does not say for whom and for which role it is");
        ctl_hint("the lines \"# sekisho-key ...\" that key generate writes above it say so");
        return CTL_REFUSED;
    }
    if (!ctl->json) {
        printf("%.*s", (int)w.len, text);
        return CTL_DONE;
    }
    json_t *object = json_pack("{s:s,s:s,s:s,s:s%}", "name", k->name, "role", trust_role_name(k->role), "key",
                               k->id, "trust", text, w.len);
    json_object_set_new(object, "tenant", k->tenant[0] ? json_string(k->tenant) : json_null());
    facts_print_json(object);
    return CTL_DONE;
}

static int generate(const struct ctl *ctl, struct person *p, const char *out) {
    char text[4096], why[512];
    struct writer w = writer_of(text, sizeof text);
    p->key = signing_key_make();
    if (!p->key || !person_compose(p, &w)) {
        ctl_error("OpenSSL cannot make a key");
        return CTL_REFUSED;
    }
    writer_u8(&w, 0);
    signing_key_public(p->key, p->is.public);
    statement_key_id(p->is.public, p->is.id);
    bool good = !w.bad && newfile_write(out, text, 0600, why);
    secret_wipe(text, sizeof text);
    if (!good) {
        ctl_error("%s", why);
        return CTL_REFUSED;
    }
    int code = print_trust(ctl, &p->is);
    ctl_hint("%s is yours alone. The text above is not secret: the proxy's administrator puts it into the "
             "folder trust_dir "
             "as %s-%.4s.key",
             out, p->is.name, p->is.id);
    return code;
}

enum { OPTION_ROLE, OPTION_TENANT, OPTION_FOR, OPTION_OUT, OPTIONS };
static const struct args_option options[OPTIONS] = {
    {"--role", true}, {"--tenant", true}, {"--for", true}, {"--out", true}};

static int read_generate(struct trust_key *k, int argc, char **argv, const char **out) {
    static const char command[] = "key generate";
    const char *value[OPTIONS] = {NULL}, *name;
    int code = times_options(command, options, OPTIONS, value, 1, &name, argc, argv);
    int64_t lasts = YEAR;
    if (code != CTL_DONE)
        return code;
    if (!name || !value[OPTION_ROLE] || !value[OPTION_OUT])
        return ctl_usage(command, "key generate needs a name, --role and --out");
    if (!person_valid(view_text(name)) || !view_copy_text(view_text(name), k->name, sizeof k->name))
        return ctl_usage(command, "\"%s\" is no name: at most %d of a-z, 0-9, '.', '_' and '-'", name,
                         PERSON_MAX);
    if (!trust_role_by_name(view_text(value[OPTION_ROLE]), &k->role))
        return ctl_usage(command, "--role %s: expected operator, provider-approver or tenant-approver",
                         value[OPTION_ROLE]);
    bool of_tenant = k->role == TRUST_TENANT_APPROVER;
    if (of_tenant != (value[OPTION_TENANT] != NULL))
        return ctl_usage(command, of_tenant ? "a tenant-approver is one tenant's: --tenant T says whose"
                                            : "--tenant is for the role tenant-approver");
    if (of_tenant && (!tenant_id_valid(view_text(value[OPTION_TENANT])) ||
                      !view_copy_text(view_text(value[OPTION_TENANT]), k->tenant, sizeof k->tenant)))
        return ctl_usage(command, "\"%s\" is no tenant id", value[OPTION_TENANT]);
    if (value[OPTION_FOR] && !times_duration(value[OPTION_FOR], &lasts))
        return ctl_usage(command, "--for %s: expected a duration such as 90d", value[OPTION_FOR]);
    k->not_before = times_now();
    k->not_after = k->not_before + lasts;
    *out = value[OPTION_OUT];
    return CTL_DONE;
}

int ctl_key_generate(const struct ctl *ctl, int argc, char **argv) {
    const char *out;
    struct person p;
    person_begin(&p);
    int code = read_generate(&p.is, argc, argv, &out);
    if (code == CTL_DONE)
        code = generate(ctl, &p, out);
    person_end(&p);
    return code;
}

int ctl_key_show(const struct ctl *ctl, int argc, char **argv) {
    const char *file;
    int code = args_words("key show", argc, argv, 1, 1, &file);
    if (code != CTL_DONE)
        return code;
    struct person p;
    code = person_read(&p, "key show", file, NULL) ? print_trust(ctl, &p.is) : CTL_REFUSED;
    person_end(&p);
    return code;
}
