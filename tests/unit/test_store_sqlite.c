/* SPDX-License-Identifier: ISC
 *
 * An administrator (admin) changes the control store while the keeper reads it over a connection of its own.
 */
#include "store.h"
#include "verifier.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DRIVER (&store_sqlite)

static const uint8_t key[SEAL_KEY] = "the key of this house, 32 bytes.";
static const struct change change = {
    .wall_us = 1234567, .tenant = "acme", .actor = "root", .action = "tenant.test", .detail = "a detail"};
static char folder[] = "/tmp/sekisho-store-XXXXXX";
static char path[64];
static struct store *admin, *keeper;

static struct store *open_store(bool create) {
    char why[256];
    struct store *s = DRIVER->open(path, create, key, why);
    cr_assert(s, "%s", why);
    return s;
}

static void begin(void) {
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/store.sqlite", folder);
    admin = open_store(true);
    keeper = open_store(false);
}

static void end(void) {
    DRIVER->close(&admin);
    DRIVER->close(&keeper);
    DIR *d = opendir(folder);
    for (struct dirent *e; (e = readdir(d));) {
        char name[512];
        snprintf(name, sizeof name, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.')
            unlink(name);
    }
    closedir(d);
    rmdir(folder);
}

TestSuite(store_sqlite, .init = begin, .fini = end);

static void make(struct tenant *t, const char *id) {
    tenant_begin(t);
    snprintf(t->id, sizeof t->id, "%s", id);
    t->state = TENANT_ACTIVE;
    snprintf(t->instance_host, sizeof t->instance_host, "%s.internal", id);
    t->instance_port = 5432;
}

static void put(struct tenant *t, bool insert, enum store_result expected) {
    enum store_result r = DRIVER->put(admin, t, insert, &change);
    cr_assert_eq(r, expected, "%d: %s", r, DRIVER->why(admin));
}

static void add(const char *id) {
    struct tenant t;
    make(&t, id);
    put(&t, true, STORE_OK);
    tenant_end(&t);
}

/* Straight into the file, past the store: what somebody with a shell could do. */
static void tamper(const char *sql) {
    sqlite3 *db;
    char *error = NULL;
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &error), SQLITE_OK, "%s", error);
    sqlite3_close(db);
}

static uint64_t version(struct store *s) {
    uint64_t v;
    cr_assert_eq(DRIVER->version(s, &v), STORE_OK);
    return v;
}

static void make_full(struct tenant *t) {
    struct view bad;
    make(t, "acme");
    snprintf(t->service, sizeof t->service, "SVC-7");
    snprintf(t->admins, sizeof t->admins, "acme_admin,acme_owner");
    snprintf(t->labels, sizeof t->labels, "tier=gold,region=tokyo");
    t->max_connections = 200;
    t->cells = 2;
    t->host_count = 2;
    snprintf(t->host[0], sizeof t->host[0], "zulu.acme.jp");
    snprintf(t->host[1], sizeof t->host[1], "alpha.acme.jp");
    t->listen_count = 2;
    cr_assert(address_parse_port(view_text("[2001:db8::1]:6432"), false, &t->listen[0]));
    cr_assert(address_parse_port(view_text("192.0.2.9:5432"), false, &t->listen[1]));
    cr_assert(ranges_parse(view_text("203.0.113.0/24, 2001:db8::/32, 198.51.100.7"), &t->allowed, &bad));
    snprintf(t->instance_name, sizeof t->instance_name, "pg.acme.internal");
    snprintf(t->auth_database, sizeof t->auth_database, "app");
    cr_assert(tenant_text(&t->instance_ca, view_text("CA\nPEM\n")));
    cr_assert(tenant_text(&t->client_certificate, view_text("CERTIFICATE\n")));
    cr_assert(tenant_text(&t->client_key, view_text("VERY SECRET KEY\n")));
}

/* Two tenants are equal when they look the same on the wire. */
static void expect_same(const struct tenant *a, const struct tenant *b) {
    static uint8_t one[TENANT_WIRE_MAX], two[TENANT_WIRE_MAX];
    struct writer x = writer_of(one, sizeof one), y = writer_of(two, sizeof two);
    tenant_write(&x, a);
    tenant_write(&y, b);
    cr_assert(!x.bad && !y.bad);
    cr_expect(view_equal(writer_view(&x), writer_view(&y)));
}

