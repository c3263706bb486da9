/* SPDX-License-Identifier: ISC
 *
 * See birth.h. Linked into both programs: it knows of no role and so drags none in.
 */
#include "birth.h"
#include "page.h"
#include "sandbox.h"
#include "supervisor_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define USAGE 2

/* A closed standard descriptor would be the number of the next socket, and the log would be written to a
 * client. */
static void open_standard_descriptors(void) {
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd)
            abort();
}

void birth_prepare(void) {
    struct rlimit files, none = {0, 0};
    open_standard_descriptors();
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    setrlimit(RLIMIT_CORE, &none);
}

const char *birth_role_name(void) {
    return getenv(SPAWN_ROLE);
}

int birth_run(const char *role, const struct birth_role *roles, size_t count) {
    char name[16];
    snprintf(name, sizeof name, "sekisho:%s", role);
    prctl(PR_SET_NAME, name);
    for (size_t i = 0; i < count; i++)
        if (strcmp(role, roles[i].name) == 0) {
            page_take();
            sandbox_enter(role);
            return roles[i].run();
        }
    fprintf(stderr, "sekisho: %s=%s is no role of this program; it is not meant to be set by hand\n",
            SPAWN_ROLE, role);
    return USAGE;
}
