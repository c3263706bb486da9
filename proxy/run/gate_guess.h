/* SPDX-License-Identifier: ISC
 *
 * Guessing cancel keys is throttled: after GUESS_MOST wrong keys from one network within GUESS_WINDOW_S,
 * further cancel requests from there are not looked up until the window is over. A table of fixed size. Pure:
 * time is a parameter.
 */
#ifndef SEKISHO_GATE_GUESS_H
#define SEKISHO_GATE_GUESS_H

#include "address.h"

#define GUESS_SLOTS 1024
#define GUESS_MOST 10
#define GUESS_WINDOW_S 60

struct guesses;

/* NULL without memory. */
struct guesses *guesses_new(void);
void guesses_free(struct guesses **g);
/* scope: whose keys are asked for: "" at the gate's door, a tenant inside its TLS; each counts by itself, so
 * that a cell's word about addresses weighs for its own tenant only. */
bool guesses_blocked(const struct guesses *g, const char *scope, const struct address *from, int64_t mono_us);
/* Counts a wrong key. True when it should be logged: at most once a second for each scope and network. */
bool guesses_wrong(struct guesses *g, const char *scope, const struct address *from, int64_t mono_us);

#endif
