/* SPDX-License-Identifier: ISC
 *
 * The folders that the other processes are confined to: who is confined cannot make the folder any more, and
 * the kernel's rules are about folders that exist. Made here when they are missing, each with the owner that
 * needs it.
 */
#include "log.h"
#include "magic.h"
#include "supervisor.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static bool make(const char *path, mode_t mode) {
    if (mkdir(path, mode) == 0 || errno == EEXIST)
        return true;
    log_error("cannot make %s: %s", path, strerror(errno));
    return false;
}

bool folders_make(struct supervisor *s) {
    MAGIC_CHECK(s, SUPERVISOR_MAGIC);
    return make(s->settings.run_dir, 0755) && make(s->settings.ledger_dir, 0700);
}
