/* SPDX-License-Identifier: ISC
 *
 * One line of the session log as a syslog message (RFC 5424), counted in octets as RFC 5425 and RFC 6587 want
 * it on a stream. Pure: a line in, bytes out.
 */
#ifndef SEKISHO_SYSLOG_FRAME_H
#define SEKISHO_SYSLOG_FRAME_H

#include "bytes.h"

#define SYSLOG_HEAD_MAX 400 /* what stands before the line, at most */

/* "LENGTH <PRI>1 TIME HOST sekisho - EVENT - LINE". Facility 13 (log audit); severity 2 for what is urgent, 4
 * for what is told at once (notices.def), 6 for the rest. host: this node's name; tenant: the chain's, "" for
 * the provider. */
void syslog_frame(struct writer *w, const char *host, const char *tenant, struct view line);
/* Takes the next message, without its length, from *rest. False at the end. */
bool syslog_unframe(struct view *rest, struct view *message);

#endif
