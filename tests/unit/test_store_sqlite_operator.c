/* SPDX-License-Identifier: ISC
 *
 * The operators' plane in the store: statements that only grow, operators, and logins that nobody reads.
 */
#include "statement.h"
#include "store.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DRIVER (&store_sqlite)

static const uint8_t key[SEAL_KEY] = "the key of this house, 32 bytes.";
static const struct change change = {
    .wall_us = 1234567, .tenant = "acme", .actor = "root", .action = "test", .detail = "a detail"};
static char folder[] = "/tmp/sekisho-store-XXXXXX";
static char path[64], why[256];
static struct store *admin, *keeper;
static uint8_t signature[STATEMENT_SIGNATURE];

static void add_tenant(const char *id) {
    struct tenant t;
    tenant_begin(&t);
    snprintf(t.id, sizeof t.id, "%s", id);
    snprintf(t.instance_host, sizeof t.instance_host, "pg.internal");
    t.state = TENANT_ACTIVE;
    t.instance_port = 5432;
    cr_assert_eq(DRIVER->put(admin, &t, true, &change), STORE_OK);
    tenant_end(&t);
}

static void begin(void) {
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/store.sqlite", folder);
    cr_assert(admin = DRIVER->open(path, true, key, why), "%s", why);
    cr_assert(keeper = DRIVER->open(path, false, key, why), "%s", why);
    add_tenant("acme");
    add_tenant("globex");
}

