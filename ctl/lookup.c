/* SPDX-License-Identifier: ISC
 *
 * See lookup.h.
 */
#include "lookup.h"

#include <stdio.h>
#include <string.h>

#define LEAST 8

struct lookup lookup_of(const char *id) {
    return (struct lookup){.id = id};
}

bool lookup_try(struct lookup *l, const char *digest) {
    if (strlen(l->id) < LEAST || strncmp(digest, l->id, strlen(l->id)) != 0)
        return false;
    l->count++;
    snprintf(l->digest, sizeof l->digest, "%s", digest);
    return true;
}

int lookup_end(const struct lookup *l, const char *what, const char *where) {
    if (l->count == 1)
        return CTL_DONE;
    ctl_error(l->count ? "more than one %s begins with %s" : "there is no %s %s", what, l->id);
    ctl_hint("sekishoctl %s shows those that hold", where);
    return CTL_REFUSED;
}
