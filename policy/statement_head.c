/* SPDX-License-Identifier: ISC
 *
 * The host's memory of the statement log: one small file, replaced whole. See statement_log.h.
 */
#include "magic.h"
#include "statement_log.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HEAD_TEXT 96 /* 20 digits, a space, 64 digits, a newline */

static bool parse(struct view v, struct statement_head *out) {
    const uint8_t *space = v.len ? memchr(v.at, ' ', v.len) : NULL;
    if (!space || v.at[v.len - 1] != '\n')
        return false;
    size_t digits = (size_t)(space - v.at);
    return text_number(view_of(v.at, digits), 0, INT64_MAX, &out->n) &&
           text_unhex(view_of(space + 1, v.len - digits - 2), out->hash, sizeof out->hash);
}

bool statement_head_read(const char *path, struct statement_head *out, char why[256]) {
    char text[HEAD_TEXT];
    memset(out, 0, sizeof *out);
    why[0] = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return true;
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (n < 0)
        snprintf(why, 256, "%.160s: %s", path, strerror(errno));
    else if (!parse(view_of(text, (size_t)n), out))
        snprintf(why, 256, "%.160s: it is not a number and a hash", path);
    if (fd >= 0)
        close(fd);
    return !why[0];
}

static bool write_whole(const char *path, struct view text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    bool good = write(fd, text.at, text.len) == (ssize_t)text.len && fsync(fd) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return good;
}

/* Renaming is durable when the folder is. */
static bool flush_folder(const char *path) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

bool statement_head_write(const char *path, const struct statement_head *head, char why[256]) {
    char text[HEAD_TEXT], fresh[PATH_MAX];
    struct writer w = writer_of(text, sizeof text);
    writer_format(&w, "%llu ", (unsigned long long)head->n);
    text_hex(&w, view_of(head->hash, sizeof head->hash));
    writer_text(&w, "\n");
    assert(!w.bad);
    why[0] = 0;
    int n = snprintf(fresh, sizeof fresh, "%s.new", path);
    if (n < 0 || (size_t)n >= sizeof fresh)
        errno = ENAMETOOLONG;
    else if (write_whole(fresh, writer_view(&w)) && rename(fresh, path) == 0 && flush_folder(path))
        return true;
    snprintf(why, 256, "%.160s: %s", path, strerror(errno));
    return false;
}
