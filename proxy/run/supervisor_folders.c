/* SPDX-License-Identifier: ISC
 *
 * The folders that the other processes are confined to, and the accounts that they run as. Who is confined
 * cannot make its folder any more, and the kernel's rules are about folders that exist: they are made here
 * when they are missing. What is there already and belongs to somebody else is said, not changed.
 */
#include "log.h"
#include "magic.h"
#include "sandbox.h"
#include "supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool users_take(struct supervisor *s) {
    MAGIC_CHECK(s, SUPERVISOR_MAGIC);
    char why[256];
    if (geteuid() != 0)
        return true;
    if (!users_find(&s->settings, &s->users, why)) {
        log_error("%s", why);
        return false;
    }
    if (!s->users.session.set || !s->users.broker.set || !s->users.ledger.set)
        log_warning(
            "started as root, and [users] does not name three accounts: processes without one are root's");
    return true;
}

static const struct user *user_of(const struct supervisor *s, const char *role) {
    switch (sandbox_user(role)) {
    case USER_SESSION:
        return &s->users.session;
    case USER_BROKER:
        return &s->users.broker;
    case USER_LEDGER:
        return &s->users.ledger;
    case USER_KEPT:
        break;
    }
    return NULL;
}

void users_ids(const struct supervisor *s, const char *role, char out[24]) {
    const struct user *u = user_of(s, role);
    out[0] = 0;
    if (u && u->set)
        snprintf(out, 24, "%u:%u", (unsigned)u->uid, (unsigned)u->gid);
}

static bool give(const char *path, uid_t uid, gid_t gid) {
    if (chown(path, uid, gid) == 0)
        return true;
    log_error("%s cannot be given to its account: %s", path, strerror(errno));
    return false;
}

bool users_give(const struct supervisor *s, const char *path) {
    return !s->users.broker.set || give(path, s->users.broker.uid, s->users.broker.gid);
}

/* made: whether it was not there. */
static bool make(const char *path, mode_t mode, bool *made) {
    *made = mkdir(path, mode) == 0 && chmod(path, mode) == 0; /* whatever the umask says */
    if (*made || errno == EEXIST)
        return true;
    log_error("cannot make %s: %s", path, strerror(errno));
    return false;
}

/* Whoever owns it already may have files in it that the account could not write. */
static bool belongs(const char *path, const struct user *u, const char *setting) {
    struct stat st;
    if (!u->set || stat(path, &st) < 0 || st.st_uid == u->uid)
        return true;
    log_error("%s belongs to user %u, not to %s: chown -R %u:%u %s", path, (unsigned)st.st_uid, setting,
              (unsigned)u->uid, (unsigned)u->gid, path);
    return false;
}

/* Ours, so that nobody else moves our sockets; the console, of the broker's account, makes one in it. */
static bool share_run_dir(const struct supervisor *s) {
    const char *path = s->settings.run_dir;
    if (!s->users.broker.set)
        return true;
    if (chown(path, 0, s->users.broker.gid) == 0 && chmod(path, 0775) == 0)
        return true;
    log_error("%s cannot be shared with broker_user: %s", path, strerror(errno));
    return false;
}

bool folders_make(struct supervisor *s) {
    MAGIC_CHECK(s, SUPERVISOR_MAGIC);
    const struct user *ledger = &s->users.ledger;
    bool made;
    if (!make(s->settings.run_dir, 0755, &made) || !share_run_dir(s))
        return false;
    if (!make(s->settings.ledger_dir, ledger->set ? 0750 : 0700, &made))
        return false;
    if (made && ledger->set && !give(s->settings.ledger_dir, ledger->uid, ledger->gid))
        return false;
    return belongs(s->settings.ledger_dir, ledger, "ledger_user") &&
           belongs(s->settings.state_dir, &s->users.broker, "broker_user");
}
