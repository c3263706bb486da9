/* SPDX-License-Identifier: ISC
 *
 * See change.h.
 */
#include "change.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The account of the process, not of the environment, which anybody can set; sudo's word counts when it made
 * us root. */
static void actor(char out[64]) {
    const struct passwd *account = getpwuid(getuid());
    const char *sudo = getuid() == 0 ? getenv("SUDO_USER") : NULL;
    if (sudo && *sudo && strcmp(sudo, "root") != 0)
        snprintf(out, 64, "%.50s (sudo)", sudo);
    else if (account)
        snprintf(out, 64, "%s", account->pw_name);
    else
        snprintf(out, 64, "uid %u", (unsigned)getuid());
}

struct change change_of(const char *tenant, const char *action) {
    struct change c = {.wall_us = clock_now().wall_us};
    snprintf(c.tenant, sizeof c.tenant, "%s", tenant);
    snprintf(c.action, sizeof c.action, "%s", action);
    actor(c.actor);
    return c;
}

void change_detail(struct change *c, const char *format, ...) {
    size_t used = strlen(c->detail);
    if (used > 0)
        used += (size_t)snprintf(c->detail + used, sizeof c->detail - used, "; ");
    if (used >= sizeof c->detail)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(c->detail + used, sizeof c->detail - used, format, args);
    va_end(args);
}

int change_outcome(const struct ctl *ctl, enum store_result r, const char *tenant) {
    switch (r) {
    case STORE_OK:
        return CTL_DONE;
    case STORE_NOT_FOUND:
        ctl_error("there is no tenant \"%s\"", tenant);
        ctl_hint("sekishoctl tenant list shows those there are");
        return CTL_REFUSED;
    case STORE_CONFLICT:
    case STORE_INVALID:
        ctl_error("%s", ctl->store->driver->why(ctl->store));
        return CTL_REFUSED;
    case STORE_UNAVAILABLE:
        break;
    }
    ctl_error("the control store is not available: %s", ctl->store->driver->why(ctl->store));
    return CTL_UNAVAILABLE;
}

int change_read(const struct ctl *ctl, const char *id, struct tenant *t) {
    if (!ctl->store) { /* the desk is elsewhere, and says itself whether there is such a tenant */
        tenant_begin(t);
        return CTL_DONE;
    }
    return change_outcome(ctl, ctl->store->driver->tenant(ctl->store, id, t), id);
}
