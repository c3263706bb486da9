/* SPDX-License-Identifier: ISC
 *
 * Metrics and health over HTTP, for the provider's monitoring on this host: /metrics, /healthz, /readyz. The
 * sockets are the supervisor's and are bound to loopback only (settings.c refuses anything else), so no
 * tenant and no operator reaches them. Requests are bounded in size, number and time; each connection is one
 * request.
 */
#ifndef SEKISHO_CONSOLE_HTTP_H
#define SEKISHO_CONSOLE_HTTP_H

#include "channel.h"

/* LISTENERS_BEGIN, LISTENER, LISTENERS_END: a whole set; takes over fd. False: it does not parse. */
bool console_http_message(enum message_code m, struct reader *body, int fd);
void console_http_end(void);

#endif
