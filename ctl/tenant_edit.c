/* SPDX-License-Identifier: ISC
 *
 * tenant add and tenant set: options into a tenant, checked whole before the store hears of it.
 */
#include "args.h"
#include "commands.h"
#include "facts.h"
#include "provision.h"
#include "secret.h"
#include "text.h"
#include "verifier.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERIFIERS_MAX 64

struct edit {
    struct tenant *t;
    const char *id;
    bool hosts_given, listens_given,
        instance_given; /* the first of a repeated option replaces what was there */
    const char *bad;    /* what was expected, when a value is not good */
    size_t verifier_count;
    const char *verifier[VERIFIERS_MAX]; /* USER=TEXT */
};

typedef bool edit_fn(struct edit *e, const char *value);

static bool expected(struct edit *e, const char *what) {
    e->bad = what;
    return false;
}

static bool set_text(struct edit *e, char *dst, size_t cap, const char *value) {
    if (strlen(value) >= cap)
        return expected(e, "something shorter");
    snprintf(dst, cap, "%s", value);
    return true;
}

static bool set_instance(struct edit *e, const char *value) {
    e->instance_given = true;
    const char *colon = strrchr(value, ':');
    uint64_t port;
    if (!colon || !text_number(view_text(colon + 1), 1, 65535, &port))
        return expected(e, "HOST:PORT");
    struct view host = view_of(value, (size_t)(colon - value));
    if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
        host = view_of(host.at + 1, host.len - 2);
    e->t->instance_port = (uint16_t)port;
    if (host.len == 0 || !text_lower_into(host, e->t->instance_host, sizeof e->t->instance_host))
        return expected(e, "HOST:PORT");
    return true;
}

static bool set_instance_name(struct edit *e, const char *value) {
    return text_lower_into(view_text(value), e->t->instance_name, sizeof e->t->instance_name) ||
           expected(e, "a host name");
}

