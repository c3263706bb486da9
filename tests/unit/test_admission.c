/* SPDX-License-Identifier: ISC
 *
 * Alice of acme asks for a session. The directory also knows globex, which no answer to her may show.
 */
#include "admission.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct snapshot *snapshot;
static struct verdict verdict;

static const struct admission_limits limits = {.max_connections = 10, .tenant_max_connections = 4};
static struct admission_counts counts;
static struct admission_request alice;

static void join(const char *id, enum tenant_state state, const char *allowed, uint32_t most,
                 bool reachable) {
    struct tenant t;
    struct view bad;
    const char *why = NULL;
    tenant_begin(&t);
    snprintf(t.id, sizeof t.id, "%s", id);
    t.state = state;
    t.max_connections = most;
    cr_assert(ranges_parse(view_text(allowed), &t.allowed, &bad));
    snprintf(t.instance_host, sizeof t.instance_host, "%s.internal", id);
    t.instance_port = 5432;
    if (reachable)
        t.address[t.address_count++] = (struct address){.family = 4, .bytes = {10, 0, 0, 1}, .port = 5432};
    cr_assert(snapshot_add(snapshot, &t, &why), "%s", why);
}

static void begin(void) {
    snapshot = snapshot_new(1, (struct moment){0, 0});
    join("acme", TENANT_ACTIVE, "203.0.113.0/24", 0, true);
    join("globex", TENANT_ACTIVE, "", 0, true);
    join("small", TENANT_ACTIVE, "", 1, true);
    join("away", TENANT_ACTIVE, "", 0, false);
    join("asleep", TENANT_SUSPENDED, "", 0, true);
    join("gone", TENANT_RETIRED, "", 0, true);
    alice = (struct admission_request){.tenant = "acme",
                                       .user = view_text("alice"),
                                       .database = view_text("app"),
                                       .application = view_text("psql"),
                                       .replication = view_text("")};
    cr_assert(address_parse(view_text("203.0.113.9"), &alice.client));
    counts = (struct admission_counts){0, 0};
}

static void end(void) {
    snapshot_free(&snapshot);
}

TestSuite(admission, .init = begin, .fini = end);

static void from(const char *address) {
    cr_assert(address_parse(view_text(address), &alice.client));
}

static void admitted(void) {
    admission_decide(snapshot, &limits, &counts, &alice, &verdict);
    cr_assert(verdict.admitted, "%s", verdict.failure.sentence);
    cr_expect_eq(verdict.refusal, REFUSAL_NONE);
    cr_expect_str_eq(verdict.tenant->id, alice.tenant);
}

static void refused(enum refusal why, const char *sqlstate, const char *sentence) {
    admission_decide(snapshot, &limits, &counts, &alice, &verdict);
    cr_assert(!verdict.admitted);
    cr_expect_eq(verdict.refusal, why, "%s", refusal_name(verdict.refusal));
    cr_expect_str_eq(verdict.failure.sqlstate, sqlstate);
    cr_expect_str_eq(verdict.failure.sentence, sentence);
    cr_expect(verdict.failure.hint[0] && verdict.failure.cause[0]);
    cr_expect_null(verdict.tenant, "who is refused is not told where to go");
    cr_expect(!strstr(verdict.failure.sentence, "globex") && !strstr(verdict.failure.hint, "globex"));
}

Test(admission, alice_gets_in) {
    admitted();
    cr_expect_eq(verdict.failure.sentence[0], 0);
}

Test(admission, without_a_snapshot_nobody_gets_in) {
    snapshot_free(&snapshot);
    refused(REFUSAL_DIRECTORY, "57P03", "the proxy is not yet ready for connections");
}

Test(admission, an_empty_snapshot_admits_nobody) {
    snapshot_free(&snapshot);
    snapshot = snapshot_new(2, (struct moment){0, 0});
    refused(REFUSAL_UNKNOWN_TENANT, "08004", "tenant \"acme\" does not accept connections");
}

Test(admission, unknown_suspended_and_retired_read_the_same) {
    char hint[256];
    alice.tenant = "nobody";
    refused(REFUSAL_UNKNOWN_TENANT, "08004", "tenant \"nobody\" does not accept connections");
    snprintf(hint, sizeof hint, "%s", verdict.failure.hint);
    alice.tenant = "asleep";
    refused(REFUSAL_TENANT_STATE, "08004", "tenant \"asleep\" does not accept connections");
    cr_expect_str_eq(verdict.failure.hint, hint);
    cr_expect_str_eq(verdict.failure.cause, "tenant is suspended");
    alice.tenant = "gone";
    refused(REFUSAL_TENANT_STATE, "08004", "tenant \"gone\" does not accept connections");
    cr_expect_str_eq(verdict.failure.hint, hint);
}

