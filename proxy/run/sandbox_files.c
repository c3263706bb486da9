/* SPDX-License-Identifier: ISC
 *
 * Landlock: what a process may reach of the file system, of TCP and of other processes' signals, by the
 * kernel's own rules, without privilege. Places are folders as they were at the start: a file that replaces
 * another in the same folder is reached, a folder that replaces another is not.
 */
#include "checkpoint.h"
#include "log.h"
#include "sandbox_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than the headers we build with; the kernel says by its version which it knows. */
#define FS_TRUNCATE (1ull << 14)  /* version 3 */
#define FS_IOCTL_DEV (1ull << 15) /* version 5 */
#define NET_BIND_TCP (1ull << 0)  /* version 4 */
#define NET_CONNECT_TCP (1ull << 1)
#define SCOPE_ABSTRACT_UNIX (1ull << 0) /* version 6 */
#define SCOPE_SIGNAL (1ull << 1)

struct ruleset { /* landlock_ruleset_attr of version 6 */
    uint64_t files, network, scope;
};

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE                                                                                                \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |             \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER |             \
     FS_TRUNCATE)
#define SOCKETS (LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE)
#define OF_A_FILE                                                                                            \
    (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE | FS_TRUNCATE)

enum place_kind { PLACE_FOLDER, PLACE_PARENT, PLACE_FIXED, PLACE_SIGNING };

static const struct place {
    const char *name;
    enum place_kind kind;
    size_t setting; /* where in struct settings */
    const char *fixed, *what;
} places[] = {
#define PLACE_FOLDER_OF(what) offsetof(struct settings, what), NULL
#define PLACE_PARENT_OF(what) offsetof(struct settings, what), NULL
#define PLACE_SIGNING_OF(what) offsetof(struct settings, what), NULL
#define PLACE_FIXED_OF(what) 0, what
#define PLACE(name, kind, what) {name, kind, kind##_OF(what), #what},
#include "sandbox.def"
};

static uint64_t files_of(int version) {
    uint64_t all = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
    if (version >= 2)
        all |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        all |= FS_TRUNCATE;
    if (version >= 5)
        all |= FS_IOCTL_DEV;
    return all;
}

static uint64_t rights_of(const char *letters) {
    uint64_t rights = 0;
    for (; *letters; letters++)
        rights |= *letters == 'r' ? READ : *letters == 'w' ? WRITE : *letters == 's' ? SOCKETS : 0;
    return rights;
}

static void grant(int rules, const char *path, uint64_t rights) {
    struct stat st;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        if (fd >= 0)
            close(fd);
        return; /* what is not there is not reached */
    }
    if (!S_ISDIR(st.st_mode))
        rights &= OF_A_FILE;
    struct landlock_path_beneath_attr beneath = {.allowed_access = rights, .parent_fd = fd};
    if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0)
        log_error("%s stays out of reach: %s", path, strerror(errno));
    close(fd);
}

/* The folder that the file's name is in and, through symbolic links, the one that the file is in: renewed
 * certificates appear in either. */
static void grant_parent(int rules, const char *path, uint64_t rights) {
    char name[PATH_MAX], real[PATH_MAX];
    snprintf(name, sizeof name, "%s", path);
    grant(rules, dirname(name), rights);
    if (realpath(path, real))
        grant(rules, dirname(real), rights);
}

/* One file of a folder, as it is at the start. */
static void grant_file(int rules, const char *folder, const char *name, uint64_t rights) {
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (len > 0 && (size_t)len < sizeof path)
        grant(rules, path, rights);
}

static void grant_place(int rules, const struct place *p, const struct settings *s, uint64_t rights) {
    const char *path = p->kind == PLACE_FIXED ? p->fixed : (const char *)s + p->setting;
    if (path[0] == 0)
        return;
    if (p->kind == PLACE_PARENT)
        grant_parent(rules, path, rights);
    else if (p->kind == PLACE_SIGNING)
        grant_file(rules, path, CHECKPOINT_KEY_FILE, rights);
    else
        grant(rules, path, rights);
}

static void grant_word(int rules, char *word, const struct settings *s, uint64_t known) {
    char *letters = strchr(word, ':');
    *letters++ = 0;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (strcmp(places[i].name, word) == 0)
            grant_place(rules, &places[i], s, rights_of(letters) & known);
}

static int make_rules(const struct sandbox_row *row, int version) {
    bool connects = strstr(row->calls, "instances") != NULL;
    struct ruleset all = {.files = files_of(version)};
    size_t size = sizeof all.files;
    if (version >= 4) {
        all.network = connects ? NET_BIND_TCP : NET_BIND_TCP | NET_CONNECT_TCP;
        size = offsetof(struct ruleset, scope);
    }
    if (version >= 6) {
        all.scope = SCOPE_SIGNAL | SCOPE_ABSTRACT_UNIX;
        size = sizeof all;
    }
    return (int)syscall(SYS_landlock_create_ruleset, &all, size, 0);
}

/* The folder that a setting means, as grant_place grants it. */
static void folder_of(const struct place *p, const struct settings *s, char out[PATH_MAX]) {
    const char *path = (const char *)s + p->setting;
    char name[PATH_MAX];
    snprintf(name, sizeof name, "%s", path);
    snprintf(out, PATH_MAX, "%s", p->kind == PLACE_PARENT && path[0] ? dirname(name) : path);
}

static bool is_granted(const struct place *wanted, const char *folder, const struct settings *s) {
    char granted[PATH_MAX];
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (places[i].kind == PLACE_FIXED || strcmp(places[i].name, wanted->name) != 0)
            continue;
        folder_of(&places[i], s, granted);
        if (strcmp(granted, folder) == 0)
            return true;
    }
    return false;
}

const char *sandbox_beyond(const struct settings *old, const struct settings *new) {
    char folder[PATH_MAX];
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (places[i].kind == PLACE_FIXED || !sandbox_confines(places[i].name))
            continue;
        folder_of(&places[i], new, folder);
        if (folder[0] && !is_granted(&places[i], folder, old))
            return places[i].what;
    }
    return NULL;
}

bool sandbox_files(const struct sandbox_row *row, const struct settings *s) {
    int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1)
        return false;
    int rules = make_rules(row, version);
    const char *rest = row->places;
    char word[32];
    while (rules >= 0 && sandbox_word(&rest, word))
        grant_word(rules, word, s, files_of(version));
#ifdef SEKISHO_SANITIZE
    grant(rules, "/proc", READ);
#endif
    if (rules < 0 || syscall(SYS_landlock_restrict_self, rules, 0) < 0) {
        log_error("files cannot be put out of reach: %s", strerror(errno));
        _exit(1);
    }
    close(rules);
    return true;
}
