/* SPDX-License-Identifier: ISC
 *
 * See users.h.
 */
#include "users.h"
#include "text.h"

#include <pwd.h>
#include <stdio.h>

#define ID_MOST 4294967293u /* the two above mean "nobody" to the kernel */

static bool find(const char *setting, const char *name, struct user *out, char why[256]) {
    uint64_t number;
    *out = (struct user){.set = name[0] != 0};
    if (!out->set)
        return true;
    if (text_number(view_text(name), 0, ID_MOST, &number)) {
        out->uid = (uid_t)number;
        out->gid = (gid_t)number;
    } else {
        struct passwd *p = getpwnam(name);
        if (!p) {
            snprintf(why, 256, "%s: this host has no account %.64s", setting, name);
            return false;
        }
        out->uid = p->pw_uid;
        out->gid = p->pw_gid;
    }
    if (out->uid != 0 && out->gid != 0)
        return true;
    snprintf(why, 256, "%s: %.64s is root, or in its group", setting, name);
    return false;
}

bool users_find(const struct settings *s, struct users *out, char why[256]) {
    if (!find("session_user", s->session_user, &out->session, why) ||
        !find("broker_user", s->broker_user, &out->broker, why) ||
        !find("ledger_user", s->ledger_user, &out->ledger, why))
        return false;
    if (out->ledger.set && out->broker.set)
        out->ledger.gid = out->broker.gid;
    return true;
}
