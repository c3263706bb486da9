/* SPDX-License-Identifier: ISC
 *
 * The console's local socket, in run_dir: for accounts of this host, known by the kernel's word
 * (SO_PEERCRED). Its mode lets in the proxy's own account and root only.
 */
#ifndef SEKISHO_CONSOLE_LOCAL_H
#define SEKISHO_CONSOLE_LOCAL_H

/* In place of the one there was. */
void console_local_open(const char *run_dir);
void console_local_close(void);

#endif
