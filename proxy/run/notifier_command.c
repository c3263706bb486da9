/* SPDX-License-Identifier: ISC
 *
 * See notifier_command.h. The program gets a process group of its own, which is killed as a whole when its
 * time is up; an environment of nothing but PATH and TZ; and no descriptor but its document, a standard
 * output that leads nowhere, and our standard error.
 */
#include "notifier_command.h"
#include "magic.h"
#include "role.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMMAND_MAGIC 0x83B5F19Cu

struct command {
    uint32_t magic;
    pid_t pid;
    bool late; /* killed: its time was up */
    struct event *limit;
    told_fn *told;
    void *arg;
    LIST_ENTRY(command) next;
};

static LIST_HEAD(, command) commands = LIST_HEAD_INITIALIZER(commands);
static struct event *child_ended;

static void command_free(struct command **c) {
    MAGIC_CHECK(*c, COMMAND_MAGIC);
    LIST_REMOVE(*c, next);
    event_free((*c)->limit);
    (*c)->magic = 0;
    free(*c);
    *c = NULL;
}

static void on_limit(evutil_socket_t fd, short what, void *arg) {
    struct command *c = arg;
    MAGIC_CHECK(c, COMMAND_MAGIC);
    c->late = true;
    kill(-c->pid, SIGKILL);
}

static void ended(struct command *c, int status) {
    char why[TOLD_WHY] = "";
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (c->late)
        snprintf(why, sizeof why, "did not end within %d s", TOLD_LIMIT_MS / 1000);
    else if (WIFSIGNALED(status))
        snprintf(why, sizeof why, "was ended by signal SIG%s", sigabbrev_np(WTERMSIG(status)));
    else if (!good)
        snprintf(why, sizeof why, "ended with status %d", WEXITSTATUS(status));
    told_fn *told = c->told;
    void *arg = c->arg;
    command_free(&c);
    told(arg, good, why);
}

static void on_child(evutil_socket_t number, short what, void *arg) {
    struct command *c, *next;
    int status;
    for (c = LIST_FIRST(&commands); c; c = next) {
        next = LIST_NEXT(c, next);
        if (waitpid(c->pid, &status, WNOHANG) == c->pid)
            ended(c, status);
    }
}

static int document(struct view body) {
    int fd = memfd_create("notice", MFD_CLOEXEC);
    if (fd >= 0 && (write(fd, body.at, body.len) != (ssize_t)body.len || lseek(fd, 0, SEEK_SET) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void variable(char out[4200], const char *name) {
    const char *value = getenv(name);
    snprintf(out, 4200, "%s=%s", name, value ? value : "");
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

/* 0, or an errno. */
static int spawn_with(const char *path, int input, pid_t *pid) {
    char name[256], where[4200], zone[4200];
    snprintf(name, sizeof name, "%s", path);
    variable(where, "PATH");
    variable(zone, "TZ");
    char *argv[] = {name, NULL};
    char *envp[] = {where, getenv("TZ") ? zone : NULL, NULL};
    posix_spawnattr_t attributes;
    attributes_make(&attributes);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, input, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    int error = posix_spawn(pid, path, &files, &attributes, argv, envp);
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

bool command_start(const char *path, struct view body, told_fn *told, void *arg) {
    watch_children();
    int input = document(body);
    if (input < 0)
        return false;
    pid_t pid;
    int error = spawn_with(path, input, &pid);
    close(input);
    if (error != 0) {
        errno = error;
        return false;
    }
    struct command *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    *c = (struct command){.magic = COMMAND_MAGIC, .pid = pid, .told = told, .arg = arg};
    LIST_INSERT_HEAD(&commands, c, next);
    c->limit = role_timer(TOLD_LIMIT_MS, false, on_limit, c);
    return true;
}

void commands_end(void) {
    while (!LIST_EMPTY(&commands)) {
        struct command *c = LIST_FIRST(&commands);
        kill(-c->pid, SIGKILL);
        command_free(&c);
    }
    if (child_ended)
        event_free(child_ended);
    child_ended = NULL;
}
