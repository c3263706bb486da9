/* SPDX-License-Identifier: ISC
 *
 * How we behave towards web servers that the configuration names, whoever drives libcurl: HTTPS anywhere,
 * plain HTTP only to this very machine; nothing but what is asked for is done.
 */
#ifndef SEKISHO_WEB_MANNERS_H
#define SEKISHO_WEB_MANNERS_H

#include <stdbool.h>
#include <stdint.h>

#define WEB_WHY 160

/* Which addresses may be asked. False with a sentence's end: "notify_url ...". */
bool web_url_good(const char *url, const char **why);

/* easy: a CURL handle, which gets the address, how long it may take in all, and the manners: no redirect, no
 * proxy of the environment, no other protocol, what is answered thrown away. ca: a file of authorities; "":
 * the system's. */
bool web_manners(void *easy, const char *url, const char *ca, uint32_t limit_ms);
/* How it ended (result: a CURLcode; error: of its error buffer). False with a sentence's end: anything but a
 * status 2xx. */
bool web_agrees(void *easy, int result, const char *error, char why[WEB_WHY]);

#endif
