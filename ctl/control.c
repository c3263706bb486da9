/* SPDX-License-Identifier: ISC
 *
 * See control.h.
 */
#include "control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_US 5000000
#define ANSWER_MAX (64u << 20) /* ten thousand sessions are about 3 MB */

/* -1 with errno; path: where it was looked for. */
static int try_connect(const struct settings *settings, struct sockaddr_un *to) {
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(to->sun_path, sizeof to->sun_path, "%s/control.sock", settings->run_dir);
    errno = ENAMETOOLONG;
    if (n < 0 || (size_t)n >= sizeof to->sun_path)
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)to, sizeof *to) == 0)
        return fd;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

int control_connect(const struct settings *settings) {
    struct sockaddr_un to;
    int fd = try_connect(settings, &to);
    if (fd < 0)
        ctl_error("the proxy is not running, or not for this account: %s: %s", to.sun_path, strerror(errno));
    return fd;
}

bool control_running(const struct settings *settings) {
    struct sockaddr_un to;
    int fd = try_connect(settings, &to);
    if (fd < 0)
        return errno != ENOENT && errno != ECONNREFUSED;
    close(fd);
    return true;
}

/* Waits until the socket is ready; false when the time is up. */
static bool ready(int fd, short what, int64_t until_us) {
    struct pollfd p = {.fd = fd, .events = what};
    for (;;) {
        int64_t left = (until_us - clock_now().mono_us + 999) / 1000;
        int n = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (n != -1 || errno != EINTR)
            return n == 1;
    }
}

static bool send_all(int fd, const char *at, size_t len, int64_t until_us) {
    while (len > 0) {
        if (!ready(fd, POLLOUT, until_us))
            return false;
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Everything up to the end, allocated; NULL when the time is up, the peer breaks off or says too much. */
static char *receive_all(int fd, size_t *len, int64_t until_us) {
    size_t cap = 0;
    char *text = NULL;
    *len = 0;
    for (;;) {
        if (cap - *len < 4096) {
            cap = cap ? 2 * cap : 16384;
            char *bigger = cap <= ANSWER_MAX ? realloc(text, cap) : NULL;
            if (!bigger)
                break;
            text = bigger;
        }
        if (!ready(fd, POLLIN, until_us))
            break;
        ssize_t n = recv(fd, text + *len, cap - *len, MSG_DONTWAIT);
        if (n == 0)
            return text;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            break;
        *len += n > 0 ? (size_t)n : 0;
    }
    free(text);
    return NULL;
}

static json_t *exchange(int fd, const char *line) {
    int64_t until = clock_now().mono_us + PATIENCE_US;
    size_t len;
    if (!send_all(fd, line, strlen(line), until) || !send_all(fd, "\n", 1, until))
        return NULL;
    char *text = receive_all(fd, &len, until);
    json_t *answer = text ? json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    free(text);
    return answer;
}

json_t *control_ask(const struct ctl *ctl, json_t *request, int *code) {
    char *line = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    json_t *answer = line ? exchange(ctl->control, line) : NULL;
    free(line);
    *code = CTL_UNAVAILABLE;
    if (!json_is_object(answer)) {
        ctl_error("the proxy did not answer");
        ctl_hint("its own log, on standard error or in the journal, may say why");
        json_decref(answer);
        return NULL;
    }
    *code = CTL_DONE;
    if (json_is_true(json_object_get(answer, "ok")))
        return answer;
    const char *error = json_string_value(json_object_get(answer, "error"));
    ctl_error("%s", error ? error : "the proxy refused without a word");
    *code = CTL_REFUSED;
    json_decref(answer);
    return NULL;
}
