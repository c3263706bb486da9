/* SPDX-License-Identifier: ISC
 *
 * What keeps a process of sekisho-session small: there is one for each tenant that is at work, and one for
 * each operator's session.
 */
#ifndef SEKISHO_LEAN_H
#define SEKISHO_LEAN_H

/* Before anything else allocates, and before TLS is used at all. */
void lean_begin(void);
/* A connection came or went: once it is quiet, what they left behind goes back to the system. */
void lean_stir(void);

#endif
