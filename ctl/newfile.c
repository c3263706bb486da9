/* SPDX-License-Identifier: ISC
 *
 * See newfile.h.
 */
#include "newfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail(char why[512], const char *path) {
    snprintf(why, 512, "%.400s: %s", path, strerror(errno));
    return false;
}

static bool make_one(const char *path, mode_t mode, char why[512]) {
    struct stat st;
    if (mkdir(path, mode) == 0)
        return chmod(path, mode) == 0 || fail(why, path); /* whatever the umask says */
    if (errno == EEXIST && stat(path, &st) == 0) {
        errno = ENOTDIR;
        return S_ISDIR(st.st_mode) || fail(why, path);
    }
    return fail(why, path);
}

bool newfile_folder(const char *path, mode_t mode, char why[512]) {
    char part[4096];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof part) {
        errno = len ? ENAMETOOLONG : ENOENT;
        return fail(why, path);
    }
    for (size_t i = 1; i < len; i++) {
        if (path[i] != '/' || path[i - 1] == '/')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (!make_one(part, 0755, why))
            return false;
    }
    return make_one(path, mode, why);
}

bool newfile_parent(const char *path, char why[512]) {
    char folder[4096];
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return true;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    return newfile_folder(folder, 0755, why);
}

bool newfile_write(const char *path, const char *text, mode_t mode, char why[512]) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail(why, path);
    size_t len = strlen(text);
    bool good = write(fd, text, len) == (ssize_t)len && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    if (!good)
        fail(why, path);
    close(fd);
    if (!good)
        unlink(path);
    return good;
}

bool newfile_exists(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}
