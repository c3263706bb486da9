/* SPDX-License-Identifier: ISC
 *
 * The control socket, for sekishoctl on this host: root and the proxy's own user may connect (mode 0600).
 * What is said on it is the broker's business: the supervisor accepts and passes the descriptor on without
 * reading a byte.
 */
#include "log.h"
#include "magic.h"
#include "supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16

static bool control_path(const struct supervisor *s, struct sockaddr_un *out) {
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(out->sun_path, sizeof out->sun_path, "%s/control.sock", s->settings.run_dir);
    if (n > 0 && (size_t)n < sizeof out->sun_path)
        return true;
    log_error("run_dir is too long for a socket: %s", s->settings.run_dir);
    return false;
}

/* A socket that nobody listens on was left behind by a supervisor that was killed. */
static bool clear_stale(int fd, const struct sockaddr_un *path) {
    if (connect(fd, (const struct sockaddr *)path, sizeof *path) == 0 || errno == EAGAIN) {
        log_error("another sekisho is running: it answers on %s", path->sun_path);
        return false;
    }
    if (errno == ECONNREFUSED)
        unlink(path->sun_path);
    return true;
}

static int bind_privately(const struct sockaddr_un *path) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    mode_t before = umask(0177);
    bool good =
        fd >= 0 && bind(fd, (const struct sockaddr *)path, sizeof *path) == 0 && listen(fd, BACKLOG) == 0;
    int error = errno;
    umask(before);
    if (good)
        return fd;
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

bool control_open(struct supervisor *s) {
    MAGIC_CHECK(s, SUPERVISOR_MAGIC);
    struct sockaddr_un path;
    if (!control_path(s, &path))
        return false;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool free_now = probe >= 0 && clear_stale(probe, &path);
    if (probe >= 0)
        close(probe);
    if (!free_now)
        return false;
    s->control = bind_privately(&path);
    if (s->control >= 0 && !users_give(s, path.sun_path))
        return false;
    if (s->control < 0)
        log_error("cannot listen on %s: %s", path.sun_path, strerror(errno));
    return s->control >= 0;
}

/* Without a broker the connection is closed: the other side reads an end and says that the proxy is not
 * available. */
static void on_connection(evutil_socket_t fd, short what, void *arg) {
    struct supervisor *s = arg;
    MAGIC_CHECK(s, SUPERVISOR_MAGIC);
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0)
        return;
    struct process *broker = process_of_role(s, R_BROKER);
    if (broker && broker->channel && broker->joined)
        channel_send(broker->channel, M_CONTROL, NULL, client);
    close(client);
}

void control_serve(struct supervisor *s) {
    s->on_control = event_new(s->base, s->control, EV_READ | EV_PERSIST, on_connection, s);
    assert(s->on_control);
    event_add(s->on_control, NULL);
}

void control_close(struct supervisor *s) {
    struct sockaddr_un path;
    if (s->on_control)
        event_free(s->on_control);
    s->on_control = NULL;
    if (s->control < 0)
        return;
    close(s->control);
    s->control = -1;
    if (control_path(s, &path))
        unlink(path.sun_path);
}