Test(store_sqlite, a_tenant_comes_back_whole) {
    struct tenant in, out;
    make_full(&in);
    put(&in, true, STORE_OK);
    cr_assert_eq(DRIVER->tenant(keeper, "acme", &out), STORE_OK, "%s", DRIVER->why(keeper));
    expect_same(&in, &out);
    tenant_end(&in);
    tenant_end(&out);
}

Test(store_sqlite, the_files_are_the_owners_alone) {
    umask(0);
    add("acme");
    const char *names[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char name[80];
        struct stat st;
        snprintf(name, sizeof name, "%s%s", path, names[i]);
        cr_assert_eq(stat(name, &st), 0, "%s", name);
        cr_expect_eq(st.st_mode & 07777, 0600, "%s has mode %o", name, st.st_mode & 07777);
    }
}

static size_t count_in_files(const char *needle) {
    size_t found = 0;
    const char *names[] = {"", "-wal"};
    for (size_t i = 0; i < 2; i++) {
        char name[80];
        static char content[1 << 20];
        snprintf(name, sizeof name, "%s%s", path, names[i]);
        FILE *f = fopen(name, "r");
        cr_assert(f);
        size_t n = fread(content, 1, sizeof content, f);
        fclose(f);
        found += memmem(content, n, needle, strlen(needle)) != NULL;
    }
    return found;
}

Test(store_sqlite, no_secret_is_readable_in_the_file) {
    struct tenant t;
    make_full(&t);
    put(&t, true, STORE_OK);
    tenant_end(&t);
    cr_assert_eq(DRIVER->auth_set(admin, "acme", "sekisho_auth", view_text("hunter2hunter2"), &change),
                 STORE_OK);
    cr_expect_gt(count_in_files("pg.acme.internal"), 0, "the test looks in the right files");
    cr_expect_eq(count_in_files("VERY SECRET KEY"), 0);
    cr_expect_eq(count_in_files("hunter2hunter2"), 0);
}

Test(store_sqlite, an_id_a_host_name_or_an_address_has_one_owner) {
    struct tenant acme, globex;
    make_full(&acme);
    put(&acme, true, STORE_OK);
    put(&acme, true, STORE_CONFLICT);
    cr_expect_str_eq(DRIVER->why(admin), "tenant \"acme\" is already there");
    make(&globex, "globex");
    globex.host_count = 1;
    snprintf(globex.host[0], sizeof globex.host[0], "alpha.acme.jp");
    put(&globex, true, STORE_CONFLICT);
    cr_expect(strstr(DRIVER->why(admin), "host name alpha.acme.jp"));
    globex.host_count = 0;
    globex.listen_count = 1;
    globex.listen[0] = acme.listen[1];
    put(&globex, true, STORE_CONFLICT);
    cr_expect(strstr(DRIVER->why(admin), "192.0.2.9:5432"));
    struct tenant none;
    cr_expect_eq(DRIVER->tenant(keeper, "globex", &none), STORE_NOT_FOUND,
                 "nothing of a refused tenant stays");
    globex.listen_count = 0;
    put(&globex, true, STORE_OK);
    tenant_end(&acme);
    tenant_end(&globex);
}

Test(store_sqlite, replacing_keeps_names_and_the_auth_password) {
    struct tenant t, out;
    char role[64], password[129];
    make_full(&t);
    put(&t, false, STORE_NOT_FOUND);
    put(&t, true, STORE_OK);
    cr_assert_eq(DRIVER->auth_set(admin, "acme", "sekisho_auth", view_text("pw"), &change), STORE_OK);
    t.max_connections = 7;
    t.host_count = 1; /* one of its own names stays, one goes */
    put(&t, false, STORE_OK);
    cr_assert_eq(DRIVER->tenant(keeper, "acme", &out), STORE_OK);
    expect_same(&t, &out);
    cr_assert_eq(DRIVER->auth_get(keeper, "acme", role, password), STORE_OK);
    cr_expect_str_eq(role, "sekisho_auth");
    cr_expect_str_eq(password, "pw");
    tenant_end(&t);
    tenant_end(&out);
}

Test(store_sqlite, nonsense_is_not_stored) {
    struct tenant t;
    make(&t, "Acme");
    put(&t, true, STORE_INVALID);
    cr_expect(strstr(DRIVER->why(admin), "lower-case"));
    tenant_end(&t);
}

Test(store_sqlite, removing_takes_everything_along) {
    struct tenant t;
    make_full(&t);
    put(&t, true, STORE_OK);
    cr_assert_eq(DRIVER->remove(admin, "acme", &change), STORE_OK);
    cr_expect_eq(DRIVER->remove(admin, "acme", &change), STORE_NOT_FOUND);
    snprintf(t.id, sizeof t.id, "globex");
    put(&t, true, STORE_OK); /* its names and addresses are free again */
    tenant_end(&t);
}

