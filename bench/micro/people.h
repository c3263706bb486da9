/* SPDX-License-Identifier: ISC
 *
 * The people of tests/unit/session_fixture.h around one session, with a counter at each door through which
 * they make the proxy work: the loop's turns and the answers of the ports. What they do themselves (their own
 * TLS, their own SCRAM) is not counted.
 */
#ifndef SEKISHO_BENCH_PEOPLE_H
#define SEKISHO_BENCH_PEOPLE_H

#include "counted.h"
#include "session.h"

#include <event2/event.h>

static inline int counted_loop(struct event_base *b, int flags) {
    int done;
    COUNTED(done = event_base_loop(b, flags));
    return done;
}

static inline void counted_run(struct session *s) {
    COUNTED(session_run(s));
}

static inline void counted_verifier(struct session *s, enum refusal r, const struct verifier *v) {
    COUNTED(session_verifier(s, r, v));
}

static inline void counted_admitted(struct session *s, int fd) {
    COUNTED(session_admitted(s, fd));
}

static inline void counted_recorded(struct session *s, bool durable) {
    COUNTED(session_recorded(s, durable));
}

#define event_base_loop counted_loop
#define session_run counted_run
#define session_verifier counted_verifier
#define session_admitted counted_admitted
#define session_recorded counted_recorded
#include "session_fixture.h"

/* What they have heard so far is of no interest any more. */
static inline void forget(struct person *p) {
    p->len = p->taken = 0;
}

static inline uint64_t number_of(const char *text) {
    char *end;
    unsigned long long n = strtoull(text, &end, 10);
    cr_assert(*text && !*end && n > 0);
    return n;
}

#endif
