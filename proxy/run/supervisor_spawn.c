/* SPDX-License-Identifier: ISC
 *
 * See supervisor_spawn.h.
 */
#include "supervisor_spawn.h"
#include "sandbox.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENTRY_MAX 4200 /* a path and its name */
#define ENTRIES_MAX 12
#define SPAWN_SESSION "sekisho-session"

struct environment {
    char *entry[ENTRIES_MAX + 1]; /* owned; ends in NULL */
    size_t count;
    bool bad;
};

static void add(struct environment *e, const char *name, const char *value) {
    if (!value)
        return;
    assert(e->count < ENTRIES_MAX);
    char text[ENTRY_MAX];
    int n = snprintf(text, sizeof text, "%s=%s", name, value);
    char *copy = malloc(sizeof text);
    if (!copy || n < 0 || (size_t)n >= sizeof text) {
        free(copy);
        e->bad = true;
        return;
    }
    snprintf(copy, sizeof text, "%s", text);
    e->entry[e->count++] = copy;
}

static void environment_make(struct environment *e, const struct spawn *what) {
    static const char *const inherited[] = {"PATH", "TZ", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"};
    *e = (struct environment){.count = 0};
    for (size_t i = 0; i < sizeof inherited / sizeof inherited[0]; i++)
        add(e, inherited[i], getenv(inherited[i]));
    if (what->notify)
        add(e, "NOTIFY_SOCKET", getenv("NOTIFY_SOCKET"));
    add(e, SPAWN_ROLE, what->role);
    add(e, SPAWN_TENANT, what->tenant);
    add(e, SPAWN_CONFIG, what->config);
    add(e, SANDBOX_IDS, what->ids && what->ids[0] ? what->ids : NULL);
}

static void environment_end(struct environment *e) {
    for (size_t i = 0; i < e->count; i++)
        free(e->entry[i]);
}

/* Signals as at birth: the parent's handlers and its mask are none of the child's business. */
static void attributes_make(posix_spawnattr_t *a, bool own_group) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(a);
    posix_spawnattr_setsigmask(a, &none);
    posix_spawnattr_setsigdefault(a, &all);
    posix_spawnattr_setpgroup(a, 0);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    posix_spawnattr_setflags(a, own_group ? (short)(flags | POSIX_SPAWN_SETPGROUP) : flags);
}

/* The folder of this very program, with its last slash; "" when it does not fit. */
static void own_folder(char out[PATH_MAX]) {
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    out[n > 0 ? n : 0] = 0;
    char *last = strrchr(out, '/');
    out[last ? last + 1 - out : 0] = 0;
}

int spawn_open_session(void) {
    char folder[PATH_MAX], path[PATH_MAX + sizeof SPAWN_SESSION];
    own_folder(folder);
    snprintf(path, sizeof path, "%s" SPAWN_SESSION, folder);
    int fd = folder[0] ? open(path, O_PATH | O_CLOEXEC) : -1;
    return fd >= 0 ? fd : open(SEKISHO_LIBEXEC "/" SPAWN_SESSION, O_PATH | O_CLOEXEC);
}

/* In the child: the channel, the program, the page, each at its number, and nothing behind. Returns the path
 * to start. */
static const char *files_make(posix_spawn_file_actions_t *files, const struct spawn *what) {
    posix_spawn_file_actions_init(files);
    if (what->channel >= 0)
        posix_spawn_file_actions_adddup2(files, what->channel, SPAWN_CHANNEL_FD);
    else
        posix_spawn_file_actions_addclose(files, SPAWN_CHANNEL_FD);
    assert(what->program < 0 || what->program > SPAWN_PROGRAM_FD);
    if (what->program >= 0)
        posix_spawn_file_actions_adddup2(files, what->program, SPAWN_PROGRAM_FD);
    else
        posix_spawn_file_actions_addclose(files, SPAWN_PROGRAM_FD);
    bool page = what->page > SPAWN_PAGE_FD;
    if (page)
        posix_spawn_file_actions_adddup2(files, what->page, SPAWN_PAGE_FD);
    posix_spawn_file_actions_addclosefrom_np(files, SPAWN_PAGE_FD + page);
    return what->program >= 0 ? SPAWN_PROGRAM_PATH : "/proc/self/exe";
}

pid_t spawn(const struct spawn *what) {
    char title[80];
    snprintf(title, sizeof title, "sekisho: %s%s%s", what->role, what->tenant ? " " : "",
             what->tenant ? what->tenant : "");
    char *argv[] = {title, NULL};
    struct environment e;
    environment_make(&e, what);
    posix_spawnattr_t attributes;
    attributes_make(&attributes, what->own_group);
    posix_spawn_file_actions_t files;
    const char *path = files_make(&files, what);
    pid_t pid = -1;
    int error = e.bad ? ENOMEM : posix_spawn(&pid, path, &files, &attributes, argv, e.entry);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    environment_end(&e);
    errno = error;
    return error == 0 ? pid : -1;
}
