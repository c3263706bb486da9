/* SPDX-License-Identifier: ISC
 *
 * scram_server.c: what a stranger may say to us, and what we make of it. Mallory plays the stranger.
 */
#include "scram_fixture.h"

#include <criterion/criterion.h>

static struct verifier pencil;

static void set_up(void) {
    pencil = rfc_verifier();
}

TestSuite(scram_server, .init = set_up);

static enum scram_result first(struct scram_server *s, const char *mechanism, struct view message,
                               const struct scram_channel *channel, struct message *out) {
    struct view heap = exactly(message);
    enum scram_result result = scram_server_first_with(s, view_text(mechanism), heap, channel, &pencil,
                                                       view_text(RFC_SERVER_NONCE), message_clear(out));
    free((void *)heap.at);
    return result;
}

/* The exchange of RFC 7677 with another last message. */
static enum scram_result final(struct scram_server *s, struct view message, uint8_t key[SCRAM_KEY],
                               struct message *out) {
    cr_assert_eq(first(s, PLAIN, view_text("n,," RFC_CLIENT_FIRST_BARE), &no_binding, out), SCRAM_OK);
    struct view heap = exactly(message);
    memset(key, 0xAA, SCRAM_KEY);
    enum scram_result result = scram_server_final(s, heap, &no_binding, key, message_clear(out));
    free((void *)heap.at);
    return result;
}

/* Nothing of a refused exchange may remain but its reason. */
static void check_refused(const struct scram_server *s, const struct message *out, const char *message) {
    struct scram_server bare = *s;
    bare.magic = 0;
    bare.why = NULL;
    cr_assert_not_null(s->why, "%s: no reason", message);
    cr_assert(all_zero(&bare, sizeof bare), "%s: the refused exchange is not wiped", message);
    cr_assert_eq(out->w.len, 0, "%s: an answer to a refused message", message);
}

Test(scram_server, answers_as_rfc_7677_shows) {
    struct scram_server s;
    struct message out;
    uint8_t key[SCRAM_KEY];
    cr_assert_eq(first(&s, PLAIN, view_text("n,," RFC_CLIENT_FIRST_BARE), &no_binding, &out), SCRAM_OK);
    cr_assert(message_is(&out, RFC_SERVER_FIRST));
    cr_assert_eq(s.gs2_flag, 'n');
    cr_assert_not(s.plus);
    cr_assert_eq(scram_server_final(&s, view_text(RFC_CLIENT_FINAL), &no_binding, key, message_clear(&out)),
                 SCRAM_OK);
    cr_assert(message_is(&out, RFC_SERVER_FINAL));
    cr_assert_not(all_zero(key, sizeof key));
}

Test(scram_server, draws_a_nonce_of_its_own_for_each_exchange) {
    struct scram_server one, two;
    struct message a, b;
    struct view hello = view_text("n,,n=,r=abc");
    cr_assert_eq(scram_server_first(&one, view_text(PLAIN), hello, &no_binding, &pencil, message_clear(&a)),
                 SCRAM_OK);
    cr_assert_eq(scram_server_first(&two, view_text(PLAIN), hello, &no_binding, &pencil, message_clear(&b)),
                 SCRAM_OK);
    cr_assert_eq(one.nonce_len, strlen("abc") + 24);
    cr_assert(view_starts(message_view(&a), "r=abc"));
    cr_assert_not(view_equal(message_view(&a), message_view(&b)));
}

struct opening {
    const char *mechanism;
    const struct scram_channel *channel;
    const char *message;
    enum scram_result result;
};