struct seen {
    size_t count, stop_after;
    char ids[256];
};

static bool note_tenant(void *arg, struct tenant *t) {
    struct seen *seen = arg;
    size_t n = strlen(seen->ids);
    snprintf(seen->ids + n, sizeof seen->ids - n, "%s%s", n ? " " : "", t->id);
    return ++seen->count != seen->stop_after;
}

static bool take_tenant(void *arg, struct tenant *t) {
    *(struct tenant *)arg = *t;
    memset(t, 0, sizeof *t);
    return false;
}

Test(store_sqlite, the_keeper_reads_all_in_order) {
    struct seen seen = {0};
    cr_assert_eq(DRIVER->tenants(keeper, note_tenant, &seen), STORE_OK);
    cr_expect_eq(seen.count, 0);
    add("globex");
    add("acme");
    add("a-1");
    cr_assert_eq(DRIVER->tenants(keeper, note_tenant, &seen), STORE_OK);
    cr_expect_str_eq(seen.ids, "a-1 acme globex");
    seen = (struct seen){.stop_after = 2};
    cr_assert_eq(DRIVER->tenants(keeper, note_tenant, &seen), STORE_OK, "stopping is no error");
    cr_expect_str_eq(seen.ids, "a-1 acme");
    struct tenant kept;
    cr_assert_eq(DRIVER->tenants(keeper, take_tenant, &kept), STORE_OK);
    cr_expect_str_eq(kept.instance_host, "a-1.internal");
    tenant_end(&kept);
}

Test(store_sqlite, the_version_shows_others_commits_and_our_own) {
    uint64_t before = version(keeper);
    cr_expect_eq(version(keeper), before, "nothing happened");
    add("acme");
    uint64_t after = version(keeper);
    cr_expect_neq(after, before, "another connection committed");
    cr_expect_eq(version(keeper), after);
    uint64_t own = version(admin);
    add("globex");
    cr_expect_neq(version(admin), own, "we committed");
    own = version(admin);
    struct tenant t;
    make(&t, "globex");
    put(&t, true, STORE_CONFLICT);
    tenant_end(&t);
    cr_expect_eq(version(admin), own, "what was rolled back is no change");
}

static bool note_change(void *arg, const struct change *c) {
    struct change *last = arg;
    cr_expect_gt(c->id, last->id, "ids grow");
    *last = *c;
    return true;
}

Test(store_sqlite, every_change_waits_in_the_outbox_until_it_is_logged) {
    add("acme");
    add("globex");
    struct tenant t;
    make(&t, "globex");
    put(&t, true, STORE_CONFLICT);
    tenant_end(&t);
    cr_assert_eq(DRIVER->remove(admin, "globex", &change), STORE_OK);
    struct change last = {0};
    cr_assert_eq(DRIVER->changes(keeper, note_change, &last), STORE_OK);
    cr_expect_eq(last.id, 3, "a refused change leaves no trace");
    cr_expect_str_eq(last.detail, "a detail");
    cr_expect_str_eq(last.actor, "root");
    cr_expect_eq(last.wall_us, 1234567);
    uint64_t v = version(keeper);
    cr_assert_eq(DRIVER->settled(keeper, 2), STORE_OK);
    cr_expect_eq(version(keeper), v, "settling alone makes nobody read again");
    last = (struct change){.id = 2};
    cr_assert_eq(DRIVER->changes(keeper, note_change, &last), STORE_OK);
    cr_expect_eq(last.id, 3);
    cr_assert_eq(DRIVER->settled(keeper, UINT64_MAX), STORE_OK);
    last = (struct change){0};
    cr_assert_eq(DRIVER->changes(keeper, note_change, &last), STORE_OK);
    cr_expect_eq(last.id, 0, "all were settled");
}

