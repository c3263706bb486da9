/* SPDX-License-Identifier: ISC
 *
 * The copy to syslog: every line of every chain, in order within a chain, as far as the receiver can be
 * reached. The log is the queue, and the cursors say how far each chain was sent: so nothing is kept in
 * memory but one batch, nobody waits, and what the receiver missed comes when it is back. What cannot be sent
 * any more is counted, and said in the provider's log.
 */
#ifndef SEKISHO_NOTIFIER_SYSLOG_H
#define SEKISHO_NOTIFIER_SYSLOG_H

#include "notifier_chains.h"
#include "settings.h"

/* From now on: target and authority of the settings; whether there is a usable one. moved: to be called when
 * cursors have moved. */
bool syslog_settings(const struct settings *s, struct chains *chains, void (*moved)(void *arg), void *arg);
/* Sends what is new; cheap when there is nothing. */
void syslog_look(void);
/* The channel to the ledger; takes over fd. */
void syslog_ledger(int fd);
void syslog_end(void);

#endif
