/* SPDX-License-Identifier: ISC
 *
 * Whose signatures count.
 */
#include "grants_fixture.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char bobs_file[] = "sekisho-key 1\n"
                                "name: bob\n"
                                "role: provider-approver\n"
                                "tenant: -\n"
                                "not-before: 2026-01-01T00:00:00Z\n"
                                "not-after: 2027-01-01T00:00:00Z\n"
                                "withdrawn: -\n"
                                "public: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";

static bool parses_with(const char *from, const char *to) {
    char text[TRUST_FILE_MAX], why[STATEMENT_WHY];
    struct trust_key k;
    const char *at = strstr(bobs_file, from);
    cr_assert(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - bobs_file), bobs_file, to, at + strlen(from));
    bool good = trust_parse(view_text(text), &k, why);
    cr_expect_eq(good, !why[0]);
    return good;
}

Test(trust, a_file_reads_as_it_is_documented) {
    struct trust_key k;
    char why[STATEMENT_WHY], again[TRUST_FILE_MAX];
    struct writer w = writer_of(again, sizeof again);
    cr_assert(trust_parse(view_text(bobs_file), &k, why), "%s", why);
    cr_expect_str_eq(k.name, "bob");
    cr_expect_eq(k.role, TRUST_PROVIDER_APPROVER);
    cr_expect_str_eq(k.tenant, "");
    cr_expect_eq(k.withdrawn, TRUST_NEVER);
    cr_expect_eq(k.public[31], 31);
    cr_expect_str_eq(k.id, "630dcd2966c43366", "SHA-256 of the 32 bytes");
    cr_assert(trust_compose(&k, &w));
    cr_expect(view_equal_text(writer_view(&w), bobs_file));
}

Test(trust, a_file_that_is_not_quite_right_does_not_count) {
    const char *const changes[][2] = {
        {"sekisho-key 1", "sekisho-key 2"},
        {"name: bob", "name: Bob"},
        {"name: bob\n", ""},
        {"role: provider-approver", "role: root"},
        {"role: provider-approver", "role: tenant-approver"}, /* of no tenant */
        {"tenant: -", "tenant: acme"},                        /* a provider's approver of one */
        {"tenant: -\n", ""},
        {"not-after: 2027", "not-after: 2025"},
        {"withdrawn: -", "withdrawn: no"},
        {"withdrawn: -", "withdrawn: "},
        {"AAEC", "AAE"},
        {"AAEC", "AAE*"},
        {"Hh8=\n", "Hh8="},
        {"Hh8=\n", "Hh8=\nmore: 1\n"},
        {"Hh8=\n", "Hh8=\r\n"},
    };
    cr_expect(parses_with("bob", "bob"));
    cr_expect(parses_with("withdrawn: -", "withdrawn: 2026-06-01T00:00:00Z"));
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        cr_expect(!parses_with(changes[i][0], changes[i][1]), "%s -> %s", changes[i][0], changes[i][1]);
}

Test(trust, roles_are_of_a_key_a_tenant_and_a_time) {
    scene_begin();
    const struct trust *t = s.trust;
    uint8_t public[STATEMENT_PUBLIC];
    signing_key_public(dora.key, public);
    cr_expect_eq(trust_roles(t, "dora", public, "acme", TUESDAY), TRUST_TENANT_APPROVER);
    cr_expect_eq(trust_roles(t, "dora", public, "globex", TUESDAY), 0);
    cr_expect_eq(trust_roles(t, "dora", public, "", TUESDAY), 0);
    cr_expect_eq(trust_roles(t, "bob", public, "acme", TUESDAY), 0);
    cr_expect_eq(trust_roles(t, "dora", public, "acme", YEAR_BEFORE - 1), 0);
    cr_expect_eq(trust_roles(t, "dora", public, "acme", YEAR_BEFORE), TRUST_TENANT_APPROVER);
    cr_expect_eq(trust_roles(t, "dora", public, "acme", YEAR_AFTER), 0);
    public[0] ^= 1;
    cr_expect_eq(trust_roles(t, "dora", public, "acme", TUESDAY), 0);
    cr_expect_eq(trust_person(t, "dora", "acme", TUESDAY), TRUST_TENANT_APPROVER);
    cr_expect_eq(trust_person(t, "bob", "", TUESDAY), TRUST_PROVIDER_APPROVER);
    cr_expect_eq(trust_person(t, "erin", "acme", TUESDAY), 0);
    scene_end();
}

