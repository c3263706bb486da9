/* SPDX-License-Identifier: ISC
 *
 * Clients arrive at the gate with a server name, at an address, with both or with neither.
 */
#include "route.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct routes *routes;

static struct address at(const char *text) {
    struct address a;
    cr_assert(address_parse_port(view_text(text), false, &a), "%s", text);
    return a;
}

static bool add_address(const char *text, const char *tenant) {
    struct address a = at(text);
    return routes_add_address(routes, &a, tenant);
}

static void begin(void) {
    routes = routes_new();
    cr_assert(routes);
    cr_assert(routes_add_name(routes, "acme.db.example.com", "acme"));
    cr_assert(routes_add_name(routes, "globex.db.example.com", "globex"));
    cr_assert(routes_add_name(routes, "pg.globex.jp", "globex"));
    cr_assert(add_address("192.0.2.10:5432", "globex"));
}

static void end(void) {
    routes_free(&routes);
    cr_expect_null(routes);
    routes_free(&routes);
}

TestSuite(route, .init = begin, .fini = end);

static void expect(const char *name, const char *local, enum route_result result, const char *tenant) {
    struct address a = at(local);
    const char *found = "unset";
    enum route_result r = routes_find(routes, name, &a, &found);
    cr_expect_eq(r, result, "\"%s\" at %s: %d, not %d", name, local, r, result);
    if (tenant)
        cr_expect_str_eq(found ? found : "(none)", tenant);
    else
        cr_expect_null(found, "no tenant is named unless it is the one");
}

#define COMMON "198.51.100.1:5432"

Test(route, by_server_name) {
    expect("acme.db.example.com", COMMON, ROUTE_FOUND, "acme");
    expect("pg.globex.jp", COMMON, ROUTE_FOUND, "globex");
}

Test(route, only_whole_names_match) {
    const char *wrong[] = {"acme",
                           "acme.db.example.co",
                           "acme.db.example.com.",
                           "xacme.db.example.com",
                           "a.acme.db.example.com",
                           "acme.db.example.com.evil.org",
                           "db.example.com",
                           "ACME.db.example.com",
                           "globex.db.example.org",
                           "*.db.example.com",
                           " ",
                           "198.51.100.1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect(wrong[i], COMMON, ROUTE_UNKNOWN, NULL);
    char huge[4096];
    memset(huge, 'a', sizeof huge - 1);
    huge[sizeof huge - 1] = 0;
    expect(huge, COMMON, ROUTE_UNKNOWN, NULL);
}

Test(route, by_dedicated_address) {
    expect("", "192.0.2.10:5432", ROUTE_FOUND, "globex");
    expect("", "192.0.2.10:5433", ROUTE_NO_SIGNAL, NULL);
    expect("", "192.0.2.11:5432", ROUTE_NO_SIGNAL, NULL);
}

Test(route, both_must_agree) {
    expect("globex.db.example.com", "192.0.2.10:5432", ROUTE_FOUND, "globex");
    expect("acme.db.example.com", "192.0.2.10:5432", ROUTE_DISAGREE, NULL);
    expect("nobody.db.example.com", "192.0.2.10:5432", ROUTE_UNKNOWN, NULL);
}

Test(route, neither_goes_to_the_lobby) {
    expect("", COMMON, ROUTE_NO_SIGNAL, NULL);
}

Test(route, a_wildcard_address_stands_for_all_of_its_port) {
    cr_assert(add_address("0.0.0.0:6000", "acme"));
    cr_assert(add_address("192.0.2.20:6000", "globex"));
    cr_assert(add_address("[::]:7000", "acme"));
    expect("", "203.0.113.5:6000", ROUTE_FOUND, "acme");
    expect("", "192.0.2.20:6000", ROUTE_FOUND, "globex");
    expect("", "[2001:db8::1]:6000", ROUTE_NO_SIGNAL, NULL);
    expect("", "[2001:db8::1]:7000", ROUTE_FOUND, "acme");
    expect("", "203.0.113.5:7000", ROUTE_FOUND, "acme");
    expect("globex.db.example.com", "203.0.113.5:6000", ROUTE_DISAGREE, NULL);
}

Test(route, a_key_has_one_owner) {
    cr_expect(routes_add_name(routes, "pg.globex.jp", "globex"), "told twice is no conflict");
    cr_expect(!routes_add_name(routes, "pg.globex.jp", "acme"));
    cr_expect(!add_address("192.0.2.10:5432", "acme"));
    expect("pg.globex.jp", COMMON, ROUTE_FOUND, "globex");
}

Test(route, what_is_no_name_or_no_tenant_is_not_added) {
    struct address none = {0};
    cr_expect(!routes_add_name(routes, "", "acme"));
    cr_expect(!routes_add_name(routes, "PG.acme.jp", "acme"));
    cr_expect(!routes_add_name(routes, "192.0.2.1", "acme"));
    cr_expect(!routes_add_name(routes, "pg.acme.jp", "Acme"));
    cr_expect(!routes_add_address(routes, &none, "acme"));
}
