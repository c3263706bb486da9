/* SPDX-License-Identifier: ISC
 *
 * scram_client.c: our login at an instance, friendly or hostile; and both of our sides talking to each other.
 */
#include "digest.h"
#include "scram_fixture.h"

#include <criterion/criterion.h>

static struct verifier pencil;
static uint8_t pencil_key[SCRAM_KEY];

static void set_up(void) {
    pencil = rfc_verifier();
    rfc_client_key(pencil_key);
}

TestSuite(scram_client, .init = set_up);

/* A client that has sent RFC 7677's first message. */
static void rfc_client(struct scram_client *c) {
    struct message out;
    scram_client_first(c, false, &no_binding, message_clear(&out));
    struct writer nonce = writer_of(c->nonce, sizeof c->nonce);
    writer_text(&nonce, RFC_CLIENT_NONCE);
    c->nonce_len = nonce.len;
    struct writer transcript = writer_of(c->transcript, sizeof c->transcript);
    writer_text(&transcript, RFC_CLIENT_FIRST_BARE);
    c->transcript_len = transcript.len;
}

static enum scram_result answer(struct scram_client *c, struct view server_first, struct message *out) {
    struct view heap = exactly(server_first);
    enum scram_result result =
        scram_client_final(c, heap, &no_binding, &pencil, pencil_key, message_clear(out));
    free((void *)heap.at);
    return result;
}

static enum scram_result check(struct scram_client *c, struct view server_final) {
    struct view heap = exactly(server_final);
    enum scram_result result = scram_client_check(c, heap);
    free((void *)heap.at);
    return result;
}

static void check_refused(const struct scram_client *c, const char *message) {
    struct scram_client bare = *c;
    bare.magic = 0;
    bare.why = NULL;
    cr_assert_not_null(c->why, "%s: no reason", message);
    cr_assert(all_zero(&bare, sizeof bare), "%s: the refused exchange is not wiped", message);
}

Test(scram_client, answers_as_rfc_7677_shows) {
    struct scram_client c;
    struct message out;
    rfc_client(&c);
    cr_assert_eq(answer(&c, view_text(RFC_SERVER_FIRST), &out), SCRAM_OK, "%s", c.why);
    cr_assert(message_is(&out, RFC_CLIENT_FINAL));
    cr_assert_eq(check(&c, view_text(RFC_SERVER_FINAL)), SCRAM_OK, "%s", c.why);
    cr_assert(all_zero(c.server_key, sizeof c.server_key));
}

Test(scram_client, binds_when_both_can_and_says_when_only_we_can) {
    static const struct {
        bool offered_plus;
        const struct scram_channel *channel;
        const char *mechanism, *start;
    } cases[] = {
        {true, &with_binding, PLUS, "p=tls-server-end-point,,n=,r="},
        {false, &with_binding, PLAIN, "y,,n=,r="},
        {true, &no_binding, PLAIN, "n,,n=,r="},
        {false, &no_binding, PLAIN, "n,,n=,r="},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scram_client c;
        struct message out;
        scram_client_first(&c, cases[i].offered_plus, cases[i].channel, message_clear(&out));
        cr_assert_str_eq(scram_client_mechanism(&c), cases[i].mechanism);
        cr_assert(view_starts(message_view(&out), cases[i].start));
        cr_assert_eq(out.w.len, strlen(cases[i].start) + 24);
    }
}

struct reply {
    const char *message;
    enum scram_result result;
};