Test(scram_server, takes_what_clients_send_first) {
    static const struct opening openings[] = {
        {PLAIN, &no_binding, "n,,n=,r=abc", SCRAM_OK},   /* libpq with sslmode=disable */
        {PLAIN, &no_binding, "y,,n=,r=abc", SCRAM_OK},   /* could bind, and we did not offer it */
        {PLAIN, &with_binding, "n,,n=,r=abc", SCRAM_OK}, /* a driver without channel binding */
        {PLUS, &with_binding, "p=tls-server-end-point,,n=,r=abc", SCRAM_OK}, /* libpq over TLS */
        {PLAIN, &no_binding, "n,,n=*,r=abc", SCRAM_OK},                      /* node-postgres' user name */
        {PLAIN, &no_binding, "n,,n=a=2Cb=3Dc,r=abc", SCRAM_OK},
        {PLAIN, &no_binding, "n,,n=,r=abc,x=an extension,Y=another", SCRAM_OK},
        {PLAIN, &no_binding, "n,,n=,r=a=b", SCRAM_OK},
    };
    for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++) {
        const struct opening *o = &openings[i];
        struct scram_server s;
        struct message out;
        cr_assert_eq(first(&s, o->mechanism, view_text(o->message), o->channel, &out), o->result, "%s: %s",
                     o->message, s.why);
        cr_assert(view_starts(message_view(&out), "r=a"));
    }
}