static void end(void) {
    const char *suffixes[] = {"", "-wal", "-shm"};
    DRIVER->close(&admin);
    DRIVER->close(&keeper);
    for (size_t i = 0; i < 3; i++) {
        char name[80];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
    cr_expect_eq(rmdir(folder), 0);
}

TestSuite(store_sqlite_operator, .init = begin, .fini = end);

/* Straight into the file. Returns what SQLite said, "" for nothing. */
static const char *tamper(const char *sql) {
    static char said[256];
    sqlite3 *db;
    char *error = NULL;
    said[0] = 0;
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        snprintf(said, sizeof said, "%s", error);
    sqlite3_free(error);
    sqlite3_close(db);
    return said;
}

/* --- statements --- */

static char seen[512];

static bool see(void *arg, const struct statement_row *row) {
    size_t len = strlen(seen);
    cr_expect_eq(row->signature.len, STATEMENT_SIGNATURE);
    snprintf(seen + len, sizeof seen - len, "%llu:%.*s;", (unsigned long long)row->n, (int)row->body.len,
             (const char *)row->body.at);
    return !arg || row->n < *(uint64_t *)arg;
}

static const char *statements(uint64_t after) {
    seen[0] = 0;
    cr_assert_eq(DRIVER->statements(keeper, after, see, NULL), STORE_OK);
    return seen;
}

static uint64_t add(const char *body) {
    uint64_t n;
    cr_assert_eq(
        DRIVER->statement_add(admin, view_text(body), view_of(signature, sizeof signature), &change, &n),
        STORE_OK, "%s", DRIVER->why(admin));
    return n;
}

Test(store_sqlite_operator, statements_are_numbered_without_gaps) {
    uint64_t n, stop = 2, before, after;
    struct view sig = view_of(signature, sizeof signature);
    cr_expect_str_eq(statements(0), "");
    cr_assert_eq(DRIVER->version(keeper, &before), STORE_OK);
    cr_expect_eq(add("one"), 1);
    cr_expect_eq(add("two"), 2);
    cr_assert_eq(DRIVER->version(keeper, &after), STORE_OK);
    cr_expect_neq(before, after, "the keeper notices");
    cr_expect_eq(DRIVER->statement_add(admin, view_text("two"), sig, &change, &n), STORE_CONFLICT);
    cr_expect_eq(n, 0);
    cr_expect_eq(add("three"), 3);
    cr_expect_str_eq(statements(0), "1:one;2:two;3:three;");
    cr_expect_str_eq(statements(2), "3:three;");
    cr_expect_str_eq(statements(UINT64_MAX), "");
    seen[0] = 0;
    cr_expect_eq(DRIVER->statements(keeper, 0, see, &stop), STORE_OK);
    cr_expect_str_eq(seen, "1:one;2:two;");
}

Test(store_sqlite_operator, what_cannot_be_a_statement_is_not_taken) {
    static uint8_t big[STATEMENT_MAX + 1];
    uint64_t n;
    struct view sig = view_of(signature, sizeof signature);
    cr_expect_eq(DRIVER->statement_add(admin, view_of(big, sizeof big), sig, &change, &n), STORE_INVALID);
    cr_expect_eq(DRIVER->statement_add(admin, view_text(""), sig, &change, &n), STORE_INVALID);
    cr_expect_eq(DRIVER->statement_add(admin, view_text("x"), view_of(signature, 63), &change, &n),
                 STORE_INVALID);
    cr_expect_eq(DRIVER->statement_add(admin, view_of(big, STATEMENT_MAX), sig, &change, &n), STORE_OK,
                 "zeros too");
}

Test(store_sqlite_operator, statements_stay) {
    add("one");
    cr_expect(strstr(tamper("DELETE FROM statement"), "never removed"));
    cr_expect(strstr(tamper("UPDATE statement SET body = x'00'"), "never changed"));
    cr_expect_str_eq(statements(0), "1:one;");
    /* Who may write the file may also take the trigger away; the chain then tells. */
    cr_expect_str_eq(tamper("DROP TRIGGER statement_kept; DELETE FROM statement"), "");
    cr_expect_str_eq(statements(0), "");
}

/* --- operators --- */

static char names[1024];

static bool see_operator(void *arg, const struct operator* o) {
    size_t len = strlen(names);
    snprintf(names + len, sizeof names - len, "%s:%s:%zu;", o->id, o->note, o->allowed.count);
    return true;
}

static const char *operators(void) {
    names[0] = 0;
    cr_assert_eq(DRIVER->operators(keeper, see_operator, NULL), STORE_OK, "%s", DRIVER->why(keeper));
    return names;
}

static struct operator named(const char *id, const char *note, const char *ranges) {
    struct operator o = {.magic = OPERATOR_MAGIC};
    struct view bad;
    snprintf(o.id, sizeof o.id, "%s", id);
    snprintf(o.note, sizeof o.note, "%s", note);
    cr_assert(ranges_parse(view_text(ranges), &o.allowed, &bad));
    return o;
}

Test(store_sqlite_operator, operators_come_and_go) {
    struct operator alice = named("alice", "on call", "10.0.0.0/8,2001:db8::/32"),
                    mallory = named("mallory", "", "");
    cr_expect_eq(DRIVER->operator_put(admin, &alice, false, &change), STORE_NOT_FOUND);
    cr_expect_eq(DRIVER->operator_put(admin, &mallory, true, &change), STORE_OK);
    cr_expect_eq(DRIVER->operator_put(admin, &alice, true, &change), STORE_OK);
    cr_expect_eq(DRIVER->operator_put(admin, &alice, true, &change), STORE_CONFLICT);
    cr_expect_str_eq(operators(), "alice:on call:2;mallory::0;");
    alice = named("alice", "away", "10.0.0.1");
    cr_expect_eq(DRIVER->operator_put(admin, &alice, false, &change), STORE_OK);
    cr_expect_eq(DRIVER->operator_remove(admin, "mallory", &change), STORE_OK);
    cr_expect_eq(DRIVER->operator_remove(admin, "mallory", &change), STORE_NOT_FOUND);
    cr_expect_str_eq(operators(), "alice:away:1;");
    struct operator bad = named("Alice", "", "");
    cr_expect_eq(DRIVER->operator_put(admin, &bad, true, &change), STORE_INVALID);
    bad = named("x", "two\nlines", "");
    cr_expect_eq(DRIVER->operator_put(admin, &bad, true, &change), STORE_INVALID);
}

Test(store_sqlite_operator, a_damaged_operator_stops_the_reading) {
    struct operator alice = named("alice", "", "10.0.0.0/8");
    cr_assert_eq(DRIVER->operator_put(admin, &alice, true, &change), STORE_OK);
    cr_expect_str_eq(tamper("UPDATE operator SET allowed = '10.0.0.0/33'"), "");
    names[0] = 0;
    cr_expect_eq(DRIVER->operators(keeper, see_operator, NULL), STORE_INVALID);
    cr_expect_str_eq(names, "");
}

/* --- scope logins --- */

static struct scope_login login(char c) {
    struct scope_login l = {.known = true};
    cr_assert(verifier_make(view_text("a password"), view_text("sixteen bytes..."), 4096, &l.verifier));
    memset(l.client_key, c, sizeof l.client_key);
    return l;
}

static enum store_result read_acme(struct tenant *t) {
    return DRIVER->tenant(keeper, "acme", t);
}

Test(store_sqlite_operator, a_scopes_login_comes_back_with_its_tenant) {
    struct tenant t;
    struct scope_login l = login('r');
    cr_assert_eq(DRIVER->scope_set(admin, "acme", SCOPE_READ, &l, &change), STORE_OK);
    l = login('R');
    cr_assert_eq(DRIVER->scope_set(admin, "acme", SCOPE_READ, &l, &change), STORE_OK, "rotated");
    cr_assert_eq(read_acme(&t), STORE_OK);
    cr_expect(t.scope[SCOPE_READ].known && !t.scope[SCOPE_DIAGNOSE].known && !t.scope[SCOPE_ADMIN].known);
    cr_expect_eq(t.scope[SCOPE_READ].client_key[31], 'R');
    cr_expect(memcmp(t.scope[SCOPE_READ].verifier.stored_key, l.verifier.stored_key, SCRAM_KEY) == 0);
    t.cells = 3;
    cr_expect_eq(DRIVER->put(admin, &t, false, &change), STORE_OK);
    tenant_end(&t);
    cr_assert_eq(read_acme(&t), STORE_OK);
    cr_expect(t.scope[SCOPE_READ].known, "put leaves it");
    tenant_end(&t);
    l.known = false;
    cr_expect_eq(DRIVER->scope_set(admin, "acme", SCOPE_READ, &l, &change), STORE_OK);
    cr_expect_eq(DRIVER->scope_set(admin, "acme", SCOPE_READ, &l, &change), STORE_NOT_FOUND);
    l.known = true;
    cr_expect_eq(DRIVER->scope_set(admin, "nobody", SCOPE_READ, &l, &change), STORE_NOT_FOUND);
}

Test(store_sqlite_operator, a_login_moved_to_another_scope_or_tenant_does_not_open) {
    struct tenant t;
    struct scope_login l = login('a');
    cr_assert_eq(DRIVER->scope_set(admin, "acme", SCOPE_ADMIN, &l, &change), STORE_OK);
    cr_expect_str_eq(tamper("UPDATE scope_login SET scope = 1"), "");
    cr_expect_eq(read_acme(&t), STORE_INVALID);
    cr_expect_str_eq(tamper("UPDATE scope_login SET scope = 3"), "");
    cr_expect_eq(read_acme(&t), STORE_OK);
    tenant_end(&t);
    cr_expect_str_eq(tamper("UPDATE scope_login SET tenant = 'globex'"), "");
    cr_expect_eq(DRIVER->tenant(keeper, "globex", &t), STORE_INVALID);
}

Test(store_sqlite_operator, removing_a_tenant_takes_its_logins_along_and_no_statement) {
    struct scope_login l = login('a');
    add("one");
    cr_assert_eq(DRIVER->scope_set(admin, "acme", SCOPE_ADMIN, &l, &change), STORE_OK);
    cr_assert_eq(DRIVER->remove(admin, "acme", &change), STORE_OK);
    add_tenant("acme");
    struct tenant t;
    cr_assert_eq(read_acme(&t), STORE_OK);
    cr_expect(!t.scope[SCOPE_ADMIN].known);
    tenant_end(&t);
    cr_expect_str_eq(statements(0), "1:one;");
}

Test(store_sqlite_operator, an_older_store_becomes_a_newer_one) {
    cr_assert_str_eq(
        tamper("DROP TABLE scope_login; DROP TABLE operator; DROP TABLE statement; DROP TABLE erased;"
               "ALTER TABLE tenant DROP COLUMN admins;"
               "UPDATE schema SET version = 1"),
        "");
    DRIVER->close(&admin);
    DRIVER->close(&keeper);
    cr_expect(!DRIVER->open(path, false, key, why));
    cr_expect(strstr(why, "older"), "%s", why);
    cr_assert(admin = DRIVER->open(path, true, key, why), "%s", why);
    cr_assert(keeper = DRIVER->open(path, false, key, why), "%s", why);
    struct tenant t;
    cr_expect_eq(read_acme(&t), STORE_OK, "what was there stays");
    tenant_end(&t);
    cr_expect_eq(add("one"), 1);
}
