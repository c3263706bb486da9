/* SPDX-License-Identifier: ISC
 *
 * What the corridor asks of other processes, as one table of asynchronous calls: it does not know how it is
 * run, and a test can script the answers. Each ask is answered later by the session_* call named beside it,
 * or never (the login's deadline ends that).
 */
#ifndef SEKISHO_PORTS_H
#define SEKISHO_PORTS_H

#include "address.h"
#include "record.h"

struct session;

struct ports {
    void (*verifier)(void *arg, struct session *s); /* -> session_verifier */
    /* A wrong password was given -> session_turn, when that may be told, or session_refused. A right one is
     * told by admit, which the broker holds back in the same way. */
    void (*guessed)(void *arg, struct session *s);
    void (*doubt)(void *arg, struct session *s); /* the instance refused what the verifier had accepted */
    void (*admit)(void *arg, struct session *s); /* -> session_admitted or session_refused */
    /* answered: -> session_recorded once the record is durable, or is not. */
    void (*record)(void *arg, struct session *s, const struct record *r, bool answered);
    void (*opened)(void *arg, struct session *s); /* the relay starts: key and instance pid are known */
    void (*cancel)(void *arg, struct session *s, uint32_t pid, uint32_t key); /* a CancelRequest inside TLS */
    void (*interrupt)(void *arg, struct session *s); /* cancel what this session's instance is doing */
    /* Operators: a record that a statement waits for -> operator_relay_durable(s, ticket, ...). */
    void (*statement)(void *arg, struct session *s, const struct record *r, uint64_t ticket);
    void (*ended)(void *arg, struct session *s); /* the last call for this session; it is freed afterwards */
};

#endif
