/* SPDX-License-Identifier: ISC
 *
 * The logins of the operators' scopes: what the store keeps must open what the instance has. What the roles
 * may do is tried on a real instance (tests/attacks/test_scope_roles.py).
 */
#include "digest.h"
#include "provision_scope.h"
#include "scram.h"

#include <criterion/criterion.h>
#include <string.h>

Test(provision_scope, roles_are_named_after_their_scopes) {
    cr_assert_str_eq(scope_role(SCOPE_DIAGNOSE), "sekisho_diagnose");
    cr_assert_str_eq(scope_role(SCOPE_READ), "sekisho_read");
    cr_assert_str_eq(scope_role(SCOPE_WRITE), "sekisho_write");
    cr_assert_str_eq(scope_role(SCOPE_ADMIN), "sekisho_admin");
}

Test(provision_scope, a_drawn_login_is_a_verifier_postgresql_reads) {
    struct scope_login login;
    struct verifier parsed;
    char text[257];
    struct writer w = writer_of(text, sizeof text);
    scope_login_draw(&login);
    cr_assert(login.known);
    verifier_text(&w, &login.verifier);
    cr_assert(!w.bad && verifier_parse(writer_view(&w), &parsed));
    cr_assert_eq(memcmp(&parsed, &login.verifier, sizeof parsed), 0);
    uint8_t stored[DIGEST_LEN];
    digest_sha256(view_of(login.client_key, sizeof login.client_key), stored);
    cr_assert_eq(memcmp(stored, parsed.stored_key, sizeof stored), 0);
}

Test(provision_scope, no_two_draws_have_anything_in_common) {
    struct scope_login one, two;
    scope_login_draw(&one);
    scope_login_draw(&two);
    cr_assert_neq(memcmp(one.client_key, two.client_key, sizeof one.client_key), 0);
    cr_assert_neq(memcmp(one.verifier.salt, two.verifier.salt, 16), 0);
    cr_assert_neq(memcmp(one.verifier.server_key, two.verifier.server_key, SCRAM_KEY), 0);
}

/* One whole SCRAM exchange (RFC 5802) between the proxy with `key` and an instance with the verifier. */
static enum scram_result exchange(const struct scope_login *login, const uint8_t key[SCRAM_KEY]) {
    static uint8_t first[SCRAM_MESSAGE_MAX], server_first[SCRAM_MESSAGE_MAX], final[SCRAM_MESSAGE_MAX],
        server_final[SCRAM_MESSAGE_MAX];
    struct writer a = writer_of(first, sizeof first), b = writer_of(server_first, sizeof server_first),
                  c = writer_of(final, sizeof final), d = writer_of(server_final, sizeof server_final);
    struct scram_channel channel = {.tls_binding = false};
    struct scram_client client;
    struct scram_server server;
    uint8_t revealed[SCRAM_KEY];
    scram_client_first(&client, false, &channel, &a);
    cr_assert_eq(scram_server_first(&server, view_text(scram_client_mechanism(&client)), writer_view(&a),
                                    &channel, &login->verifier, &b),
                 SCRAM_OK);
    cr_assert_eq(scram_client_final(&client, writer_view(&b), &channel, &login->verifier, key, &c), SCRAM_OK);
    enum scram_result r = scram_server_final(&server, writer_view(&c), &channel, revealed, &d);
    return r == SCRAM_OK ? scram_client_check(&client, writer_view(&d)) : r;
}

Test(provision_scope, the_kept_key_logs_in_and_no_other) {
    struct scope_login login, other;
    scope_login_draw(&login);
    scope_login_draw(&other);
    cr_assert_eq(exchange(&login, login.client_key), SCRAM_OK);
    cr_assert_eq(exchange(&login, other.client_key), SCRAM_DENIED);
}
