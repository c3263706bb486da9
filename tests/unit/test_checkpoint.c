/* SPDX-License-Identifier: ISC
 *
 * A checkpoint's signature: made once, good for exactly one line of exactly one chain and one key; and the
 * same for a program that is not ours.
 */
#include "checkpoint.h"
#include "log_fixture.h"
#include "text.h"

#include <sys/stat.h>

static struct checkpoint_key *key;
static uint8_t public[CHECKPOINT_PUBLIC];
static uint8_t prev[32];
static char signature[CHECKPOINT_SIGNATURE_TEXT + 1];

static struct checkpoint said(void) {
    return (struct checkpoint){"acme", 1234, view_text("2026-11-25T21:30:00.000+09:00"), prev};
}

static void begin(void) {
    folder_make();
    key = checkpoint_key_make();
    cr_assert(key);
    checkpoint_key_public(key, public);
    memset(prev, 0xAB, sizeof prev);
    struct checkpoint c = said();
    cr_assert(checkpoint_sign(key, &c, signature));
}

static void end(void) {
    checkpoint_key_free(&key);
    folder_remove();
}

static bool good(struct checkpoint c) {
    return checkpoint_verify(public, &c, view_text(signature));
}

TestSuite(checkpoint, .init = begin, .fini = end);

Test(checkpoint, a_signature_is_good_for_what_was_signed_only) {
    cr_assert(good(said()));
    struct checkpoint c = said();
    c.tenant = "globex";
    cr_expect_not(good(c));
    c = said();
    c.tenant = "";
    cr_expect_not(good(c));
    c = said();
    c.n++;
    cr_expect_not(good(c));
    c = said();
    c.time = view_text("2026-11-25T21:30:00.001+09:00");
    cr_expect_not(good(c));
    c = said();
    uint8_t other[32] = {0};
    c.prev = other;
    cr_expect_not(good(c));
}

Test(checkpoint, the_wrong_key_never_verifies) {
    struct checkpoint_key *another = checkpoint_key_make();
    uint8_t theirs[CHECKPOINT_PUBLIC];
    checkpoint_key_public(another, theirs);
    struct checkpoint c = said();
    cr_expect_not(checkpoint_verify(theirs, &c, view_text(signature)));
    checkpoint_key_free(&another);
}

Test(checkpoint, every_changed_character_of_a_signature_is_bad) {
    for (size_t i = 0; i < CHECKPOINT_SIGNATURE_TEXT; i++) {
        char kept = signature[i];
        signature[i] = kept == 'A' ? 'B' : 'A';
        cr_expect_not(good(said()), "character %zu", i);
        signature[i] = kept;
    }
    struct checkpoint c = said();
    cr_expect_not(checkpoint_verify(public, &c, view_text("")));
    cr_expect_not(checkpoint_verify(public, &c, view_of(signature, CHECKPOINT_SIGNATURE_TEXT - 4)));
    cr_assert(good(said()));
}

Test(checkpoint, keys_travel_as_pem) {
    char private[CHECKPOINT_PEM_MAX], open[CHECKPOINT_PEM_MAX], again[CHECKPOINT_PEM_MAX], why[256];
    char id[CHECKPOINT_KEY_ID + 1];
    uint8_t read[CHECKPOINT_PUBLIC];
    cr_assert(checkpoint_key_write(key, private, open));
    put_text("key", private, "w");
    put_text("pub", open, "w");
    struct checkpoint_key *copy = checkpoint_key_read(in_folder("key"), why);
    cr_assert(copy, "%s", why);
    checkpoint_key_public(copy, read);
    cr_expect_arr_eq(read, public, sizeof read);
    checkpoint_key_free(&copy);
    cr_assert(checkpoint_public_read(in_folder("pub"), read, why), "%s", why);
    cr_expect_arr_eq(read, public, sizeof read);
    cr_assert(checkpoint_public_write(read, again));
    cr_expect_str_eq(again, open);
    checkpoint_key_id(read, id);
    cr_expect_eq(strlen(id), CHECKPOINT_KEY_ID);
}

Test(checkpoint, what_is_no_key_is_refused) {
    char why[256], private[CHECKPOINT_PEM_MAX], open[CHECKPOINT_PEM_MAX];
    uint8_t read[CHECKPOINT_PUBLIC];
    cr_assert(checkpoint_key_write(key, private, open));
    put_text("pub", open, "w");
    cr_expect_null(checkpoint_key_read(in_folder("pub"), why));
    cr_expect(strstr(why, "not an Ed25519 private key"), "%s", why);
    cr_expect_null(checkpoint_key_read(in_folder("nothing"), why));
    put_text("key", private, "w");
    cr_expect_not(checkpoint_public_read(in_folder("key"), read, why));
    char longer[2000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    put_text("long", longer, "w");
    cr_expect_null(checkpoint_key_read(in_folder("long"), why));
    cr_expect(strstr(why, "longer"), "%s", why);
}

Test(checkpoint, openssl_verifies_it_too) {
    char private[CHECKPOINT_PEM_MAX], open[CHECKPOINT_PEM_MAX], hex[65], text[512], command[1024];
    cr_assert(checkpoint_key_write(key, private, open));
    put_text("pub", open, "w");
    struct writer w = writer_of(hex, sizeof hex);
    text_hex(&w, view_of(prev, sizeof prev));
    hex[64] = 0;
    snprintf(text, sizeof text, "sekisho checkpoint v1\nacme\n1234\n2026-11-25T21:30:00.000+09:00\n%s\n",
             hex);
    put_text("signed", text, "w");
    put_text("base64", signature, "w");
    snprintf(command, sizeof command,
             "cd %s && openssl base64 -d -A -in base64 -out raw && openssl pkeyutl -verify -rawin -pubin "
             "-inkey pub "
             "-in signed -sigfile raw >out 2>&1 && "
             "[ \"$(openssl pkey -pubin -in pub -outform DER | tail -c 32 | sha256sum | cut -c1-16)\" = "
             "\"$(cat id)\" ]",
             log_folder);
    char id[CHECKPOINT_KEY_ID + 1];
    checkpoint_key_id(public, id);
    put_text("id", id, "w");
    cr_expect_eq(system(command), 0);
}
