/* SPDX-License-Identifier: ISC
 *
 * See notifier_tail.h. The ledger may cut its file back (it does so after a failed flush) and append other
 * lines in the place of those we have read. Each reading therefore begins one byte before the cursor, where a
 * newline must be; when it is not there, the file is read again from its beginning, and what may have been
 * replaced is told once more rather than not at all. What a later file declares void is not told; when it was
 * read already, the numbers are given anew, and so is their telling.
 */
#include "notifier_tail.h"
#include "book.h"
#include "files.h"
#include "log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINES_A_TURN 4096
#define FILES_MOST 99999999u
#define PATH_LEN (48 + FILES_NAME_MAX)

static void path_of(const char *tenant, unsigned file, char out[PATH_LEN]) {
    char name[FILES_NAME_MAX];
    files_name(file, name);
    snprintf(out, PATH_LEN, "%.46s/%s", files_folder(tenant), name);
}

static int open_file(int ledger, const char *tenant, unsigned file) {
    char path[PATH_LEN];
    path_of(tenant, file, path);
    return openat(ledger, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

static bool exists(int ledger, const char *tenant, unsigned file, off_t *size) {
    char path[PATH_LEN];
    struct stat st;
    path_of(tenant, file, path);
    if (fstatat(ledger, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    *size = st.st_size;
    return true;
}

static bool span_of(int ledger, const char *tenant, struct files_span *span) {
    char why[256];
    int folder = openat(ledger, files_folder(tenant), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool good = folder >= 0 && files_span(folder, span, why);
    if (folder >= 0)
        close(folder);
    return good && span->last > 0;
}

bool tail_grown(int ledger, const char *tenant, const struct cursor *c) {
    off_t size;
    struct files_span span;
    if (!exists(ledger, tenant, c->file, &size))
        return span_of(ledger, tenant, &span) && span.first > c->file;
    if ((uint64_t)size != c->offset)
        return true;
    return c->file < FILES_MOST && exists(ledger, tenant, c->file + 1, &size);
}

/* No record of one flush is missed: that many lines back at most were cut, or declared void. */
static void go_back(const char *tenant, struct cursor *c) {
    log_warning("the log of %s was cut back: its lines around number %" PRIu64 " are told again",
                files_folder(tenant), c->n);
    c->n = c->n > BOOK_BATCH_MAX ? c->n - BOOK_BATCH_MAX : 0;
}

/* To the next file that there is. */
static enum tail_state go_on(int ledger, const char *tenant, struct cursor *c) {
    struct files_span span;
    if (!span_of(ledger, tenant, &span) || span.last <= c->file)
        return TAIL_END;
    *c = (struct cursor){c->file + 1 > span.first ? c->file + 1 : span.first, 0, c->n};
    return TAIL_MORE;
}

/* Where the records of a file end that is not the last one. */
static bool records_end(int ledger, const char *tenant, unsigned file, uint64_t *end) {
    struct files_void v;
    off_t size;
    int folder = openat(ledger, files_folder(tenant), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return false;
    /* One file further is enough in all but the rarest case: then a void line may be told. */
    files_void(folder, file, file + 1, &v);
    close(folder);
    if (!exists(ledger, tenant, file, &size))
        return false;
    *end = (uint64_t)size > v.bytes ? (uint64_t)size - v.bytes : 0;
    return true;
}

/* At the byte before the cursor; *start is that place. */
static struct lines *open_at(int ledger, const char *tenant, const struct cursor *c, int *fd) {
    *fd = open_file(ledger, tenant, c->file);
    if (*fd < 0)
        return NULL;
    off_t start = c->offset > 0 ? (off_t)c->offset - 1 : 0;
    struct lines *l = lseek(*fd, start, SEEK_SET) == start ? lines_new(*fd) : NULL;
    if (!l) {
        int error = errno;
        close(*fd);
        errno = error;
    }
    return l;
}

/* One line, which stands before *c afterwards unless it is one to be told. */
static bool look(const char *tenant, struct view line, uint64_t end, struct cursor *c,
                 struct tail_found *found) {
    uint64_t n = notice_number(line);
    bool again = n != 0 && n <= c->n; /* known from before the file was cut back */
    found->after = (struct cursor){c->file, end, n > c->n ? n : c->n};
    if (n != 0 && !again && notice_wanted(line, tenant, &found->urgent)) {
        found->line = line;
        return true;
    }
    *c = found->after;
    return false;
}

static enum tail_state read_on(struct lines *l, const char *tenant, uint64_t start, struct cursor *c,
                               struct tail_found *found) {
    struct view line;
    for (int i = 0; i < LINES_A_TURN; i++) {
        switch (lines_next(l, &line)) {
        case LINES_ONE:
            if (look(tenant, line, start + lines_offset(l), c, found))
                return TAIL_FOUND;
            break;
        case LINES_END:
            return TAIL_END;
        case LINES_LONG:
            errno = EFBIG;
            return TAIL_FAILED;
        case LINES_FAILED:
            return TAIL_FAILED;
        }
    }
    return TAIL_MORE;
}

/* Moves the found line out of the reader, which goes. */
static void keep(struct tail_found *found) {
    static uint8_t line[RECORD_LINE_MAX];
    assert(found->line.len <= sizeof line);
    memcpy(line, found->line.at, found->line.len);
    found->line.at = line;
}

static enum tail_state read_at(struct lines *l, int fd, const char *tenant, struct cursor *c,
                               struct tail_found *found) {
    struct view line;
    enum lines_state before = c->offset > 0 ? lines_next(l, &line) : LINES_ONE;
    if (before == LINES_FAILED)
        return TAIL_FAILED;
    if (c->offset > 0 && (before != LINES_ONE || line.len != 0)) {
        go_back(tenant, c);
        c->offset = 0;
        return TAIL_MORE;
    }
    enum tail_state state = read_on(l, tenant, c->offset > 0 ? c->offset - 1 : 0, c, found);
    if (state != TAIL_FOUND)
        return state;
    keep(found);
    /* Told is only what is on disk, like everything else that leaves this node. */
    return fdatasync(fd) == 0 ? TAIL_FOUND : TAIL_FAILED;
}

/* Whether the cursor's file is the last one. Asked before reading: then the end of one that is not is its
 * very end. *end: where its records end, as far as that is known. */
static bool is_last(int ledger, const char *tenant, const struct cursor *c, uint64_t *end) {
    off_t size;
    *end = UINT64_MAX;
    if (c->file >= FILES_MOST || !exists(ledger, tenant, c->file + 1, &size) || size == 0)
        return true;
    if (!records_end(ledger, tenant, c->file, end))
        *end = UINT64_MAX;
    return false;
}

enum tail_state tail_next(int ledger, const char *tenant, struct cursor *c, struct tail_found *found) {
    uint64_t end;
    bool last = is_last(ledger, tenant, c, &end);
    if (c->offset > end) {
        go_back(tenant, c);
        return go_on(ledger, tenant, c);
    }
    int fd;
    struct lines *l = open_at(ledger, tenant, c, &fd);
    if (!l)
        return errno == ENOENT ? go_on(ledger, tenant, c) : TAIL_FAILED;
    lines_limit(l, end - (c->offset > 0 ? c->offset - 1 : 0));
    enum tail_state state = read_at(l, fd, tenant, c, found);
    int error = errno;
    lines_free(&l);
    errno = error;
    return state == TAIL_END && !last ? go_on(ledger, tenant, c) : state;
}

/* Whole lines from the cursor on, up to `end`. */
static enum tail_state block_at(int fd, const char *tenant, uint64_t end, struct cursor *c,
                                const struct tail_room *room, struct view *lines) {
    uint8_t newline = '\n';
    if (c->offset > 0 && pread(fd, &newline, 1, (off_t)c->offset - 1) != 1)
        newline = 0; /* the file is shorter */
    if (newline != '\n') {
        go_back(tenant, c);
        c->offset = 0;
        return TAIL_MORE;
    }
    size_t want = end - c->offset < room->cap ? (size_t)(end - c->offset) : room->cap;
    ssize_t n = pread(fd, room->at, want, (off_t)c->offset);
    if (n < 0)
        return TAIL_FAILED;
    const uint8_t *last = n > 0 ? memrchr(room->at, '\n', (size_t)n) : NULL;
    if (!last) {
        errno = EFBIG;
        return (size_t)n == room->cap ? TAIL_FAILED : TAIL_END;
    }
    *lines = view_of(room->at, (size_t)(last - room->at) + 1);
    return fdatasync(fd) == 0 ? TAIL_FOUND : TAIL_FAILED;
}

enum tail_state tail_block(int ledger, const char *tenant, struct cursor *c, const struct tail_room *room,
                           struct tail_lines *found) {
    assert(room->cap >= RECORD_LINE_MAX);
    uint64_t end;
    bool last = is_last(ledger, tenant, c, &end);
    if (c->offset > end) {
        go_back(tenant, c);
        return go_on(ledger, tenant, c);
    }
    int fd = open_file(ledger, tenant, c->file);
    if (fd < 0 && errno == ENOENT) {
        enum tail_state next = go_on(ledger, tenant, c);
        found->skipped |= next == TAIL_MORE;
        return next;
    }
    enum tail_state state = fd < 0 ? TAIL_FAILED : block_at(fd, tenant, end, c, room, &found->lines);
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    if (state == TAIL_FOUND)
        found->after = (struct cursor){c->file, c->offset + found->lines.len, c->n};
    return state == TAIL_END && !last ? go_on(ledger, tenant, c) : state;
}

/* The offset behind the last newline of the file. */
static uint64_t last_line_end(int fd) {
    static uint8_t bytes[RECORD_LINE_MAX];
    off_t size = lseek(fd, 0, SEEK_END);
    off_t from = size > (off_t)sizeof bytes ? size - (off_t)sizeof bytes : 0;
    ssize_t n = size > 0 ? pread(fd, bytes, sizeof bytes, from) : 0;
    const uint8_t *newline = n > 0 ? memrchr(bytes, '\n', (size_t)n) : NULL;
    return newline ? (uint64_t)from + (uint64_t)(newline - bytes) + 1 : 0;
}

void tail_end(int ledger, const char *tenant, struct cursor *c) {
    struct files_span span;
    *c = (struct cursor){1, 0, 0};
    if (!span_of(ledger, tenant, &span))
        return;
    int fd = open_file(ledger, tenant, span.last);
    c->file = span.last;
    c->offset = fd >= 0 ? last_line_end(fd) : 0;
    if (fd >= 0)
        close(fd);
}
