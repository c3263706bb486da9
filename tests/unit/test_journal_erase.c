/* SPDX-License-Identifier: ISC
 *
 * The end of one tenant's log: the provider's log says so first, and nobody else's changes by a byte.
 */
#include "journal_fixture.h"

static struct checkpoint_key *key;

static void two_tenants(void) {
    key = checkpoint_key_make();
    rules = (struct journal_rules){.zone = {false, 540}, .key = key, .rotate_bytes = 1000};
    begin();
    for (int i = 1; i <= 10; i++) {
        cr_assert(append("acme", EVENT_SESSION_CANCEL, 7, "alice"));
        cr_assert(append("globex", EVENT_SESSION_CANCEL, 7, "gina"));
        flush();
    }
}

static void end_signed(void) {
    end();
    checkpoint_key_free(&key);
}

TestSuite(journal_erase, .init = two_tenants, .fini = end_signed);

static bool is_there(const char *name) {
    struct stat s;
    return stat(in_folder(name), &s) == 0;
}

Test(journal_erase, the_providers_log_says_what_was_erased) {
    struct verify_report before, after;
    verify_chain(in_folder("acme"), "acme", &before);
    char command[512], head[65];
    for (int i = 0; i < 32; i++)
        snprintf(head + 2 * i, 3, "%02x", before.head[i]);
    cr_assert(journal_erase(journal, "acme", "bob, carol", seconds_past_noon(1)));
    cr_expect_not(is_there("acme"));
    cr_expect_eq(told_in("_provider", "\"event\":\"tenant.erased\""), 1);
    snprintf(command, sizeof command, "\"sha256\":\"%s\"", head);
    cr_expect_eq(told_in("_provider", command), 1);
    snprintf(command, sizeof command, "\"erased\":\"acme\",\"last\":%lu,\"files\":", before.records);
    cr_expect_eq(told_in("_provider", command), 1);
    cr_expect_eq(told_in("_provider", "\"actor\":\"bob, carol\""), 1);
    cr_expect_eq(told_in("_provider", "ledger.checkpoint"), 1, "signed before anything was deleted");
    verify_chain(in_folder("_provider"), "", &after);
    cr_expect(after.good, "%s", after.why);
}

Test(journal_erase, every_other_file_stays_byte_for_byte) {
    char command[512];
    snprintf(command, sizeof command, "cd %s && sha256sum globex/* >before", log_folder);
    cr_assert_eq(system(command), 0);
    cr_assert(journal_erase(journal, "acme", "bob, carol", seconds_past_noon(1)));
    snprintf(command, sizeof command, "cd %s && sha256sum globex/* | cmp - before", log_folder);
    cr_expect_eq(system(command), 0);
    cr_assert(append("globex", EVENT_SESSION_CANCEL, 7, "gina"));
    cr_expect_str_eq(flush(), "globex+");
    struct verify_report report;
    verify_chain(in_folder("globex"), "globex", &report);
    cr_expect(report.good, "%s", report.why);
}

Test(journal_erase, nothing_more_is_written_for_it) {
    cr_assert(journal_erase(journal, "acme", "bob, carol", seconds_past_noon(1)));
    cr_expect_not(append("acme", EVENT_SESSION_CANCEL, 7, "alice"));
    flush();
    cr_expect_not(is_there("acme"));
    char why[256];
    cr_expect(journal_healthy(journal, why), "%s", why);
    cr_expect(journal_erase(journal, "acme", "bob, carol", seconds_past_noon(2)), "twice is once");
    cr_expect_eq(told_in("_provider", "tenant.erased"), 1);
}

Test(journal_erase, a_log_that_never_was_is_gone_already) {
    cr_expect(journal_erase(journal, "initech", "bob, carol", seconds_past_noon(1)));
    cr_expect_not(is_there("_provider"), "nothing to be told");
}

Test(journal_erase, without_its_record_nothing_is_deleted) {
    sync_errors = 1;
    cr_expect_not(journal_erase(journal, "acme", "bob, carol", seconds_past_noon(1)));
    cr_expect(is_there(ACME));
    cr_assert_eq(journal_recover(journal, seconds_past_noon(2)), 0);
    cr_expect(journal_erase(journal, "acme", "bob, carol", seconds_past_noon(3)));
    cr_expect_not(is_there("acme"));
}

Test(journal_erase, a_folder_that_cannot_be_emptied_is_tried_again) {
    append_only = true;
    cr_expect_not(journal_erase(journal, "acme", "bob, carol", seconds_past_noon(1)));
    append_only = false;
    cr_expect(journal_erase(journal, "acme", "bob, carol", seconds_past_noon(2)));
    cr_expect_eq(told_in("_provider", "tenant.erased"), 1, "said once");
    cr_expect_not(is_there("acme"));
}
