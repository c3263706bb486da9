/* SPDX-License-Identifier: ISC
 *
 * See program.h. A program that ended stays a zombie until nothing of it is awaited any more: so long its
 * process group cannot be somebody else's.
 */
#include "program.h"
#include "magic.h"
#include "role.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM_MAGIC 0x83B5F19Cu

struct program {
    uint32_t magic;
    pid_t pid;
    bool gone; /* a zombie */
    bool late;
    int output; /* -1: nothing is heard, or nothing more */
    struct event *speaks, *limit;
    char said[PROGRAM_SAID];
    size_t said_len;
    program_ended_fn *ended; /* NULL: stopped */
    void *arg;
    LIST_ENTRY(program) next;
};

static LIST_HEAD(, program) programs = LIST_HEAD_INITIALIZER(programs);
static struct event *child_ended;

static void stop_hearing(struct program *p) {
    if (p->output < 0)
        return;
    event_free(p->speaks);
    close(p->output);
    p->output = -1;
}

static void program_free(struct program **p) {
    MAGIC_CHECK(*p, PROGRAM_MAGIC);
    LIST_REMOVE(*p, next);
    stop_hearing(*p);
    event_free((*p)->limit);
    (*p)->magic = 0;
    free(*p);
    *p = NULL;
}

/* Ends it when nothing more is awaited. */
static void settle(struct program *p) {
    if (!p->gone || p->output >= 0)
        return;
    char said[PROGRAM_SAID];
    memcpy(said, p->said, p->said_len);
    struct program_end end = {.late = p->late, .said = view_of(said, p->said_len)};
    program_ended_fn *ended = p->ended;
    void *arg = p->arg;
    waitpid(p->pid, &end.status, 0);
    program_free(&p);
    if (ended)
        ended(arg, &end);
}

/* It may have left its group; the rest of the group has not. */
static void kill_all(const struct program *p) {
    kill(-p->pid, SIGKILL);
    kill(p->pid, SIGKILL);
}

static void on_limit(evutil_socket_t fd, short what, void *arg) {
    struct program *p = arg;
    MAGIC_CHECK(p, PROGRAM_MAGIC);
    p->late = true;
    kill_all(p);
    stop_hearing(p);
    settle(p);
}

static void on_child(evutil_socket_t number, short what, void *arg) {
    struct program *p, *next;
    for (p = LIST_FIRST(&programs); p; p = next) {
        siginfo_t info = {.si_pid = 0};
        next = LIST_NEXT(p, next);
        if (p->gone || waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
            info.si_pid != p->pid)
            continue;
        p->gone = true;
        settle(p);
    }
}

static void on_speaks(evutil_socket_t fd, short what, void *arg) {
    struct program *p = arg;
    MAGIC_CHECK(p, PROGRAM_MAGIC);
    char rest[512];
    size_t room = sizeof p->said - p->said_len;
    ssize_t n = read(fd, room > 0 ? p->said + p->said_len : rest, room > 0 ? room : sizeof rest);
    if (n > 0 && room > 0)
        p->said_len += (size_t)n;
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    stop_hearing(p);
    settle(p);
}

static void attributes_make(posix_spawnattr_t *a) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(a);
    posix_spawnattr_setsigmask(a, &none);
    posix_spawnattr_setsigdefault(a, &all);
    posix_spawnattr_setpgroup(a, 0);
    posix_spawnattr_setflags(a, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

/* output: -1 or where it says things. 0, or an errno. */
static int spawn_it(const struct program_wish *w, int output, pid_t *pid) {
    posix_spawnattr_t attributes;
    attributes_make(&attributes);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    if (w->input >= 0)
        posix_spawn_file_actions_adddup2(&files, w->input, 0);
    else
        posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (output >= 0) {
        posix_spawn_file_actions_adddup2(&files, output, 1);
        posix_spawn_file_actions_adddup2(&files, output, 2);
    } else {
        posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    }
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    int error = posix_spawn(pid, w->argv[0], &files, &attributes, w->argv, w->environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return error;
}

static void watch_children(void) {
    if (child_ended)
        return;
    child_ended = evsignal_new(role_base(), SIGCHLD, on_child, NULL);
    if (!child_ended || evsignal_add(child_ended, NULL) < 0)
        abort();
}

static void hear(struct program *p, int fd) {
    evutil_make_socket_nonblocking(fd);
    p->output = fd;
    p->speaks = event_new(role_base(), fd, EV_READ | EV_PERSIST, on_speaks, p);
    if (!p->speaks || event_add(p->speaks, NULL) < 0)
        abort();
}

struct program *program_start(const struct program_wish *w, program_ended_fn *ended, void *arg) {
    int pair[2] = {-1, -1};
    pid_t pid;
    watch_children();
    if (w->heard && pipe2(pair, O_CLOEXEC) != 0)
        return NULL;
    int error = spawn_it(w, pair[1], &pid);
    if (w->heard)
        close(pair[1]);
    if (error != 0) {
        if (w->heard)
            close(pair[0]);
        errno = error;
        return NULL;
    }
    struct program *p = calloc(1, sizeof *p);
    if (!p)
        abort();
    *p = (struct program){.magic = PROGRAM_MAGIC, .pid = pid, .output = -1, .ended = ended, .arg = arg};
    LIST_INSERT_HEAD(&programs, p, next);
    p->limit = role_timer(w->limit_ms, false, on_limit, p);
    if (w->heard)
        hear(p, pair[0]);
    return p;
}

void program_stop(struct program **p) {
    if (!*p)
        return;
    MAGIC_CHECK(*p, PROGRAM_MAGIC);
    kill_all(*p);
    (*p)->ended = NULL;
    stop_hearing(*p);
    settle(*p);
    *p = NULL;
}

void programs_end(void) {
    while (!LIST_EMPTY(&programs)) {
        struct program *p = LIST_FIRST(&programs);
        kill_all(p);
        program_free(&p);
    }
    if (child_ended)
        event_free(child_ended);
    child_ended = NULL;
}