Test(store_sqlite, the_auth_credentials_of_one_tenant) {
    char role[64], password[129], long_password[130];
    add("acme");
    cr_expect_eq(DRIVER->auth_get(keeper, "acme", role, password), STORE_NOT_FOUND);
    cr_expect_eq(DRIVER->auth_get(keeper, "nobody", role, password), STORE_NOT_FOUND);
    cr_expect_eq(DRIVER->auth_set(admin, "nobody", "r", view_text("p"), &change), STORE_NOT_FOUND);
    cr_expect_eq(DRIVER->auth_set(admin, "acme", "", view_text("p"), &change), STORE_INVALID);
    cr_expect_eq(DRIVER->auth_set(admin, "acme", "r", view_text(""), &change), STORE_INVALID);
    memset(long_password, 'p', sizeof long_password);
    cr_expect_eq(DRIVER->auth_set(admin, "acme", "r", view_of(long_password, 129), &change), STORE_INVALID);
    cr_assert_eq(DRIVER->auth_set(admin, "acme", "r", view_of(long_password, 128), &change), STORE_OK);
    cr_assert_eq(DRIVER->auth_get(keeper, "acme", role, password), STORE_OK);
    cr_expect_eq(strlen(password), 128);
}

static const char *verifier(const char *password, char out[257]) {
    struct verifier v;
    cr_assert(verifier_make(view_text(password), view_text("0123456789abcdef"), 4096, &v));
    struct writer w = writer_of(out, 257);
    verifier_text(&w, &v);
    writer_u8(&w, 0);
    cr_assert(!w.bad);
    return out;
}

Test(store_sqlite, verifiers_kept_in_the_store) {
    char one[257], two[257], got[257];
    struct view alice = view_text("alice");
    add("acme");
    cr_expect_eq(DRIVER->verifier_get(keeper, "acme", alice, got), STORE_NOT_FOUND);
    cr_assert_eq(DRIVER->verifier_set(admin, "acme", alice, view_text(verifier("one", one)), &change),
                 STORE_OK);
    cr_assert_eq(DRIVER->verifier_get(keeper, "acme", alice, got), STORE_OK);
    cr_expect_str_eq(got, one);
    cr_expect_eq(DRIVER->verifier_get(keeper, "globex", alice, got), STORE_NOT_FOUND);
    cr_assert_eq(DRIVER->verifier_set(admin, "acme", alice, view_text(verifier("two", two)), &change),
                 STORE_OK);
    cr_assert_eq(DRIVER->verifier_get(keeper, "acme", alice, got), STORE_OK);
    cr_expect_str_eq(got, two);
    cr_expect_eq(DRIVER->verifier_set(admin, "acme", alice, view_text("hunter2"), &change), STORE_INVALID);
    cr_expect_eq(DRIVER->verifier_set(admin, "acme", view_text("pg_x"), view_text(two), &change),
                 STORE_INVALID);
    cr_expect_eq(DRIVER->verifier_set(admin, "acme", view_of("a\0b", 3), view_text(two), &change),
                 STORE_INVALID);
    cr_expect_eq(DRIVER->verifier_set(admin, "nobody", alice, view_text(two), &change), STORE_NOT_FOUND);
    cr_assert_eq(DRIVER->verifier_set(admin, "acme", alice, view_text(""), &change), STORE_OK);
    cr_expect_eq(DRIVER->verifier_set(admin, "acme", alice, view_text(""), &change), STORE_NOT_FOUND);
    cr_expect_eq(DRIVER->verifier_get(keeper, "acme", alice, got), STORE_NOT_FOUND);
}

Test(store_sqlite, a_secret_moved_to_another_row_does_not_open) {
    char role[64], password[129], text[257];
    add("acme");
    add("globex");
    struct view v = view_text(verifier("mallory's", text));
    cr_assert_eq(DRIVER->auth_set(admin, "globex", "r", view_text("p"), &change), STORE_OK);
    cr_assert_eq(DRIVER->verifier_set(admin, "acme", view_text("mallory"), v, &change), STORE_OK);
    tamper("UPDATE tenant SET (auth_role, auth_password) = (SELECT auth_role, auth_password FROM tenant"
           " WHERE id = 'globex') WHERE id = 'acme';"
           "INSERT INTO verifier SELECT tenant, 'alice', verifier FROM verifier");
    cr_expect_eq(DRIVER->auth_get(keeper, "acme", role, password), STORE_INVALID);
    cr_expect_str_eq(password, "");
    cr_expect_eq(DRIVER->verifier_get(keeper, "acme", view_text("alice"), text), STORE_INVALID);
    cr_expect_str_eq(text, "");
}