Test(admission, an_address_outside_the_ranges) {
    from("198.51.100.1");
    refused(REFUSAL_ADDRESS, "28000", "connections from 198.51.100.1 are not allowed for tenant \"acme\"");
    cr_expect_str_eq(verdict.failure.hint, "ask the tenant's administrator to add the address range");
    from("2001:db8::1");
    refused(REFUSAL_ADDRESS, "28000", "connections from 2001:db8::1 are not allowed for tenant \"acme\"");
    from("::ffff:203.0.113.9");
    admitted();
    alice.tenant = "globex"; /* without ranges: from anywhere */
    from("198.51.100.1");
    admitted();
}

Test(admission, reserved_roles_never_get_in) {
    const char *reserved[] = {"sekisho_auth", "sekisho_", "pg_monitor", "pg_"};
    for (size_t i = 0; i < 4; i++) {
        alice.user = view_text(reserved[i]);
        refused(REFUSAL_RESERVED_ROLE, "28000",
                "roles whose names start with \"sekisho_\" or \"pg_\" cannot log in through the proxy");
    }
    const char *ordinary[] = {"sekisho", "pg", "pgadmin", "PG_x", "my_pg_", ""};
    for (size_t i = 0; i < 6; i++)
        cr_expect(!role_reserved(view_text(ordinary[i])), "%s", ordinary[i]);
}

Test(admission, the_tenants_limit_then_the_proxys) {
    counts.tenant = 3;
    admitted();
    counts.tenant = 4;
    refused(REFUSAL_LIMIT, "53300", "too many connections for tenant \"acme\"");
    counts = (struct admission_counts){.all = 9};
    admitted();
    counts.all = 10;
    refused(REFUSAL_LIMIT, "53300", "too many connections");
    alice.tenant = "small"; /* its own limit is 1 */
    counts = (struct admission_counts){.all = 1, .tenant = 0};
    admitted();
    counts.tenant = 1;
    refused(REFUSAL_LIMIT, "53300", "too many connections for tenant \"small\"");
}

Test(admission, an_instance_without_address) {
    alice.tenant = "away";
    refused(REFUSAL_INSTANCE_UNREACHABLE, "08001", "the database of tenant \"away\" cannot be reached");
    cr_expect(!strstr(verdict.failure.sentence, "internal"), "the instance's name is the provider's");
    cr_expect(strstr(verdict.failure.cause, "away.internal"));
}

Test(admission, the_first_objection_decides) {
    from("198.51.100.1");
    alice.user = view_text("pg_x");
    counts.tenant = 100;
    refused(REFUSAL_ADDRESS, "28000", "connections from 198.51.100.1 are not allowed for tenant \"acme\"");
    alice.tenant = "asleep";
    refused(REFUSAL_TENANT_STATE, "08004", "tenant \"asleep\" does not accept connections");
}

Test(admission, a_running_session_is_judged_by_each_new_snapshot) {
    struct failure why;
    struct address elsewhere;
    cr_assert(address_parse(view_text("198.51.100.1"), &elsewhere));
    cr_expect(admission_still(snapshot, "acme", &alice.client, &why));
    cr_expect(admission_still(snapshot, "away", &alice.client, &why),
              "a session that has its connection keeps it");
    cr_expect(!admission_still(snapshot, "acme", &elsewhere, &why));
    cr_expect_str_eq(why.sqlstate, "57P01");
    cr_expect_str_eq(why.sentence,
                     "terminating connection because 198.51.100.1 is no longer allowed for tenant \"acme\"");
    const char *closed[] = {"asleep", "gone", "nobody"};
    for (size_t i = 0; i < 3; i++) {
        cr_expect(!admission_still(snapshot, closed[i], &alice.client, &why), "%s", closed[i]);
        cr_expect_str_eq(why.sqlstate, "57P01");
    }
    cr_expect(!admission_still(NULL, "acme", &alice.client, &why));
}

Test(admission, every_refusal_has_a_name_of_its_own) {
    for (int i = 0; i < REFUSAL_COUNT; i++)
        for (int k = 0; k < i; k++)
            cr_expect_str_neq(refusal_name((enum refusal)i), refusal_name((enum refusal)k));
    cr_expect_str_eq(refusal_name(REFUSAL_NONE), "none");
    cr_expect_str_eq(refusal_name(REFUSAL_OVERLOAD), "too many unfinished logins");
}
