/* SPDX-License-Identifier: ISC
 *
 * Passes one CancelRequest on to the instance, over TLS, with the instance's own key (PostgreSQL protocol,
 * "Canceling Requests in Progress"). The answer to a cancel is silence: nobody is told how it went, but for
 * the log.
 */
#ifndef SEKISHO_CANCEL_H
#define SEKISHO_CANCEL_H

#include "session.h"

/* Takes over fd, connected to the instance; ends by itself, within connect_timeout at most. */
void cancel_send(struct corridor *c, int fd, uint32_t pid, uint32_t key);

#endif