Test(store_sqlite, a_tampered_row_stops_the_reading) {
    struct tenant t;
    struct seen seen = {0};
    make_full(&t);
    put(&t, true, STORE_OK);
    tenant_end(&t);
    tamper("UPDATE tenant SET client_key = 'seal1:' || substr(client_key, 8)");
    cr_expect_eq(DRIVER->tenants(keeper, note_tenant, &seen), STORE_INVALID);
    cr_expect(strstr(DRIVER->why(keeper), "acme"), "%s", DRIVER->why(keeper));
    cr_expect_eq(DRIVER->tenant(keeper, "acme", &t), STORE_INVALID);
    tamper("UPDATE tenant SET client_key = '', client_certificate = '', allowed = 'everybody'");
    cr_expect_eq(DRIVER->tenants(keeper, note_tenant, &seen), STORE_INVALID,
                 "a rule that cannot be read opens nothing");
    tamper("UPDATE tenant SET allowed = '', instance_host = 'NOT A NAME'");
    cr_expect_eq(DRIVER->tenants(keeper, note_tenant, &seen), STORE_INVALID);
    cr_expect_eq(seen.count, 0);
}

static void does_not_open(bool create, const uint8_t *with, const char *says) {
    char why[256] = "";
    struct store *s = DRIVER->open(path, create, with, why);
    cr_expect_null(s);
    cr_expect(strstr(why, says), "\"%s\" does not say \"%s\"", why, says);
    cr_expect(strstr(why, path));
}

Test(store_sqlite, another_key_another_schema_another_file) {
    static const uint8_t other[SEAL_KEY] = "another key";
    does_not_open(true, other, "the seal key is not this store's");
    tamper("UPDATE schema SET version = 99");
    does_not_open(true, key, "newer than this program's");
    tamper("UPDATE schema SET version = 0");
    does_not_open(false, key, "older than this program's");
    tamper("DROP TABLE schema");
    does_not_open(true, key, "no such table: schema");
    DRIVER->close(&admin); /* the last to leave takes the write-ahead log along */
    DRIVER->close(&keeper);
    FILE *f = fopen(path, "w");
    cr_assert(f);
    fputs("This is a letter, and a letter is no database; it is long enough to be mistaken for one by its "
          "size.",
          f);
    fclose(f);
    does_not_open(true, key, "not a database");
    unlink(path);
    does_not_open(false, key, "unable to open");
}

Test(store_sqlite, a_writer_who_does_not_finish_makes_the_next_wait_and_fail) {
    sqlite3 *db;
    struct tenant t;
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    make(&t, "acme");
    put(&t, true, STORE_UNAVAILABLE);
    struct seen seen = {0};
    cr_expect_eq(DRIVER->tenants(keeper, note_tenant, &seen), STORE_OK, "readers do not wait");
    cr_assert_eq(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    put(&t, true, STORE_OK);
    sqlite3_close(db);
    tenant_end(&t);
}

static int number_of(const char *sql) {
    sqlite3 *db;
    sqlite3_stmt *q;
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_step(q), SQLITE_ROW);
    int n = sqlite3_column_int(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return n;
}

Test(store_sqlite, an_erased_tenant_leaves_its_id_only) {
    struct tenant t;
    struct change why = {.wall_us = 99, .actor = "two approvers", .action = "tenant.erase", .detail = "acme"};
    for (int i = 0; i < 2; i++) {
        make(&t, i == 0 ? "acme" : "globex");
        cr_assert_eq(DRIVER->put(admin, &t, true, &change), STORE_OK);
        tenant_end(&t);
    }
    cr_assert_eq(DRIVER->auth_set(admin, "acme", "sekisho_auth", view_text("secret"), &change), STORE_OK);
    cr_assert_eq(DRIVER->erase(keeper, "acme", &why), STORE_OK);
    cr_expect_eq(DRIVER->tenant(admin, "acme", &t), STORE_NOT_FOUND);
    tenant_end(&t);
    cr_expect_eq(number_of("SELECT count(*) FROM tenant WHERE id = 'acme'"), 0);
    cr_expect_eq(number_of("SELECT count(*) FROM change WHERE tenant = 'acme'"), 0);
    cr_expect_eq(number_of("SELECT count(*) FROM change WHERE action = 'tenant.erase' AND tenant = ''"), 1);
    cr_expect_eq(number_of("SELECT count(*) FROM tenant WHERE id = 'globex'"), 1);
    make(&t, "acme");
    cr_expect_eq(DRIVER->put(admin, &t, true, &change), STORE_CONFLICT);
    cr_expect(strstr(DRIVER->why(admin), "was erased"), "%s", DRIVER->why(admin));
    tenant_end(&t);
    cr_expect_eq(DRIVER->erase(keeper, "acme", &why), STORE_NOT_FOUND);
}
