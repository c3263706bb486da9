/* SPDX-License-Identifier: ISC
 *
 * Asking a web server, without waiting: one request, one answer, of which only the status counts. And a bare
 * connection, made and looked at in the same way.
 */
#ifndef SEKISHO_WEB_H
#define SEKISHO_WEB_H

#include "bytes.h"

#include <sys/types.h>

struct web;

struct web_wish {
    const char *url;
    const char *ca;            /* file of authorities; "": the system's */
    const char *const *header; /* whole lines */
    size_t headers;
    bool post; /* the body; otherwise it is a GET */
    struct view body;
    uint32_t limit_ms; /* for all of it */
};

/* Called once from the loop, later; the request is gone then. good: answered with 2xx. why: a sentence's end
 * ("answered with status 404"). */
typedef void web_answered_fn(void *arg, bool good, const char *why);

/* Everything is copied. NULL when it cannot be begun. */
struct web *web_start(const struct web_wish *w, web_answered_fn *answered, void *arg);

/* A bare connection, over TLS when the address is HTTPS, without a request. When `connected` says good it
 * stays until web_stop; it is gone when not. */
struct web *web_connect(const char *url, const char *ca, uint32_t limit_ms, web_answered_fn *connected,
                        void *arg);
int web_socket(const struct web *w);
/* Bytes that were taken; 0: none at the moment; -1: it is broken. */
ssize_t web_write(struct web *w, struct view bytes);
/* Reads what the peer says and throws it away. False when it has closed. */
bool web_listen(struct web *w);

/* Gives it up; nobody is told. */
void web_stop(struct web **w);
/* All of them, when the process leaves. */
void web_end(void);

#endif
