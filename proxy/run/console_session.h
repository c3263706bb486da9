/* SPDX-License-Identifier: ISC
 *
 * One client of the console: its stream, its conversation (console_talk.h), and the command under way. No
 * more is read than is carried out, and no more rows are made than the client takes.
 */
#ifndef SEKISHO_CONSOLE_SESSION_H
#define SEKISHO_CONSOLE_SESSION_H

#include "console_rights.h"

/* Takes over fd. Too many sessions already, of this person or tenant or in all: the client is told so.
 * direct: the client itself is at the other end, and may ask for encryption. */
void console_session_begin(int fd, uint64_t session, const struct console_person *p, bool direct);
size_t console_sessions(void);
void console_sessions_end(void);

#endif