Test(scram_server, refuses_what_is_not_scram_first) {
    static const struct opening openings[] = {
        {"", &no_binding, "n,,n=,r=abc", SCRAM_MALFORMED},
        {"SCRAM-SHA-1", &no_binding, "n,,n=,r=abc", SCRAM_MALFORMED},
        {"scram-sha-256", &no_binding, "n,,n=,r=abc", SCRAM_MALFORMED},
        {"SCRAM-SHA-256-PLUS ", &with_binding, "n,,n=,r=abc", SCRAM_MALFORMED},
        /* the flag does not go with the mechanism */
        {PLUS, &no_binding, "p=tls-server-end-point,,n=,r=abc", SCRAM_MALFORMED},
        {PLUS, &with_binding, "n,,n=,r=abc", SCRAM_MALFORMED},
        {PLUS, &with_binding, "y,,n=,r=abc", SCRAM_MALFORMED},
        {PLUS, &with_binding, "p=tls-unique,,n=,r=abc", SCRAM_MALFORMED},
        {PLUS, &with_binding, "p=tls-server-end-point ,,n=,r=abc", SCRAM_MALFORMED},
        {PLUS, &with_binding, "p=,,n=,r=abc", SCRAM_MALFORMED},
        {PLUS, &with_binding, "p,,n=,r=abc", SCRAM_MALFORMED},
        {PLAIN, &with_binding, "p=tls-server-end-point,,n=,r=abc", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "p=tls-server-end-point,,n=,r=abc", SCRAM_MALFORMED},
        {PLAIN, &with_binding, "y,,n=,r=abc", SCRAM_DENIED}, /* somebody took -PLUS from our offer */
        /* the gs2 header */
        {PLAIN, &no_binding, "", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,", SCRAM_MALFORMED},
        {PLAIN, &no_binding, ",,n=,r=abc", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "N,,n=,r=abc", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "nn,,n=,r=abc", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "z,,n=,r=abc", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n=,r=abc", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,a=postgres,n=,r=abc", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,x,n=,r=abc", SCRAM_MALFORMED},
        /* attributes missing, out of order, twice, unfinished */
        {PLAIN, &no_binding, "n,,r=abc", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,n=", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,n=,", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,n=,r", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,n=,r=", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,n=,r=abc,", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,n=,,r=abc", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,,n=,r=abc", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,r=abc,n=", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,n=,n=,r=abc", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,n=,r=abc,r=abc", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,n=,r=abc,x=1,x=2", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,n=,r=abc,i=1", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,n=,r=abc,x", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,n=,r=abc,1=2", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,m=x,n=,r=abc", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,n=,r=abc,m=x", SCRAM_MALFORMED},
        /* a nonce is printable */
        {PLAIN, &no_binding, "n,,n=,r=a c", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,n=,r=a\tc", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,n=,r=a\x7f", SCRAM_MALFORMED},
        {PLAIN, &no_binding, "n,,n=,r=\xc3\xa9", SCRAM_MALFORMED},
    };
    for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++) {
        const struct opening *o = &openings[i];
        struct scram_server s;
        struct message out;
        cr_assert_eq(first(&s, o->mechanism, view_text(o->message), o->channel, &out), o->result,
                     "%s: '%s' (%s)", o->mechanism, o->message, s.why);
        check_refused(&s, &out, o->message);
    }
}

Test(scram_server, refuses_a_nul_anywhere) {
    static const char hello[] = "n,,n=user,r=abc";
    for (size_t i = 0; i < sizeof hello - 1; i++) {
        char bytes[sizeof hello];
        memcpy(bytes, hello, sizeof hello);
        bytes[i] = 0;
        struct scram_server s;
        struct message out;
        cr_assert_eq(first(&s, PLAIN, view_of(bytes, sizeof hello - 1), &no_binding, &out), SCRAM_MALFORMED,
                     "at %zu", i);
    }
}

Test(scram_server, bounds_the_nonce_and_the_message) {
    char text[8192] = "n,,n=,r=";
    size_t head = strlen(text);
    struct scram_server s;
    struct message out;
    memset(text + head, 'x', sizeof text - head);
    cr_assert_eq(first(&s, PLAIN, view_of(text, head + SCRAM_NONCE_MAX), &no_binding, &out), SCRAM_OK);
    cr_assert_eq(s.nonce_len, SCRAM_NONCE_MAX + strlen(RFC_SERVER_NONCE));
    cr_assert_eq(first(&s, PLAIN, view_of(text, head + SCRAM_NONCE_MAX + 1), &no_binding, &out),
                 SCRAM_MALFORMED);
    check_refused(&s, &out, "a nonce too long");
    cr_assert_eq(first(&s, PLAIN, view_of(text, sizeof text), &no_binding, &out), SCRAM_MALFORMED);
    check_refused(&s, &out, "a message too long");
}

Test(scram_server, takes_the_longest_message_and_the_longest_verifier) {
    char text[SCRAM_MESSAGE_MAX];
    memset(text, 'x', sizeof text);
    memcpy(text, "n,,n=", 5);
    memcpy(text + sizeof text - SCRAM_NONCE_MAX - 3, ",r=", 3);
    uint8_t salt[VERIFIER_SALT_MAX] = {1};
    struct verifier large;
    cr_assert(verifier_make(view_text("pencil"), view_of(salt, sizeof salt), 4096, &large));
    large.iterations = VERIFIER_ITERATIONS_MAX;
    struct scram_server s;
    struct message out;
    cr_assert_eq(scram_server_first_with(&s, view_text(PLAIN), view_of(text, sizeof text), &no_binding,
                                         &large, view_text("01234567890123456789012345678901"),
                                         message_clear(&out)),
                 SCRAM_OK);
    cr_assert_leq(out.w.len, SCRAM_MESSAGE_MAX);
}

struct reply {
    const char *message;
    enum scram_result result;
};

Test(scram_server, refuses_what_is_not_scram_last) {
    static const struct reply replies[] = {
        {"", SCRAM_MALFORMED},
        {"c=biws", SCRAM_MALFORMED},
        {"c=biws,r=" RFC_NONCE, SCRAM_MALFORMED},
        {"c=biws,p=" RFC_PROOF, SCRAM_MALFORMED},
        {"r=" RFC_NONCE ",p=" RFC_PROOF, SCRAM_MALFORMED},
        {"r=" RFC_NONCE ",c=biws,p=" RFC_PROOF, SCRAM_MALFORMED},
        {"p=" RFC_PROOF ",c=biws,r=" RFC_NONCE, SCRAM_MALFORMED},
        {RFC_CLIENT_FINAL ",", SCRAM_MALFORMED},
        {RFC_CLIENT_FINAL ",x=1", SCRAM_MALFORMED},
        {RFC_CLIENT_FINAL ",p=" RFC_PROOF, SCRAM_MALFORMED},
        {"," RFC_CLIENT_FINAL, SCRAM_MALFORMED},
        {"c=biws,c=biws,r=" RFC_NONCE ",p=" RFC_PROOF, SCRAM_MALFORMED},
        {"c=biws,r=" RFC_NONCE ",r=" RFC_NONCE ",p=" RFC_PROOF, SCRAM_MALFORMED},
        {"c=biws,r=" RFC_NONCE ",m=x,p=" RFC_PROOF, SCRAM_MALFORMED},
        {"c=biws,r=" RFC_NONCE ",n=user,p=" RFC_PROOF, SCRAM_MALFORMED},
        /* the nonce */
        {"c=biws,r=,p=" RFC_PROOF, SCRAM_MALFORMED},
        {"c=biws,r=" RFC_CLIENT_NONCE ",p=" RFC_PROOF, SCRAM_MALFORMED},
        {"c=biws,r=" RFC_NONCE "0,p=" RFC_PROOF, SCRAM_MALFORMED},
        /* base64 */
        {"c=biw,r=" RFC_NONCE ",p=" RFC_PROOF, SCRAM_MALFORMED},
        {"c=b=ws,r=" RFC_NONCE ",p=" RFC_PROOF, SCRAM_MALFORMED},
        {"c=biws====,r=" RFC_NONCE ",p=" RFC_PROOF, SCRAM_MALFORMED},
        {"c=bi*s,r=" RFC_NONCE ",p=" RFC_PROOF, SCRAM_MALFORMED},
        {"c=biws,r=" RFC_NONCE ",p=", SCRAM_MALFORMED},
        {"c=biws,r=" RFC_NONCE ",p=AAAA", SCRAM_MALFORMED},
        {"c=biws,r=" RFC_NONCE ",p=" RFC_PROOF "AAAA", SCRAM_MALFORMED},
        {"c=biws,r=" RFC_NONCE ",p=AAAA" RFC_PROOF, SCRAM_MALFORMED},
        {"c=biws,r=" RFC_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ", SCRAM_MALFORMED},
        {"c=biws,r=" RFC_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVR=", SCRAM_MALFORMED},
        /* binding data of another header */
        {"c=,r=" RFC_NONCE ",p=" RFC_PROOF, SCRAM_DENIED},
        {"c=eSws,r=" RFC_NONCE ",p=" RFC_PROOF, SCRAM_DENIED},
        {"c=biwsAAAA,r=" RFC_NONCE ",p=" RFC_PROOF, SCRAM_DENIED},
        /* the transcript is not the one the proof was made for */
        {"c=biws,r=" RFC_NONCE ",x=1,p=" RFC_PROOF, SCRAM_DENIED},
        {"c=biws,r=" RFC_NONCE ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", SCRAM_DENIED},
    };
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        struct scram_server s;
        struct message out;
        uint8_t key[SCRAM_KEY];
        cr_assert_eq(final(&s, view_text(replies[i].message), key, &out), replies[i].result, "'%s' (%s)",
                     replies[i].message, s.why);
        cr_assert(all_zero(key, sizeof key), "%s", replies[i].message);
        check_refused(&s, &out, replies[i].message);
    }
}

Test(scram_server, takes_no_other_message_than_the_proven_one) {
    static const char good[] = RFC_CLIENT_FINAL;
    const size_t len = sizeof good - 1;
    struct scram_server s;
    struct message out;
    uint8_t key[SCRAM_KEY];
    for (size_t i = 0; i < len; i++) {
        cr_assert_neq(final(&s, view_of(good, i), key, &out), SCRAM_OK, "cut at %zu", i);
        cr_assert(all_zero(key, sizeof key));
        for (unsigned bit = 0; bit < 8; bit++) {
            char bytes[sizeof good];
            memcpy(bytes, good, sizeof good);
            bytes[i] = (char)(bytes[i] ^ (1 << bit));
            cr_assert_neq(final(&s, view_of(bytes, len), key, &out), SCRAM_OK, "bit %u of byte %zu", bit, i);
            cr_assert(all_zero(key, sizeof key));
        }
    }
}

Test(scram_server, bounds_the_last_message) {
    static char text[100000];
    memset(text, 'A', sizeof text);
    memcpy(text, "c=", 2);
    struct scram_server s;
    struct message out;
    uint8_t key[SCRAM_KEY];
    static const size_t lengths[] = {SCRAM_MESSAGE_MAX - 2, SCRAM_MESSAGE_MAX, SCRAM_MESSAGE_MAX + 1,
                                     sizeof text};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        cr_assert_eq(final(&s, view_of(text, lengths[i]), key, &out), SCRAM_MALFORMED);
        check_refused(&s, &out, "a long message");
    }
}

/* One guess per exchange: neither a refused nor a finished one answers again. */
Test(scram_server, judges_one_proof_per_exchange) {
    struct scram_server s;
    struct message out;
    uint8_t key[SCRAM_KEY];
    cr_assert_eq(final(&s, view_text("c=biws,r=" RFC_NONCE ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
                       key, &out),
                 SCRAM_DENIED);
    cr_assert_eq(scram_server_final(&s, view_text(RFC_CLIENT_FINAL), &no_binding, key, &out.w),
                 SCRAM_MALFORMED);
    cr_assert(all_zero(key, sizeof key));
    cr_assert_eq(final(&s, view_text(RFC_CLIENT_FINAL), key, &out), SCRAM_OK);
    cr_assert_eq(scram_server_final(&s, view_text(RFC_CLIENT_FINAL), &no_binding, key, &out.w),
                 SCRAM_MALFORMED);
    cr_assert(all_zero(key, sizeof key));
    cr_assert_eq(first(&s, PLAIN, view_text("nonsense"), &no_binding, &out), SCRAM_MALFORMED);
    cr_assert_eq(scram_server_final(&s, view_text(RFC_CLIENT_FINAL), &no_binding, key, &out.w),
                 SCRAM_MALFORMED);
}

/* An unknown user's exchange is a wrong password's, message by message and reason by reason. */
Test(scram_server, gives_a_mock_the_course_of_a_wrong_password) {
    static const uint8_t secret[32] = "a fleet secret";
    struct verifier mock;
    verifier_mock(secret, "acme", view_text("nobody"), 4096, &mock);
    const struct verifier *verifiers[] = {&pencil, &mock};
    struct view nonces[] = {view_text(RFC_SERVER_NONCE), view_text(RFC_SERVER_NONCE)};
    size_t lengths[2];
    const char *whys[2];
    for (size_t i = 0; i < 2; i++) {
        struct scram_server s;
        struct message out;
        uint8_t key[SCRAM_KEY];
        cr_assert_eq(scram_server_first_with(&s, view_text(PLAIN), view_text("n,," RFC_CLIENT_FIRST_BARE),
                                             &no_binding, verifiers[i], nonces[i], message_clear(&out)),
                     SCRAM_OK);
        lengths[i] = out.w.len;
        cr_assert_eq(scram_server_final(
                         &s,
                         view_text("c=biws,r=" RFC_NONCE ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
                         &no_binding, key, message_clear(&out)),
                     SCRAM_DENIED);
        cr_assert(all_zero(key, sizeof key));
        whys[i] = s.why;
    }
    cr_assert_eq(lengths[0], lengths[1]);
    cr_assert_str_eq(whys[0], whys[1]);
}

Test(scram_server, wipes_everything) {
    struct scram_server s;
    struct message out;
    cr_assert_eq(first(&s, PLAIN, view_text("n,,n=,r=abc"), &no_binding, &out), SCRAM_OK);
    scram_server_wipe(&s);
    cr_assert(all_zero(&s, sizeof s));
}