Test(trust, a_key_withdrawn_in_one_file_is_withdrawn) {
    struct person p = person("bob");
    struct trust *t = trust_new();
    struct trust_key a = key_file(&p, TRUST_PROVIDER_APPROVER, ""), b = key_file(&p, TRUST_OPERATOR, "");
    b.withdrawn = TUESDAY;
    cr_assert(trust_put(t, a) && trust_put(t, b));
    cr_expect(!trust_put(t, a), "twice");
    cr_expect_eq(trust_withdrawn(t, "bob", a.public), TUESDAY);
    cr_expect_eq(trust_person(t, "bob", "", TUESDAY - 1), TRUST_PROVIDER_APPROVER | TRUST_OPERATOR);
    cr_expect_eq(trust_person(t, "bob", "", TUESDAY), 0);
    trust_free(&t);
    signing_key_free(&p.key);
}

Test(trust, a_key_of_two_names_is_nobodys_from_then_on) {
    struct person p = person("bob"), q = {"robot", p.key};
    struct trust *t = trust_new();
    struct trust_key a = key_file(&p, TRUST_PROVIDER_APPROVER, "");
    cr_assert(trust_put(t, a));
    cr_expect_eq(trust_person(t, "bob", "", TUESDAY), TRUST_PROVIDER_APPROVER);
    cr_expect(!trust_put(t, key_file(&q, TRUST_OPERATOR, "")));
    cr_expect_eq(trust_person(t, "bob", "", TUESDAY), 0);
    cr_expect_eq(trust_person(t, "robot", "", TUESDAY), 0);
    cr_expect(!trust_put(t, key_file(&p, TRUST_TENANT_APPROVER, "acme")));
    cr_expect_eq(trust_person(t, "bob", "acme", TUESDAY), 0);
    trust_free(&t);
    signing_key_free(&p.key);
}

/* --- the folder --- */

static char folder[] = "/tmp/trust-XXXXXX";
static char problems[2048];

static void note_problem(void *arg, const char *file, const char *why) {
    size_t len = strlen(problems);
    snprintf(problems + len, sizeof problems - len, "%s: %s;", file, why);
}

static void write_file(const char *name, const char *text, mode_t mode) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0 && chmod(path, mode) == 0);
}

static void remove_all(void) {
    const char *names[] = {"bob.key", "evil.key", "open.key", "long.key", "notes.txt", ".hidden.key"};
    char path[256];
    for (size_t i = 0; i < 6; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    cr_expect_eq(rmdir(folder), 0);
}

Test(trust, the_folder_is_read_and_every_bad_file_named) {
    char why[256], text[2 * TRUST_FILE_MAX];
    cr_assert(mkdtemp(folder));
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    write_file("bob.key", bobs_file, 0644);
    write_file("evil.key", "name: eve\n", 0600);
    write_file("open.key", bobs_file, 0666);
    write_file("long.key", text, 0600);
    write_file("notes.txt", "no key", 0600);
    write_file(".hidden.key", bobs_file, 0600);
    struct trust *t = trust_load(folder, note_problem, NULL, why);
    cr_assert(t, "%s", why);
    cr_expect_eq(trust_count(t), 1);
    cr_expect_str_eq(trust_at(t, 0)->name, "bob");
    cr_expect(strstr(problems, "evil.key: ") && strstr(problems, "open.key: others") &&
                  strstr(problems, "long.key: "),
              "%s", problems);
    cr_expect(!strstr(problems, "notes") && !strstr(problems, "hidden"));
    trust_free(&t);
    cr_assert_eq(chmod(folder, 0777), 0);
    cr_expect(!trust_load(folder, NULL, NULL, why));
    cr_expect(strstr(why, "others"), "%s", why);
    remove_all();
    cr_expect(!trust_load(folder, NULL, NULL, why));
    cr_expect(why[0]);
}

/* The mark after path got that mode; asked again while the file system's clock stands still between two of
 * its ticks. */
static uint64_t mark_after_chmod(const char *path, mode_t mode, uint64_t before) {
    uint64_t mark = before;
    for (int i = 0; i < 10000 && mark == before; i++) {
        cr_assert_eq(chmod(path, mode), 0);
        mark = trust_mark(folder);
    }
    return mark;
}

/* The broker reads the folder again only when its mark changes: a key made writable by others must not keep
 * counting. */
Test(trust, the_mark_changes_with_every_change_that_counts) {
    char path[256];
    cr_assert(mkdtemp(folder));
    uint64_t empty = trust_mark(folder);
    write_file("bob.key", bobs_file, 0644);
    uint64_t with_bob = trust_mark(folder);
    cr_expect_neq(with_bob, empty);
    cr_expect_eq(trust_mark(folder), with_bob);
    snprintf(path, sizeof path, "%s/bob.key", folder);
    uint64_t open_to_all = mark_after_chmod(path, 0666, with_bob);
    cr_expect_neq(open_to_all, with_bob);
    cr_expect_neq(mark_after_chmod(folder, 0777, open_to_all), open_to_all);
    remove_all();
}
