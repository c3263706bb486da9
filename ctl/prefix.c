/* SPDX-License-Identifier: ISC
 *
 * See prefix.h.
 */
#include "prefix.h"

#include <stdio.h>
#include <string.h>

#define LEAST 8

struct prefix prefix_of(const char *id) {
    return (struct prefix){.id = id};
}

bool prefix_try(struct prefix *l, const char *digest) {
    if (strlen(l->id) < LEAST || strncmp(digest, l->id, strlen(l->id)) != 0)
        return false;
    l->count++;
    snprintf(l->digest, sizeof l->digest, "%s", digest);
    return true;
}

int prefix_end(const struct prefix *l, const char *what, const char *where) {
    if (l->count == 1)
        return CTL_DONE;
    ctl_error(l->count ? "more than one %s begins with %s" : "there is no %s %s", what, l->id);
    ctl_hint("sekishoctl %s shows those that hold", where);
    return CTL_REFUSED;
}
