/* SPDX-License-Identifier: ISC
 *
 * See syslog_link.h. The stream is libcurl's bare connection (web.h), so names, certificates and versions are
 * looked at as the web hook's are. A stream's receiver never says what it has; what its kernel acknowledged
 * is the most that can be known: bytes count as taken when our own socket holds none of them any more.
 */
#include "syslog_link.h"
#include "magic.h"
#include "role.h"
#include "syslog_frame.h"
#include "web.h"
#include "web_manners.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SYSLOG_LINK_MAGIC 0x59510614u
#define LOCAL_PATH "/dev/log"
#define URL_MAX 300
#define CONNECT_MS 10000
#define PATIENCE_MS 30000 /* without a byte going out */
#define LOOK_MS 10        /* whether what was sent has arrived */

struct syslog_link {
    uint32_t magic;
    const struct link_hooks *hooks;
    void *arg;
    struct web *web;      /* a stream, or NULL */
    int local;            /* a datagram socket, or -1 */
    struct event *now;    /* something to say to the owner, or to go on with */
    struct event *input;  /* the receiver says something, or leaves */
    struct event *output; /* there may be room again */
    struct event *late;   /* nothing went out for too long */
    bool up, told_up;
    struct view given, left;
    uint64_t lost;
    int unsent; /* bytes in our socket, when last looked at */
};

/* --- the target --- */

/* The web's name of a stream, so that it is judged, and reached, as the web hook is. */
static bool url_of(const char *target, char out[URL_MAX]) {
    bool tls = strncmp(target, "tls://", 6) == 0;
    if (!tls && strncmp(target, "tcp://", 6) != 0)
        return false;
    int n = snprintf(out, URL_MAX, "%s://%s", tls ? "https" : "http", target + 6);
    return n > 0 && n < URL_MAX;
}

static const char *path_of(const char *target) {
    if (strcmp(target, "local") == 0)
        return LOCAL_PATH;
    return strncmp(target, "unix:/", 6) == 0 ? target + 5 : NULL;
}

bool syslog_target_good(const char *target, const char **why) {
    struct sockaddr_un to;
    char url[URL_MAX];
    const char *path = path_of(target);
    *why = NULL;
    if (path) {
        *why = strlen(path) < sizeof to.sun_path ? NULL : "names a path that is too long";
    } else if (!url_of(target, url)) {
        *why = "is none of local, unix:/PATH, tls://HOST:PORT, tcp://HOST:PORT";
    } else if (web_url_good(url, why)) {
        const char *colon = strrchr(target + 6, ':');
        if (!colon || strspn(colon + 1, "0123456789") == 0 || colon[1 + strspn(colon + 1, "0123456789")] != 0)
            *why = "does not end in a port";
    } else if (strcmp(*why, "is plain HTTP, which is for loopback only") == 0) {
        *why = "is plain TCP, which is for loopback only";
    }
    return !*why;
}

/* --- the owner is told --- */

static void fail(struct syslog_link *l, const char *why) {
    event_del(l->late);
    l->hooks->down(l->arg, why);
}

static void done(struct syslog_link *l) {
    uint64_t lost = l->lost;
    event_del(l->late);
    l->lost = 0;
    l->given = l->left = view_of(NULL, 0);
    l->hooks->taken(l->arg, lost);
}

static void soon(struct syslog_link *l) {
    event_active(l->now, EV_TIMEOUT, 0);
}

static void look_later(struct syslog_link *l) {
    struct timeval after = {0, LOOK_MS * 1000};
    if (evtimer_add(l->now, &after) < 0)
        abort();
}

static void be_patient(struct syslog_link *l) {
    struct timeval after = {PATIENCE_MS / 1000, 0};
    if (evtimer_add(l->late, &after) < 0)
        abort();
}

/* --- a stream --- */

/* True when everything that left us was acknowledged. */
static bool arrived(struct syslog_link *l) {
    int unsent = 0;
    if (ioctl(web_socket(l->web), SIOCOUTQ, &unsent) < 0)
        return true; /* then nobody can tell */
    if (unsent != l->unsent)
        be_patient(l);
    l->unsent = unsent;
    return unsent == 0;
}

static void stream_on(struct syslog_link *l) {
    while (l->left.len > 0) {
        ssize_t n = web_write(l->web, l->left);
        if (n < 0) {
            fail(l, "broke off");
            return;
        }
        if (n == 0) {
            event_add(l->output, NULL);
            return;
        }
        l->left = view_from(l->left, (size_t)n);
        be_patient(l);
    }
    if (arrived(l))
        done(l);
    else
        look_later(l);
}

/* --- datagrams --- */

