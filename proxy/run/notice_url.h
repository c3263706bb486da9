/* SPDX-License-Identifier: ISC
 *
 * Which addresses notices may be posted to: HTTPS anywhere, plain HTTP only to this very machine.
 */
#ifndef SEKISHO_NOTICE_URL_H
#define SEKISHO_NOTICE_URL_H

#include <stdbool.h>

/* False with a sentence's end: "notify_url ...". */
bool notice_url_good(const char *url, const char **why);

#endif