static bool set_instance_ca(struct edit *e, const char *value) {
    char pem[TENANT_PEM_MAX + 1] = "";
    if (value[0]) {
        int fd = open(value, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd >= 0 ? read(fd, pem, sizeof pem) : -1;
        if (fd >= 0)
            close(fd);
        if (n < 0)
            return expected(e, "a file that can be read");
        if ((size_t)n >= sizeof pem)
            return expected(e, "a file of at most 16,384 bytes");
        pem[n] = '\0';
        if (strlen(pem) != (size_t)n || !strstr(pem, "-----BEGIN CERTIFICATE-----") ||
            strstr(pem, "PRIVATE KEY"))
            return expected(e, "a file of PEM certificates, without any key");
    }
    free(e->t->instance_ca);
    e->t->instance_ca = strdup(pem);
    return e->t->instance_ca || expected(e, "more memory");
}

static bool add_host(struct edit *e, const char *value) {
    if (!e->hosts_given)
        e->t->host_count = 0;
    e->hosts_given = true;
    if (value[0] == '\0')
        return true;
    if (e->t->host_count == TENANT_HOSTS_MAX)
        return expected(e, "at most 8 of them");
    if (!text_lower_into(view_text(value), e->t->host[e->t->host_count], TENANT_NAME_MAX + 1) ||
        !host_name_valid(view_text(e->t->host[e->t->host_count])))
        return expected(e, "a host name");
    e->t->host_count++;
    return true;
}

static bool add_listen(struct edit *e, const char *value) {
    if (!e->listens_given)
        e->t->listen_count = 0;
    e->listens_given = true;
    if (value[0] == '\0')
        return true;
    if (e->t->listen_count == TENANT_HOSTS_MAX)
        return expected(e, "at most 8 of them");
    if (!address_parse_port(view_text(value), false, &e->t->listen[e->t->listen_count]))
        return expected(e, "ADDRESS:PORT");
    e->t->listen_count++;
    return true;
}

static bool set_allow(struct edit *e, const char *value) {
    struct view bad;
    return ranges_parse(view_text(value), &e->t->allowed, &bad) ||
           expected(e, "ranges like 192.0.2.0/24, 2001:db8::/32");
}

static bool set_number(struct edit *e, const char *value, uint64_t max, uint32_t *out) {
    uint64_t number = 0;
    if (value[0] && !text_number(view_text(value), 0, max, &number))
        return expected(e, "a number in range");
    *out = (uint32_t)number;
    return true;
}

static bool set_max_connections(struct edit *e, const char *value) {
    return set_number(e, value, 1000000, &e->t->max_connections);
}

static bool set_cells(struct edit *e, const char *value) {
    return set_number(e, value, 64, &e->t->cells);
}

static bool set_service(struct edit *e, const char *value) {
    return set_text(e, e->t->service, sizeof e->t->service, value);
}

static bool set_labels(struct edit *e, const char *value) {
    struct view rest = view_text(value), item;
    while (text_next_item(&rest, &item))
        if (!memchr(item.at, '=', item.len) || item.at[0] == '=')
            return expected(e, "KEY=VALUE,KEY=VALUE");
    return set_text(e, e->t->labels, sizeof e->t->labels, value);
}

static bool set_auth_database(struct edit *e, const char *value) {
    return set_text(e, e->t->auth_database, sizeof e->t->auth_database, value[0] ? value : "postgres");
}

static bool set_admins(struct edit *e, const char *value) {
    struct view rest = view_text(value), item;
    while (text_next_item(&rest, &item))
        if (item.len == 0 || item.len > 63)
            return expected(e, "roles of the tenant's, separated by commas");
    return set_text(e, e->t->admins, sizeof e->t->admins, value);
}

static bool add_verifier(struct edit *e, const char *value) {
    const char *equals = strchr(value, '=');
    if (!equals || equals == value || equals - value > 63)
        return expected(e, "USER=SCRAM-SHA-256$...");
    if (e->verifier_count == VERIFIERS_MAX)
        return expected(e, "at most 64 of them");
    struct verifier parsed;
    bool to_come = equals[1] == '\0' || strcmp(equals + 1, "-") == 0;
    if (!to_come && !verifier_parse(view_text(equals + 1), &parsed))
        return expected(e, "USER=SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>");
    e->verifier[e->verifier_count++] = value;
    return true;
}

#define OPTION_COUNT 13
static const struct args_option options[OPTION_COUNT] = {
    {"--instance", true}, {"--instance-name", true}, {"--instance-ca", true},     {"--host", true},
    {"--listen", true},   {"--allow", true},         {"--max-connections", true}, {"--cells", true},
    {"--service", true},  {"--labels", true},        {"--auth-database", true},   {"--admins", true},
    {"--verifier", true}, /* the last: only `tenant set` has it */
};
static edit_fn *const edits[OPTION_COUNT] = {
    /* in the same order */
    set_instance,      set_instance_name,   set_instance_ca, add_host,    add_listen,
    set_allow,         set_max_connections, set_cells,       set_service, set_labels,
    set_auth_database, set_admins,          add_verifier,
};

/* The id into e->id; options are applied in a second reading, when the tenant is known. */
static int read_id(const char *command, size_t option_count, int argc, char **argv, struct edit *e) {
    struct args a = args_of(argc, argv);
    for (int what; (what = args_next(&a, options, option_count)) != ARGS_END;) {
        if (what == ARGS_UNKNOWN || what == ARGS_NO_VALUE)
            return args_complain(&a, what, command);
        if (what == ARGS_WORD && e->id)
            return ctl_usage(command, "%s: one argument too many: %s", command, a.value);
        if (what == ARGS_WORD)
            e->id = a.value;
    }
    return e->id ? CTL_DONE : ctl_usage(command, "%s needs the tenant's id", command);
}

static int apply(const char *command, size_t option_count, int argc, char **argv, struct edit *e) {
    struct args a = args_of(argc, argv);
    for (int what; (what = args_next(&a, options, option_count)) != ARGS_END;)
        if (what >= 0 && !edits[what](e, a.value)) {
            /* A verifier is a secret: what was given is not shown again. */
            const char *given = edits[what] == add_verifier ? "that" : a.value;
            return ctl_usage(command, "%s %s: expected %s", options[what].name, given, e->bad);
        }
    return CTL_DONE;
}

/* Names under the domain belong to tenants by their ids: a host name there could only be somebody else's. */
static int check(const struct ctl *ctl, const struct tenant *t) {
    const char *why;
    if (!tenant_check(t, &why)) {
        ctl_error("tenant \"%s\": %s", t->id, why);
        return CTL_REFUSED;
    }
    size_t domain = strlen(ctl->settings->domain);
    for (size_t i = 0; i < t->host_count; i++) {
        size_t len = strlen(t->host[i]);
        if (len <= domain || t->host[i][len - domain - 1] != '.' ||
            !text_equal_nocase(view_text(t->host[i] + len - domain), view_text(ctl->settings->domain)))
            continue;
        ctl_error("host name %s lies under the domain %s", t->host[i], ctl->settings->domain);
        ctl_hint("tenant %s is reached as %s.%s by itself", t->id, t->id, ctl->settings->domain);
        return CTL_REFUSED;
    }
    return CTL_DONE;
}

static void warn_unheard(const struct ctl *ctl, const struct tenant *t) {
    const struct addresses *ours = &ctl->settings->listen;
    for (size_t i = 0; i < t->listen_count; i++) {
        bool heard = false;
        for (size_t k = 0; k < ours->count; k++) {
            static const uint8_t any[16];
            bool wildcard = memcmp(ours->address[k].bytes, any, sizeof any) == 0;
            heard = heard || address_equal(&ours->address[k], &t->listen[i]) ||
                    (wildcard && ours->address[k].port == t->listen[i].port);
        }
        char text[ADDRESS_TEXT];
        address_text_port(&t->listen[i], text);
        if (!heard)
            ctl_hint("%s is not among `listen` in %s: nobody listens there yet", text, ctl->config_path);
    }
}

/* Checked and complete but for its certificate. */
static int add(const struct ctl *ctl, struct tenant *t) {
    if (!provision_client_certificate(t)) {
        ctl_error("cannot make the tenant's client certificate");
        return CTL_REFUSED;
    }
    struct change c = change_of(t->id, "tenant.add");
    facts_describe(t, &c);
    int code = change_outcome(ctl, ctl->store->driver->put(ctl->store, t, true, &c), t->id);
    if (code != CTL_DONE)
        return code;
    if (ctl->json)
        facts_print_json(facts_json(t));
    else
        printf("tenant %s added: its clients connect to %s.%s\n", t->id, t->id, ctl->settings->domain);
    warn_unheard(ctl, t);
    return CTL_DONE;
}

static int read_new(const struct ctl *ctl, int argc, char **argv, struct edit *e) {
    int code = read_id("tenant add", OPTION_COUNT - 1, argc, argv, e); /* the last is --verifier */
    if (code != CTL_DONE)
        return code;
    if (!tenant_id_valid(view_text(e->id)))
        return ctl_usage("tenant add",
                         "\"%s\" is no tenant id: expected at most %d of a-z, 0-9 and -, as in a host name",
                         e->id, TENANT_ID_MAX);
    snprintf(e->t->id, sizeof e->t->id, "%s", e->id);
    e->t->state = TENANT_ACTIVE;
    code = apply("tenant add", OPTION_COUNT - 1, argc, argv, e);
    if (code == CTL_DONE && !e->instance_given)
        return ctl_usage("tenant add", "tenant add needs --instance HOST:PORT");
    return code == CTL_DONE ? check(ctl, e->t) : code;
}

int ctl_tenant_add(const struct ctl *ctl, int argc, char **argv) {
    struct tenant t;
    struct edit e = {.t = &t};
    tenant_begin(&t);
    int code = read_new(ctl, argc, argv, &e);
    if (code == CTL_DONE)
        code = add(ctl, &t);
    tenant_end(&t);
    return code;
}

/* One line from standard input, where no other account can see it. */
static bool read_verifier(char out[257]) {
    struct verifier parsed;
    if (!fgets(out, 257, stdin))
        return false;
    out[strcspn(out, "\r\n")] = '\0';
    return verifier_parse(view_text(out), &parsed);
}

static int set_verifiers(const struct ctl *ctl, const struct edit *e) {
    int code = CTL_DONE;
    for (size_t i = 0; code == CTL_DONE && i < e->verifier_count; i++) {
        const char *equals = strchr(e->verifier[i], '=');
        struct view user = view_of(e->verifier[i], (size_t)(equals - e->verifier[i]));
        char line[257];
        snprintf(line, sizeof line, "%s", equals + 1);
        if (strcmp(line, "-") == 0 && !read_verifier(line))
            return ctl_usage("tenant set", "standard input holds no SCRAM-SHA-256 verifier");
        struct change c = change_of(e->id, "tenant.set");
        change_detail(&c, "verifier of %.*s: %s", (int)user.len, (const char *)user.at,
                      line[0] ? "kept" : "removed");
        code = change_outcome(
            ctl, ctl->store->driver->verifier_set(ctl->store, e->id, user, view_text(line), &c), e->id);
        secret_wipe(line, sizeof line);
    }
    return code;
}

static int set(const struct ctl *ctl, int argc, char **argv, struct edit *e, const struct tenant *before) {
    int code = apply("tenant set", OPTION_COUNT, argc, argv, e);
    if (code == CTL_DONE)
        code = check(ctl, e->t);
    struct change c = change_of(e->id, "tenant.set");
    if (code == CTL_DONE && facts_compare(before, e->t, &c) > 0)
        code = change_outcome(ctl, ctl->store->driver->put(ctl->store, e->t, false, &c), e->id);
    if (code == CTL_DONE)
        code = set_verifiers(ctl, e);
    if (code != CTL_DONE)
        return code;
    if (e->verifier_count)
        change_detail(&c, "verifiers: %zu set", e->verifier_count);
    if (ctl->json)
        facts_print_json(facts_json(e->t));
    else
        printf("tenant %s: %s\n", e->id, c.detail[0] ? c.detail : "nothing to change");
    warn_unheard(ctl, e->t);
    return CTL_DONE;
}

int ctl_tenant_set(const struct ctl *ctl, int argc, char **argv) {
    struct tenant before, after;
    struct edit e = {.t = &after};
    int code = read_id("tenant set", OPTION_COUNT, argc, argv, &e);
    if (code != CTL_DONE)
        return code;
    code = change_read(ctl, e.id, &before);
    if (code == CTL_DONE) {
        code = change_read(ctl, e.id, &after);
        if (code == CTL_DONE)
            code = set(ctl, argc, argv, &e, &before);
        tenant_end(&after);
    }
    tenant_end(&before);
    return code;
}
