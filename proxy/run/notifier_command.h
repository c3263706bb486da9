/* SPDX-License-Identifier: ISC
 *
 * Telling a program: started without a shell, the document on its standard input, ten seconds to exit with 0.
 */
#ifndef SEKISHO_NOTIFIER_COMMAND_H
#define SEKISHO_NOTIFIER_COMMAND_H

#include "bytes.h"

#define TOLD_LIMIT_MS 10000
#define TOLD_WHY 160

/* Called once from the loop, later. why: a sentence's end ("ended with status 3"); "" when told. */
typedef void told_fn(void *arg, bool told, const char *why);

/* At most so many at once; the caller counts. */
#define COMMANDS_MAX 8

/* False with errno when it cannot be started. The body is copied. */
bool command_start(const char *path, struct view body, told_fn *told, void *arg);
/* Kills those under way; nobody is told. */
void commands_end(void);

#endif
