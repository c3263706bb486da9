/* SPDX-License-Identifier: ISC
 *
 * What is sealed for one purpose opens for that purpose, with that key, unchanged; and for nothing else.
 */
#include "seal.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t key[SEAL_KEY] = "the key of this house, 32 bytes.";

static struct writer sealed_into(char *buffer, size_t cap, const char *text) {
    struct writer w = writer_of(buffer, cap);
    seal_close(&w, key, "acme/auth_password", view_text(text));
    return w;
}

static bool opens(struct view sealed, const uint8_t *with, const char *purpose) {
    char text[256];
    struct writer w = writer_of(text, sizeof text);
    bool good = seal_open(&w, with, purpose, sealed);
    cr_expect_eq(good, !w.bad);
    cr_expect(good || w.len == 0, "nothing of a seal that does not open is shown");
    return good;
}

Test(seal, a_secret_comes_back) {
    const char *texts[] = {"", "x", "correct horse battery staple", "1234567890ab"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char box[256], text[64];
        struct writer w = sealed_into(box, sizeof box, texts[i]);
        cr_assert(!w.bad);
        cr_expect_eq(w.len, SEAL_LENGTH(strlen(texts[i])));
        struct writer out = writer_of(text, sizeof text);
        cr_assert(seal_open(&out, key, "acme/auth_password", writer_view(&w)));
        cr_expect(view_equal_text(writer_view(&out), texts[i]));
    }
}

Test(seal, the_same_secret_never_looks_the_same) {
    char one[256], two[256];
    struct writer a = sealed_into(one, sizeof one, "secret"), b = sealed_into(two, sizeof two, "secret");
    cr_expect(!view_equal(writer_view(&a), writer_view(&b)));
}

Test(seal, a_seal_moved_to_another_row_does_not_open) {
    char box[256];
    struct writer w = sealed_into(box, sizeof box, "secret");
    cr_expect(opens(writer_view(&w), key, "acme/auth_password"));
    cr_expect(!opens(writer_view(&w), key, "globex/auth_password"));
    cr_expect(!opens(writer_view(&w), key, "acme/client_key"));
    cr_expect(!opens(writer_view(&w), key, ""));
}

Test(seal, another_key_does_not_open_it) {
    char box[256];
    struct writer w = sealed_into(box, sizeof box, "secret");
    uint8_t other[SEAL_KEY];
    memcpy(other, key, SEAL_KEY);
    other[31] ^= 1;
    cr_expect(!opens(writer_view(&w), other, "acme/auth_password"));
}

Test(seal, any_changed_byte_is_noticed) {
    char box[256];
    struct writer w = sealed_into(box, sizeof box, "secret");
    for (size_t i = 0; i < w.len; i++) {
        char kept = box[i];
        box[i] = kept == 'A' ? 'B' : 'A';
        cr_expect(!opens(writer_view(&w), key, "acme/auth_password"), "byte %zu", i);
        box[i] = kept;
    }
    for (size_t n = 0; n < w.len; n++)
        cr_expect(!opens(view_of(box, n), key, "acme/auth_password"), "cut to %zu", n);
}

Test(seal, a_secret_that_does_not_fit_is_not_half_written) {
    char box[20];
    struct writer w = sealed_into(box, sizeof box, "secret");
    cr_expect(w.bad);
    cr_expect_eq(w.len, 0);
}

static char folder[] = "/tmp/sekisho-seal-XXXXXX";
static char path[64];

static void make_folder(void) {
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/seal.key", folder);
}

static void remove_folder(void) {
    unlink(path);
    rmdir(folder);
}

static void write_file(const char *content, mode_t mode) {
    FILE *f = fopen(path, "w");
    cr_assert(f);
    fputs(content, f);
    fclose(f);
    cr_assert_eq(chmod(path, mode), 0);
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

Test(seal, a_key_is_made_once_and_read, .init = make_folder, .fini = remove_folder) {
    uint8_t first[SEAL_KEY], again[SEAL_KEY];
    char why[256];
    cr_assert(seal_key_make(path, why), "%s", why);
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 07777, 0600);
    cr_assert(seal_key_read(path, first, why), "%s", why);
    cr_expect(!seal_key_make(path, why), "a key is never made over another");
    cr_expect(strstr(why, path) && strstr(why, "exists"));
    cr_assert(seal_key_read(path, again, why));
    cr_expect_eq(memcmp(first, again, SEAL_KEY), 0);
}

Test(seal, a_key_file_that_others_may_read_is_refused, .init = make_folder, .fini = remove_folder) {
    uint8_t read[SEAL_KEY];
    char why[256];
    write_file(ZEROS "\n", 0400);
    cr_expect(seal_key_read(path, read, why));
    write_file(ZEROS "\n", 0640);
    cr_expect(!seal_key_read(path, read, why));
    cr_expect(strstr(why, "0600"));
}

Test(seal, a_key_file_is_64_digits_and_a_newline, .init = make_folder, .fini = remove_folder) {
    const char *bad[] = {"", ZEROS, ZEROS "0", ZEROS "\n\n", "x" ZEROS, ZEROS "0\n"};
    uint8_t read[SEAL_KEY];
    char why[256];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_file(bad[i], 0600);
        cr_expect(!seal_key_read(path, read, why), "%zu", i);
        cr_expect(strstr(why, "64 hex digits"));
    }
    char link[80];
    write_file(ZEROS "\n", 0600);
    snprintf(link, sizeof link, "%s/link", folder);
    cr_assert_eq(symlink(path, link), 0);
    cr_expect(!seal_key_read(link, read, why), "a link is not followed");
    unlink(link);
    cr_expect(!seal_key_read("/nonexistent/seal.key", read, why));
}
