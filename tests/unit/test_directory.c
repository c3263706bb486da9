/* SPDX-License-Identifier: ISC
 *
 * What a tenant may be, how it travels, and what two tenants may not both have.
 */
#include "directory.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void make(struct tenant *t, const char *id) {
    tenant_begin(t);
    snprintf(t->id, sizeof t->id, "%s", id);
    t->state = TENANT_ACTIVE;
    snprintf(t->instance_host, sizeof t->instance_host, "%s.internal", id);
    t->instance_port = 5432;
}

static void give_host(struct tenant *t, const char *name) {
    snprintf(t->host[t->host_count++], sizeof t->host[0], "%s", name);
}

static void give_listen(struct tenant *t, const char *address) {
    cr_assert(address_parse_port(view_text(address), false, &t->listen[t->listen_count++]));
}

Test(directory, ids_are_dns_labels) {
    const char *good[] = {"a", "0", "acme", "a-1", "a--b", "abcdefghijabcdefghijabcdefghijabcdefghij"};
    const char *bad[] = {"",
                         "-a",
                         "a-",
                         "Acme",
                         "a.b",
                         "a_b",
                         "../x",
                         "_provider",
                         "é",
                         "a b",
                         "abcdefghijabcdefghijabcdefghijabcdefghijk"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_expect(tenant_id_valid(view_text(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect(!tenant_id_valid(view_text(bad[i])), "%s", bad[i]);
    cr_expect(!tenant_id_valid(view_of("a\0b", 3)));
}

Test(directory, host_names_are_whole_and_lower_case) {
    const char *good[] = {"localhost", "db.example.com", "1.2.3.4.in-addr.arpa", "a.b2",
                          "xn--bcher-kva.example"};
    const char *bad[] = {"",     ".",    "a.",        ".a",  "a..b", "DB.example.com", "a_b.c",
                         "-a.b", "a-.b", "192.0.2.1", "a.1", "::1",  "*.example.com",  "a b.c"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_expect(host_name_valid(view_text(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect(!host_name_valid(view_text(bad[i])), "%s", bad[i]);
    cr_expect(!host_name_valid(view_of("a.b\0", 4)));
    char name[300];
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 50 == 49 ? '.' : 'a';
    cr_expect(host_name_valid(view_of(name, 253)));
    cr_expect(!host_name_valid(view_of(name, 254)));
    memset(name, 'a', 64);
    cr_expect(host_name_valid(view_of(name, 63)), "a label has at most 63 bytes");
    cr_expect(!host_name_valid(view_of(name, 64)));
}

/* One thing wrong with an otherwise good tenant. */
static void expect_bad(const char *says, void (*spoil)(struct tenant *)) {
    struct tenant t;
    const char *why = NULL;
    make(&t, "acme");
    spoil(&t);
    cr_expect(!tenant_check(&t, &why), "%s", says);
    cr_expect(why && strstr(why, says), "\"%s\" does not say \"%s\"", why, says);
    tenant_end(&t);
}

static void no_state(struct tenant *t) {
    t->state = (enum tenant_state)0;
}
static void many_cells(struct tenant *t) {
    t->cells = 65;
}
static void host_twice(struct tenant *t) {
    give_host(t, "a.b");
    give_host(t, "a.b");
}
static void host_upper(struct tenant *t) {
    give_host(t, "A.b");
}
static void listen_twice(struct tenant *t) {
    give_listen(t, "192.0.2.1:1");
    give_listen(t, "192.0.2.1:1");
}
static void listen_no_port(struct tenant *t) {
    give_listen(t, "192.0.2.1:1");
    t->listen[0].port = 0;
}
static void host_option(struct tenant *t) {
    snprintf(t->instance_host, sizeof t->instance_host, "x sslmode=disable");
}
static void no_port(struct tenant *t) {
    t->instance_port = 0;
}
static void name_bad(struct tenant *t) {
    snprintf(t->instance_name, sizeof t->instance_name, "*");
}
static void no_database(struct tenant *t) {
    t->auth_database[0] = 0;
}
static void label_bad(struct tenant *t) {
    snprintf(t->labels, sizeof t->labels, "tier=gold,oops");
}
static void service_bad(struct tenant *t) {
    snprintf(t->service, sizeof t->service, "a\nb");
}
static void key_alone(struct tenant *t) {
    cr_assert(tenant_text(&t->client_key, view_text("KEY")));
}

Test(directory, a_tenant_that_makes_no_sense_is_told_why) {
    expect_bad("state", no_state);
    expect_bad("cells", many_cells);
    expect_bad("host name is given twice", host_twice);
    expect_bad("lower-case DNS name", host_upper);
    expect_bad("listen address is given twice", listen_twice);
    expect_bad("a port", listen_no_port);
    expect_bad("instance's host", host_option);
    expect_bad("port is missing", no_port);
    expect_bad("certificate name", name_bad);
    expect_bad("auth database", no_database);
    expect_bad("labels", label_bad);
    expect_bad("service code", service_bad);
    expect_bad("come together", key_alone);
}

Test(directory, owned_texts_are_bounded) {
    struct tenant t;
    static char big[TENANT_PEM_MAX + 1];
    memset(big, 'x', sizeof big);
    tenant_begin(&t);
    cr_expect(tenant_text(&t.instance_ca, view_of(big, TENANT_PEM_MAX)));
    cr_expect(!tenant_text(&t.instance_ca, view_of(big, TENANT_PEM_MAX + 1)));
    cr_expect(!tenant_text(&t.instance_ca, view_of("a\0b", 3)));
    cr_expect_eq(strlen(t.instance_ca), TENANT_PEM_MAX, "a refused text changes nothing");
    tenant_end(&t);
    tenant_end(&t);
    tenant_end(NULL);
}

/* The largest tenant there can be. */
static void make_largest(struct tenant *t) {
    static char big[TENANT_PEM_MAX];
    memset(big, 'x', sizeof big);
    make(t, "abcdefghijabcdefghijabcdefghijabcdefghij");
    memset(t->admins, 'a', sizeof t->admins - 1);
    memset(t->service, 's', sizeof t->service - 1);
    memset(t->labels, 'l', sizeof t->labels - 1);
    t->labels[1] = '=';
    for (int i = 0; i < TENANT_HOSTS_MAX; i++) {
        char text[64];
        char *name = t->host[t->host_count++];
        for (size_t k = 0; k < TENANT_NAME_MAX; k++)
            name[k] = k % 50 == 49 ? '.' : (char)('a' + i);
        snprintf(text, sizeof text, "[2001:db8::%d]:65535", i);
        give_listen(t, text);
    }
    t->allowed.count = RANGES_MAX;
    for (size_t i = 0; i < RANGES_MAX; i++)
        t->allowed.range[i] = (struct range){.base = {.family = 6, .bytes = {(uint8_t)i}}, .bits = 128};
    memcpy(t->instance_host, t->host[0], sizeof t->instance_host);
    memcpy(t->instance_name, t->host[0], sizeof t->instance_name);
    memset(t->auth_database, 'd', sizeof t->auth_database - 1);
    t->address_count = TENANT_ADDRESSES_MAX;
    for (size_t i = 0; i < TENANT_ADDRESSES_MAX; i++)
        t->address[i] = (struct address){.family = 4, .bytes = {192, 0, 2, (uint8_t)i}, .port = 5432};
    cr_assert(tenant_text(&t->instance_ca, view_of(big, sizeof big)));
    cr_assert(tenant_text(&t->client_certificate, view_of(big, sizeof big)));
    cr_assert(tenant_text(&t->client_key, view_of(big, sizeof big)));
    for (size_t i = 0; i < SCOPE_COUNT; i++) {
        struct scope_login *l = &t->scope[i];
        l->known = true;
        l->verifier.iterations = VERIFIER_ITERATIONS_MAX;
        l->verifier.salt_len = VERIFIER_SALT_MAX;
        memset(l->verifier.salt, 's', sizeof l->verifier.salt);
        memset(l->client_key, (int)i + 1, sizeof l->client_key);
    }
}

static uint8_t wire[TENANT_WIRE_MAX], again[TENANT_WIRE_MAX];

Test(directory, the_largest_tenant_travels_unchanged) {
    struct tenant in, out;
    const char *why = NULL;
    make_largest(&in);
    cr_assert(tenant_check(&in, &why), "%s", why);
    struct writer w = writer_of(wire, sizeof wire), w2 = writer_of(again, sizeof again);
    tenant_write(&w, &in);
    cr_assert(!w.bad);
    struct reader r = reader_of(writer_view(&w));
    cr_assert(tenant_read(&r, &out));
    cr_expect(reader_done(&r));
    cr_expect(tenant_check(&out, &why), "%s", why);
    tenant_write(&w2, &out);
    cr_expect(view_equal(writer_view(&w), writer_view(&w2)));
    cr_expect_str_eq(out.client_key, in.client_key);
    cr_expect_eq(out.allowed.range[63].bits, 128);
    cr_expect_eq(out.scope[SCOPE_ADMIN].client_key[31], 4);
    tenant_end(&in);
    tenant_end(&out);
}

Test(directory, a_message_that_breaks_off_anywhere_is_no_tenant) {
    struct tenant in, out;
    make(&in, "acme");
    give_host(&in, "db.acme.jp");
    give_listen(&in, "192.0.2.1:5432");
    cr_assert(tenant_text(&in.client_key, view_text("KEY")));
    struct writer w = writer_of(wire, sizeof wire);
    tenant_write(&w, &in);
    for (size_t n = 0; n < w.len; n++) {
        struct reader r = reader_of(view_of(wire, n));
        cr_expect(!tenant_read(&r, &out), "%zu of %zu bytes", n, w.len);
        tenant_end(&out);
    }
    tenant_end(&in);
}

Test(directory, counts_and_kinds_on_the_wire_are_bounded) {
    struct tenant in, out;
    make(&in, "acme");
    struct writer w = writer_of(wire, sizeof wire);
    tenant_write(&w, &in);
    size_t state = 2 + 4 + 2 + 2, hosts = state + 1 + 4 + 4, listen = hosts + 1, ranges = listen + 1;
    const struct {
        size_t at;
        uint8_t value;
    } bad[] = {{state, 0}, {state, 4}, {hosts, 9}, {listen, 9}, {ranges, 65}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t kept = wire[bad[i].at];
        wire[bad[i].at] = bad[i].value;
        struct reader r = reader_of(writer_view(&w));
        cr_expect(!tenant_read(&r, &out), "case %zu", i);
        tenant_end(&out);
        wire[bad[i].at] = kept;
    }
    tenant_end(&in);
}

static struct operator alice(void) {
    struct operator o = {.magic = OPERATOR_MAGIC};
    struct view bad;
    snprintf(o.id, sizeof o.id, "alice");
    snprintf(o.note, sizeof o.note, "on call");
    cr_assert(ranges_parse(view_text("10.0.0.0/8"), &o.allowed, &bad));
    return o;
}

Test(directory, an_operator_travels_unchanged_or_not_at_all) {
    struct operator in = alice(), out;
    struct writer w = writer_of(wire, OPERATOR_WIRE_MAX);
    memset(in.note, 'n', OPERATOR_NOTE_MAX);
    in.allowed.count = RANGES_MAX;
    for (size_t i = 0; i < RANGES_MAX; i++)
        in.allowed.range[i] = (struct range){.base = {.family = 6, .bytes = {(uint8_t)i}}, .bits = 128};
    operator_write(&w, &in);
    cr_assert(!w.bad);
    for (size_t n = 0; n <= w.len; n++) {
        struct reader r = reader_of(view_of(wire, n));
        cr_expect_eq(operator_read(&r, &out), n == w.len, "%zu of %zu bytes", n, w.len);
    }
    cr_expect_str_eq(out.note, in.note);
    cr_expect_eq(out.allowed.range[63].base.bytes[0], 63);
}

Test(directory, a_login_that_is_neither_there_nor_not_is_no_tenant) {
    struct tenant in, out;
    make(&in, "acme");
    struct writer w = writer_of(wire, sizeof wire);
    tenant_write(&w, &in);
    wire[w.len - 1] = 2;
    struct reader r = reader_of(writer_view(&w));
    cr_expect(!tenant_read(&r, &out));
    tenant_end(&out);
    tenant_end(&in);
}

static struct snapshot *snapshot;

static void begin(void) {
    snapshot = snapshot_new(7, (struct moment){1, 2});
    cr_assert(snapshot);
}

static void end(void) {
    snapshot_free(&snapshot);
    cr_expect_null(snapshot);
    snapshot_free(&snapshot);
}

TestSuite(snapshot, .init = begin, .fini = end);

static void join(struct tenant *t, const char *says) {
    const char *why = NULL;
    bool joined = snapshot_add(snapshot, t, &why);
    cr_expect_null(t->instance_ca, "what it owned has gone into the snapshot, or is freed");
    if (!says)
        cr_expect(joined, "%s", why);
    else
        cr_expect(!joined && why && strstr(why, says), "\"%s\" does not say \"%s\"", why, says);
}

static void join_id(const char *id) {
    struct tenant t;
    make(&t, id);
    join(&t, NULL);
}

Test(snapshot, an_empty_one_is_valid_and_knows_nobody) {
    cr_expect_eq(snapshot_count(snapshot), 0);
    cr_expect_eq(snapshot_version(snapshot), 7);
    cr_expect_eq(snapshot_taken(snapshot).wall_us, 2);
    cr_expect_null(snapshot_tenant(snapshot, "acme"));
    cr_expect_null(snapshot_tenant(snapshot, ""));
}

Test(snapshot, tenants_are_found_whole_and_listed_in_order) {
    const char *ids[] = {"globex", "acme", "zorg", "acme-2"};
    for (size_t i = 0; i < 4; i++)
        join_id(ids[i]);
    cr_assert_eq(snapshot_count(snapshot), 4);
    cr_expect_str_eq(snapshot_at(snapshot, 0)->id, "acme");
    cr_expect_str_eq(snapshot_at(snapshot, 1)->id, "acme-2");
    cr_expect_str_eq(snapshot_at(snapshot, 3)->id, "zorg");
    cr_expect_eq(snapshot_tenant(snapshot, "zorg"), snapshot_at(snapshot, 3));
    cr_expect_null(snapshot_tenant(snapshot, "acm"));
    cr_expect_null(snapshot_tenant(snapshot, "ACME"));
}

Test(snapshot, a_thousand_tenants) {
    for (int i = 999; i >= 0; i--) {
        char id[16];
        snprintf(id, sizeof id, "t%03d", i);
        join_id(id);
    }
    cr_assert_eq(snapshot_count(snapshot), 1000);
    cr_expect_str_eq(snapshot_at(snapshot, 500)->id, "t500");
    cr_expect_str_eq(snapshot_tenant(snapshot, "t123")->id, "t123");
}

Test(snapshot, nothing_belongs_to_two) {
    struct tenant acme, globex;
    make(&acme, "acme");
    give_host(&acme, "db.acme.jp");
    give_listen(&acme, "192.0.2.1:5432");
    join(&acme, NULL);
    make(&globex, "acme");
    join(&globex, "id is given twice");
    make(&globex, "globex");
    give_host(&globex, "db.acme.jp");
    join(&globex, "already another tenant's");
    make(&globex, "globex");
    give_listen(&globex, "192.0.2.1:5432");
    join(&globex, "already another tenant's");
    make(&globex, "Globex");
    join(&globex, "lower-case");
    cr_expect_str_eq(globex.id, "Globex", "the log can still name it");
    cr_expect_eq(snapshot_count(snapshot), 1);
    make(&globex, "globex");
    give_listen(&globex, "192.0.2.1:5433");
    join(&globex, NULL);
}

Test(snapshot, nobody_takes_anothers_name_under_the_domain) {
    struct tenant t;
    snapshot_domain(snapshot, "DB.Example.com");
    join_id("acme");
    make(&t, "globex");
    give_host(&t, "acme.db.example.com");
    join(&t, "name under the domain");
    make(&t, "globex");
    give_host(&t, "globex.db.example.com"); /* its own: nothing new, no harm */
    give_host(&t, "later.db.example.com");
    give_host(&t, "x.acme.db.example.com");
    join(&t, NULL);
    make(&t, "later");
    join(&t, "another tenant's host name");
}

Test(snapshot, operators_are_found_by_their_whole_name) {
    const char *why = NULL;
    struct operator o = alice();
    cr_expect_null(snapshot_operator(snapshot, "alice"));
    cr_expect(snapshot_add_operator(snapshot, &o, &why), "%s", why);
    cr_expect(!snapshot_add_operator(snapshot, &o, &why));
    cr_expect(strstr(why, "already there"));
    snprintf(o.id, sizeof o.id, "Bob");
    cr_expect(!snapshot_add_operator(snapshot, &o, &why));
    cr_expect_eq(snapshot_operators(snapshot), 1);
    cr_expect_str_eq(snapshot_operator(snapshot, "alice")->note, "on call");
    cr_expect_null(snapshot_operator(snapshot, "alic"));
    cr_expect_null(snapshot_operator(snapshot, ""));
}
