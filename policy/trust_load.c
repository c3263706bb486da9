/* SPDX-License-Identifier: ISC
 *
 * Reads the folder of trusted keys. What others than its owner could have written is not believed.
 */
#include "trust.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".key"

static bool written_by_others(const struct stat *st) {
    return (st->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

/* 0, or one more than TRUST_FILE_MAX bytes were there. -1 with why. */
static ssize_t read_file(int folder, const char *name, char text[TRUST_FILE_MAX + 1],
                         char why[STATEMENT_WHY]) {
    struct stat st;
    ssize_t n = -1;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0)
        snprintf(why, STATEMENT_WHY, "%s", strerror(errno));
    else if (!S_ISREG(st.st_mode))
        snprintf(why, STATEMENT_WHY, "it is no file");
    else if (written_by_others(&st))
        snprintf(why, STATEMENT_WHY, "others than its owner may write it (mode %04o)",
                 (unsigned)st.st_mode & 07777);
    else if ((n = read(fd, text, TRUST_FILE_MAX + 1)) < 0)
        snprintf(why, STATEMENT_WHY, "%s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return n;
}

static void load_one(struct trust *t, int folder, const char *name, trust_problem_fn *problem, void *arg) {
    char text[TRUST_FILE_MAX + 1], why[STATEMENT_WHY];
    ssize_t n = read_file(folder, name, text, why);
    if (n < 0 || !trust_add(t, view_of(text, (size_t)n), why))
        if (problem)
            problem(arg, name, why);
}

static int is_key(const struct dirent *e) {
    size_t len = strlen(e->d_name);
    return e->d_name[0] != '.' && len > sizeof SUFFIX - 1 &&
           strcmp(e->d_name + len - (sizeof SUFFIX - 1), SUFFIX) == 0;
}

static bool folder_good(int fd, const char *folder, char why[256]) {
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        snprintf(why, 256, "trust folder %.120s: %s", folder, strerror(errno));
        return false;
    }
    if (written_by_others(&st)) {
        snprintf(why, 256, "trust folder %.120s: others than its owner may write it (mode %04o)", folder,
                 (unsigned)st.st_mode & 07777);
        return false;
    }
    return true;
}

static void load_all(struct trust *t, int fd, struct dirent **names, int count, trust_problem_fn *problem,
                     void *arg) {
    for (int i = 0; i < count; i++) {
        load_one(t, fd, names[i]->d_name, problem, arg);
        free(names[i]);
    }
    free(names);
}

struct trust *trust_load(const char *folder, trust_problem_fn *problem, void *arg, char why[256]) {
    struct dirent **names = NULL;
    struct trust *t = NULL;
    int count = -1, fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    why[0] = 0;
    if (folder_good(fd, folder, why) && (count = scandirat(fd, ".", &names, is_key, alphasort)) < 0)
        snprintf(why, 256, "trust folder %.120s: %s", folder, strerror(errno));
    if (count >= 0 && !(t = trust_new()))
        snprintf(why, 256, "out of memory");
    if (t)
        load_all(t, fd, names, count, problem, arg);
    if (fd >= 0)
        close(fd);
    return t;
}

/* Summed, as the order in which a folder is read means nothing. The change time covers contents, owner and
 * mode. */
uint64_t trust_mark(const char *folder) {
    uint64_t mark = 1;
    DIR *dir = opendir(folder);
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        struct stat st;
        if (strcmp(entry->d_name, "..") != 0 && fstatat(dirfd(dir), entry->d_name, &st, 0) == 0)
            mark += ((uint64_t)st.st_ino * 31 + (uint64_t)st.st_size) * 0x9E3779B97F4A7C15u ^
                    ((uint64_t)st.st_ctim.tv_sec * 1000000007u + (uint64_t)st.st_ctim.tv_nsec);
    }
    if (dir)
        closedir(dir);
    return mark;
}