Test(scram_client, refuses_a_hostile_first_message) {
    static const struct reply replies[] = {
        {"", SCRAM_MALFORMED},
        {"r", SCRAM_MALFORMED},
        {"r=" RFC_NONCE, SCRAM_MALFORMED},
        {"r=" RFC_NONCE ",s=" RFC_SALT, SCRAM_MALFORMED},
        {"r=" RFC_NONCE ",i=4096", SCRAM_MALFORMED},
        {"r=" RFC_NONCE ",i=4096,s=" RFC_SALT, SCRAM_MALFORMED},
        {"s=" RFC_SALT ",r=" RFC_NONCE ",i=4096", SCRAM_MALFORMED},
        {RFC_SERVER_FIRST ",", SCRAM_MALFORMED},
        {RFC_SERVER_FIRST ",i=4096", SCRAM_MALFORMED},
        {RFC_SERVER_FIRST ",v=AAAA", SCRAM_MALFORMED},
        {"m=x," RFC_SERVER_FIRST, SCRAM_MALFORMED},
        {RFC_SERVER_FIRST ",m=x", SCRAM_MALFORMED},
        {"e=other-error", SCRAM_MALFORMED},
        {RFC_SERVER_FINAL, SCRAM_MALFORMED},
        /* the nonce is not a continuation of ours */
        {"r=,s=" RFC_SALT ",i=4096", SCRAM_MALFORMED},
        {"r=" RFC_CLIENT_NONCE ",s=" RFC_SALT ",i=4096", SCRAM_MALFORMED},
        {"r=rOprNGfwEbeRWgbNEkq" RFC_SERVER_NONCE ",s=" RFC_SALT ",i=4096", SCRAM_MALFORMED},
        {"r=x" RFC_NONCE ",s=" RFC_SALT ",i=4096", SCRAM_MALFORMED},
        {"r=" RFC_SERVER_NONCE ",s=" RFC_SALT ",i=4096", SCRAM_MALFORMED},
        {"r=" RFC_NONCE "\n,s=" RFC_SALT ",i=4096", SCRAM_MALFORMED},
        {"r=" RFC_NONCE "\xff,s=" RFC_SALT ",i=4096", SCRAM_MALFORMED},
        /* iterations */
        {"r=" RFC_NONCE ",s=" RFC_SALT ",i=", SCRAM_MALFORMED},
        {"r=" RFC_NONCE ",s=" RFC_SALT ",i=0", SCRAM_MALFORMED},
        {"r=" RFC_NONCE ",s=" RFC_SALT ",i=-4096", SCRAM_MALFORMED},
        {"r=" RFC_NONCE ",s=" RFC_SALT ",i=+4096", SCRAM_MALFORMED},
        {"r=" RFC_NONCE ",s=" RFC_SALT ",i=04096", SCRAM_MALFORMED},
        {"r=" RFC_NONCE ",s=" RFC_SALT ",i=4096 ", SCRAM_MALFORMED},
        {"r=" RFC_NONCE ",s=" RFC_SALT ",i=0x1000", SCRAM_MALFORMED},
        {"r=" RFC_NONCE ",s=" RFC_SALT ",i=4294971392", SCRAM_MALFORMED}, /* 2^32 + 4096 */
        {"r=" RFC_NONCE ",s=" RFC_SALT ",i=99999999999999999999999999", SCRAM_MALFORMED},
        {"r=" RFC_NONCE ",s=" RFC_SALT ",i=1", SCRAM_DENIED},
        {"r=" RFC_NONCE ",s=" RFC_SALT ",i=4095", SCRAM_DENIED},
        {"r=" RFC_NONCE ",s=" RFC_SALT ",i=4294967295", SCRAM_DENIED},
        /* salt */
        {"r=" RFC_NONCE ",s=,i=4096", SCRAM_MALFORMED},
        {"r=" RFC_NONCE ",s=====,i=4096", SCRAM_MALFORMED},
        {"r=" RFC_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ,i=4096", SCRAM_MALFORMED},
        {"r=" RFC_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gR==,i=4096", SCRAM_MALFORMED},
        {"r=" RFC_NONCE ",s=W22Z aJ0SNY7soEsUEjb6gQ==,i=4096", SCRAM_MALFORMED},
        {"r=" RFC_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gA==,i=4096", SCRAM_DENIED},
        {"r=" RFC_NONCE ",s=W22ZaJ0SNY7soEsUEjb6,i=4096", SCRAM_DENIED},
        {"r=" RFC_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQAA,i=4096", SCRAM_DENIED},
    };
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        struct scram_client c;
        struct message out;
        rfc_client(&c);
        cr_assert_eq(answer(&c, view_text(replies[i].message), &out), replies[i].result, "'%s' (%s)",
                     replies[i].message, c.why);
        cr_assert_eq(out.w.len, 0, "%s: a proof for a refused message", replies[i].message);
        check_refused(&c, replies[i].message);
    }
}

Test(scram_client, says_that_the_verifier_changed) {
    struct scram_client c;
    struct message out;
    rfc_client(&c);
    cr_assert_eq(answer(&c, view_text("r=" RFC_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gA==,i=4096"), &out),
                 SCRAM_DENIED);
    cr_assert_str_eq(c.why, "verifier changed");
}

/* CVE-2026-6665: a backend's SCRAM message longer than the buffer meant for it. */
Test(scram_client, cve_2026_6665_bounds_every_message_of_the_instance) {
    static char text[1 << 20];
    static const char *const heads[] = {"r=" RFC_NONCE, "r=" RFC_NONCE ",s=",
                                        "r=" RFC_NONCE ",s=" RFC_SALT ",i=", RFC_SERVER_FIRST ",x=", "e="};
    static const size_t lengths[] = {300, 512, SCRAM_MESSAGE_MAX, SCRAM_MESSAGE_MAX + 1, 8192, sizeof text};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
            struct scram_client c;
            struct message out;
            memset(text, 'A', sizeof text);
            memcpy(text, heads[i], strlen(heads[i]));
            rfc_client(&c);
            enum scram_result result = answer(&c, view_of(text, lengths[k]), &out);
            cr_assert_eq(result, i == 3 && lengths[k] <= SCRAM_MESSAGE_MAX ? SCRAM_OK : SCRAM_MALFORMED,
                         "%s %zu", heads[i], lengths[k]);
            cr_assert_leq(out.w.len, SCRAM_MESSAGE_MAX);
            rfc_client(&c);
            cr_assert_eq(answer(&c, view_text(RFC_SERVER_FIRST), &out), SCRAM_OK);
            memcpy(text, "v=", 2);
            cr_assert_eq(check(&c, view_of(text, lengths[k])), SCRAM_MALFORMED);
            check_refused(&c, heads[i]);
        }
}

Test(scram_client, refuses_a_hostile_last_message) {
    static const struct reply replies[] = {
        {"", SCRAM_MALFORMED},
        {"v", SCRAM_MALFORMED},
        {"v=", SCRAM_MALFORMED},
        {"v=AAAA", SCRAM_MALFORMED},
        {"v=!!!!", SCRAM_MALFORMED},
        {RFC_SERVER_FINAL ",", SCRAM_MALFORMED},
        {RFC_SERVER_FINAL "AAAA", SCRAM_MALFORMED},
        {RFC_SERVER_FINAL "," RFC_SERVER_FINAL, SCRAM_MALFORMED},
        {RFC_SERVER_FINAL ",e=invalid-proof", SCRAM_MALFORMED},
        {"x=1," RFC_SERVER_FINAL, SCRAM_MALFORMED},
        {"m=1," RFC_SERVER_FINAL, SCRAM_MALFORMED},
        {"e=invalid-proof," RFC_SERVER_FINAL, SCRAM_MALFORMED},
        {"x=1", SCRAM_MALFORMED},
        {"r=" RFC_NONCE, SCRAM_MALFORMED},
        {RFC_SERVER_FIRST, SCRAM_MALFORMED},
        {"e=invalid-proof", SCRAM_DENIED},
        {"e=", SCRAM_DENIED},
        {"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", SCRAM_DENIED},
    };
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        struct scram_client c;
        struct message out;
        rfc_client(&c);
        cr_assert_eq(answer(&c, view_text(RFC_SERVER_FIRST), &out), SCRAM_OK);
        cr_assert_eq(check(&c, view_text(replies[i].message)), replies[i].result, "'%s' (%s)",
                     replies[i].message, c.why);
        check_refused(&c, replies[i].message);
    }
}

/* Whatever one bit of either message becomes, the instance has then not proven itself. */
Test(scram_client, takes_no_other_exchange_than_the_proven_one) {
    static const char told_first[] = RFC_SERVER_FIRST, told_final[] = RFC_SERVER_FINAL;
    struct scram_client c;
    struct message out;
    for (size_t i = 0; i < 8 * (sizeof told_first - 1); i++) {
        char bytes[sizeof told_first];
        memcpy(bytes, told_first, sizeof bytes);
        bytes[i / 8] = (char)(bytes[i / 8] ^ (1 << i % 8));
        rfc_client(&c);
        enum scram_result result = answer(&c, view_of(bytes, sizeof bytes - 1), &out);
        if (result == SCRAM_OK)
            result = check(&c, view_text(RFC_SERVER_FINAL));
        cr_assert_neq(result, SCRAM_OK, "bit %zu of server-first", i);
    }
    for (size_t i = 0; i < 8 * (sizeof told_final - 1); i++) {
        char bytes[sizeof told_final];
        memcpy(bytes, told_final, sizeof bytes);
        bytes[i / 8] = (char)(bytes[i / 8] ^ (1 << i % 8));
        rfc_client(&c);
        cr_assert_eq(answer(&c, view_text(RFC_SERVER_FIRST), &out), SCRAM_OK);
        cr_assert_neq(check(&c, view_of(bytes, sizeof bytes - 1)), SCRAM_OK, "bit %zu of server-final", i);
    }
}

/* A signature under the zero key that an exchange has before its turn must prove nothing. */
Test(scram_client, refuses_messages_out_of_turn) {
    static const uint8_t zero[SCRAM_KEY];
    struct scram_client c;
    struct message out, forged;
    uint8_t signature[SCRAM_KEY];
    rfc_client(&c);
    struct view transcript = view_of(c.transcript, c.transcript_len);
    digest_hmac(zero, &transcript, 1, signature);
    writer_text(message_clear(&forged), "v=");
    text_base64(&forged.w, view_of(signature, sizeof signature));
    cr_assert_eq(check(&c, message_view(&forged)), SCRAM_MALFORMED, "final before first");
    check_refused(&c, "final before first");

    rfc_client(&c);
    cr_assert_eq(answer(&c, view_text(RFC_SERVER_FIRST), &out), SCRAM_OK);
    cr_assert_eq(answer(&c, view_text(RFC_SERVER_FIRST), &out), SCRAM_MALFORMED, "first twice");
    cr_assert_eq(out.w.len, 0);
    cr_assert_eq(check(&c, view_text(RFC_SERVER_FINAL)), SCRAM_MALFORMED, "final after a refusal");

    rfc_client(&c);
    cr_assert_eq(answer(&c, view_text(RFC_SERVER_FIRST), &out), SCRAM_OK);
    cr_assert_eq(check(&c, view_text(RFC_SERVER_FINAL)), SCRAM_OK);
    cr_assert_eq(check(&c, view_text(RFC_SERVER_FINAL)), SCRAM_MALFORMED, "final twice");
}

Test(scram_client, wipes_everything) {
    struct scram_client c;
    struct message out;
    scram_client_first(&c, false, &no_binding, message_clear(&out));
    scram_client_wipe(&c);
    cr_assert(all_zero(&c, sizeof c));
}

/* A whole login of our client at our server. *key is what the server learned. */
static enum scram_result talk(bool offered_plus, const struct scram_channel *here,
                              const struct scram_channel *there, const struct verifier *verifier,
                              uint8_t key[SCRAM_KEY]) {
    struct scram_client client;
    struct scram_server server;
    struct message said, heard;
    memset(key, 0, SCRAM_KEY);
    scram_client_first(&client, offered_plus, here, message_clear(&said));
    enum scram_result result =
        scram_server_first(&server, view_text(scram_client_mechanism(&client)), message_view(&said), there,
                           verifier, message_clear(&heard));
    if (result != SCRAM_OK)
        return result;
    result =
        scram_client_final(&client, message_view(&heard), here, verifier, pencil_key, message_clear(&said));
    cr_assert_eq(result, SCRAM_OK, "%s", client.why);
    result = scram_server_final(&server, message_view(&said), there, key, message_clear(&heard));
    if (result != SCRAM_OK)
        return result;
    result = scram_client_check(&client, message_view(&heard));
    cr_assert_eq(result, SCRAM_OK, "%s", client.why);
    return result;
}

Test(scram_client, logs_in_at_our_own_server) {
    uint8_t key[SCRAM_KEY];
    struct scram_channel other = with_binding;
    other.binding[31] ^= 1;
    struct scram_channel shorter = with_binding;
    shorter.binding_len = 31;

    cr_assert_eq(talk(false, &no_binding, &no_binding, &pencil, key), SCRAM_OK);
    cr_assert_arr_eq(key, pencil_key, SCRAM_KEY, "the client's key passes through");
    cr_assert_eq(talk(true, &with_binding, &with_binding, &pencil, key), SCRAM_OK);
    cr_assert_arr_eq(key, pencil_key, SCRAM_KEY);
    cr_assert_eq(talk(false, &with_binding, &no_binding, &pencil, key), SCRAM_OK, "y, and rightly so");
    cr_assert_eq(talk(true, &no_binding, &with_binding, &pencil, key), SCRAM_OK, "n is allowed");

    cr_assert_eq(talk(false, &with_binding, &with_binding, &pencil, key), SCRAM_DENIED,
                 "-PLUS was cut from the offer");
    cr_assert_eq(talk(true, &with_binding, &no_binding, &pencil, key), SCRAM_MALFORMED,
                 "-PLUS was put into the offer");
    cr_assert_eq(talk(true, &with_binding, &other, &pencil, key), SCRAM_DENIED,
                 "another certificate in between");
    cr_assert_eq(talk(true, &with_binding, &shorter, &pencil, key), SCRAM_DENIED);
    cr_assert(all_zero(key, sizeof key));
}

Test(scram_client, is_refused_with_another_users_key) {
    uint8_t key[SCRAM_KEY];
    struct verifier pen = verifier_of("pen", "another salt....");
    cr_assert_eq(talk(false, &no_binding, &no_binding, &pen, key), SCRAM_DENIED);
    cr_assert(all_zero(key, sizeof key));
}

/* Whoever knows StoredKey only (a verifier that leaked) cannot play the client, nor the instance without
 * ServerKey. */
Test(scram_client, an_instance_without_the_server_key_is_found_out) {
    struct scram_client client;
    struct scram_server server;
    struct message said, heard;
    uint8_t key[SCRAM_KEY];
    struct verifier thief = pencil;
    memset(thief.server_key, 7, sizeof thief.server_key);
    scram_client_first(&client, false, &no_binding, message_clear(&said));
    cr_assert_eq(scram_server_first(&server, view_text(PLAIN), message_view(&said), &no_binding, &thief,
                                    message_clear(&heard)),
                 SCRAM_OK);
    cr_assert_eq(scram_client_final(&client, message_view(&heard), &no_binding, &pencil, pencil_key,
                                    message_clear(&said)),
                 SCRAM_OK);
    cr_assert_eq(scram_server_final(&server, message_view(&said), &no_binding, key, message_clear(&heard)),
                 SCRAM_OK);
    cr_assert_eq(scram_client_check(&client, message_view(&heard)), SCRAM_DENIED);
}
