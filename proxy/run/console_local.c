/* SPDX-License-Identifier: ISC
 *
 * See console_local.h.
 */
#include "console_local.h"
#include "console_session.h"
#include "log.h"
#include "role.h"
#include "secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME ".s.PGSQL.5432" /* as libpq looks for it in a folder */
#define BACKLOG 16

static struct {
    char path[108]; /* "" while there is none */
    int listener;
    struct event *readable;
} local = {.listener = -1};

static void on_local(evutil_socket_t listener, short what, void *arg) {
    struct ucred peer;
    socklen_t len = sizeof peer;
    struct console_person p = {.magic = CONSOLE_PERSON_MAGIC, .who = WHO_LOCAL};
    uint64_t session;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
        close(fd);
        return;
    }
    if (peer.uid == 0)
        snprintf(p.name, sizeof p.name, "root");
    else
        snprintf(p.name, sizeof p.name, "uid %u", (unsigned)peer.uid);
    secret_random(&session, sizeof session);
    console_session_begin(fd, session, &p, true);
}

void console_local_close(void) {
    if (local.readable)
        event_free(local.readable);
    local.readable = NULL;
    if (local.listener >= 0)
        close(local.listener);
    local.listener = -1;
    if (local.path[0])
        unlink(local.path);
    local.path[0] = 0;
}

/* Its mode from the first moment on: the umask, as a socket cannot be made with one. */
static int bind_local(const struct sockaddr_un *at) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    unlink(at->sun_path);
    mode_t mask = umask(0177);
    bool good = bind(fd, (const struct sockaddr *)at, sizeof *at) == 0;
    umask(mask);
    if (good && listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

void console_local_open(const char *run_dir) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    console_local_close();
    int n = snprintf(at.sun_path, sizeof at.sun_path, "%s/" SOCKET_NAME, run_dir);
    if (n < 0 || (size_t)n >= sizeof at.sun_path) {
        log_error("no local console: the path of run_dir is too long");
        return;
    }
    local.listener = bind_local(&at);
    if (local.listener < 0) {
        log_error("no local console: %s: %s", at.sun_path, strerror(errno));
        return;
    }
    snprintf(local.path, sizeof local.path, "%s", at.sun_path);
    local.readable = event_new(role_base(), local.listener, EV_READ | EV_PERSIST, on_local, NULL);
    if (!local.readable || event_add(local.readable, NULL) < 0)
        abort();
}
