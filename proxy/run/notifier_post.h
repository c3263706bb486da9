/* SPDX-License-Identifier: ISC
 *
 * Telling a web hook: one POST, ten seconds to be answered with 2xx.
 */
#ifndef SEKISHO_NOTIFIER_POST_H
#define SEKISHO_NOTIFIER_POST_H

#include "notifier_command.h"

/* At most so many at once; the caller counts. */
#define POSTS_MAX 16

struct post {
    const char *url;
    const char *ca;        /* file of authorities; "": the system's */
    const char *signature; /* value of Sekisho-Signature; "": none */
    const char *key;       /* of idempotency: the same for each try */
    struct view body;
};

/* False when it cannot be begun. Everything is copied. */
bool post_start(const struct post *p, told_fn *told, void *arg);
/* Gives up those under way; nobody is told. */
void posts_end(void);

#endif