static void datagrams_on(struct syslog_link *l) {
    struct view rest = l->left, message;
    while (syslog_unframe(&rest, &message)) {
        ssize_t n = send(l->local, message.at, message.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
            event_add(l->output, NULL);
            return;
        }
        if (n < 0 && errno != EMSGSIZE) {
            fail(l, strerror(errno));
            return;
        }
        l->lost += n < 0;
        l->left = rest;
        be_patient(l);
    }
    done(l);
}

/* --- the loop's calls --- */

static void go_on(struct syslog_link *l) {
    if (!l->up)
        return;
    if (!l->told_up) {
        l->told_up = true;
        l->hooks->up(l->arg);
    } else if (l->given.len == 0) {
        return;
    } else if (l->web) {
        stream_on(l);
    } else {
        datagrams_on(l);
    }
}

static void on_now(evutil_socket_t fd, short what, void *arg) {
    struct syslog_link *l = arg;
    MAGIC_CHECK(l, SYSLOG_LINK_MAGIC);
    go_on(l);
}

static void on_output(evutil_socket_t fd, short what, void *arg) {
    on_now(fd, what, arg);
}

static void on_late(evutil_socket_t fd, short what, void *arg) {
    struct syslog_link *l = arg;
    MAGIC_CHECK(l, SYSLOG_LINK_MAGIC);
    fail(l, "takes nothing");
}

/* A receiver has nothing to say; what it says is thrown away. */
static void on_input(evutil_socket_t fd, short what, void *arg) {
    struct syslog_link *l = arg;
    MAGIC_CHECK(l, SYSLOG_LINK_MAGIC);
    if (!web_listen(l->web))
        fail(l, "closed the connection");
}

static void on_connected(void *arg, bool good, const char *why) {
    struct syslog_link *l = arg;
    MAGIC_CHECK(l, SYSLOG_LINK_MAGIC);
    if (!good) {
        l->web = NULL;
        fail(l, why);
        return;
    }
    int fd = web_socket(l->web);
    l->input = event_new(role_base(), fd, EV_READ | EV_PERSIST, on_input, l);
    l->output = event_new(role_base(), fd, EV_WRITE, on_output, l);
    if (!l->input || !l->output || event_add(l->input, NULL) < 0)
        abort();
    l->up = true;
    go_on(l);
}

/* --- opening and closing --- */

static bool open_local(struct syslog_link *l, const char *path, char why[LINK_WHY]) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    l->local = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->local < 0 || connect(l->local, (struct sockaddr *)&to, sizeof to) < 0) {
        snprintf(why, LINK_WHY, "cannot be reached: %s", strerror(errno));
        return false;
    }
    l->output = event_new(role_base(), l->local, EV_WRITE, on_output, l);
    if (!l->output)
        abort();
    l->up = true;
    soon(l);
    return true;
}

static bool open_stream(struct syslog_link *l, const char *target, const char *ca, char why[LINK_WHY]) {
    char url[URL_MAX];
    l->web = url_of(target, url) ? web_connect(url, ca, CONNECT_MS, on_connected, l) : NULL;
    if (!l->web)
        snprintf(why, LINK_WHY, "cannot be tried");
    return l->web;
}

struct syslog_link *syslog_link_open(const char *target, const char *ca, const struct link_hooks *hooks,
                                     void *arg, char why[LINK_WHY]) {
    struct syslog_link *l = calloc(1, sizeof *l);
    const char *path = path_of(target);
    if (!l)
        abort();
    *l = (struct syslog_link){.magic = SYSLOG_LINK_MAGIC, .hooks = hooks, .arg = arg, .local = -1};
    l->now = evtimer_new(role_base(), on_now, l);
    l->late = evtimer_new(role_base(), on_late, l);
    if (!l->now || !l->late)
        abort();
    if (!(path ? open_local(l, path, why) : open_stream(l, target, ca, why)))
        syslog_link_close(&l);
    return l;
}

void syslog_link_close(struct syslog_link **link) {
    struct syslog_link *l = *link;
    if (!l)
        return;
    MAGIC_CHECK(l, SYSLOG_LINK_MAGIC);
    struct event *events[] = {l->now, l->input, l->output, l->late};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (events[i])
            event_free(events[i]);
    web_stop(&l->web);
    if (l->local >= 0)
        close(l->local);
    l->magic = 0;
    free(l);
    *link = NULL;
}

void syslog_link_give(struct syslog_link *l, struct view frames) {
    MAGIC_CHECK(l, SYSLOG_LINK_MAGIC);
    assert(l->told_up && l->given.len == 0 && frames.len > 0);
    l->given = l->left = frames;
    be_patient(l);
    soon(l);
}
