/* SPDX-License-Identifier: ISC
 *
 * What the taken-over program can try. Each returns only when nothing ended the process; whoever calls it
 * says so in the log, where the test looks.
 */
#ifndef SEKISHO_HOSTILE_H
#define SEKISHO_HOSTILE_H

#include "channel.h"

/* A system call by the name of the attempt ("openat", "mmap-exec"). False: there is no such attempt. */
bool hostile_call(const char *name, long number);
/* Words on the channel to that role. number: what the client knows and hands over (an id of somebody else's).
 */
bool hostile_words(enum role to, const char *what, uint64_t number);
/* The descriptor of our channel to that role, or -1. */
int hostile_channel(enum role to);
/* What `number` of attempt says, into the log. */
void hostile_say(const char *attempt, const char *what);

#endif
