/* SPDX-License-Identifier: ISC
 *
 * login COUNT: a unit is a connection from its first TLS byte to its end: two TLS handshakes, SCRAM on both
 * sides, the open record, the relay's start, the goodbye and the close record. The answers of broker, keeper
 * and ledger come at once.
 */
#include "people.h"

static void reset(struct person *p) {
    free(p->heard);
    *p = (struct person){.fd = -1};
}

static void one(void) {
    ann_comes();
    ann_shakes_hands();
    ann_starts_up();
    session_verifier(session, REFUSAL_NONE, &verifier);
    ann_answers_first();
    ann_proves();
    broker_admits();
    instance_takes_tls();
    instance_shakes_hands();
    instance_lets_in();
    instance_is_ready();
    ledger_is_durable();
    for (const char *types = "RRSKZ"; *types; types++)
        next_message(&ann, *types);
    say_message(&ann, 'X', view_of(NULL, 0));
    next_message(&instance, 'X');
    hang_up(&instance);
    until(ann.ended);
    hang_up(&ann);
    until(!session);
    reset(&ann);
    reset(&instance);
}

int main(int argc, char **argv) {
    cr_assert_eq(argc, 2);
    uint64_t count = number_of(argv[1]);
    corridor_begin();
    one();
    counting = true;
    for (uint64_t i = 0; i < count; i++)
        one();
    counting = false;
    printf("units %lu\n", count);
    return 0;
}
