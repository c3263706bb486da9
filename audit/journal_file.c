/* SPDX-License-Identifier: ISC
 *
 * See journal_file.h. The only file that writes a log. What the chain believes about its file (that it exists
 * and how long it is) is compared with the file at every opening and every flush: another writer's bytes
 * break the chain instead of being built upon.
 */
#include "journal_file.h"
#include "files.h"
#include "log.h"
#include "magic.h"
#include "verify_object.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHAIN_MAGIC 0xC4A1B06Fu

struct chain *chain_get(struct journal *j, const char *tenant) {
    struct chain *c;
    HASH_FIND_STR(j->chains, tenant, c);
    if (c) {
        MAGIC_CHECK(c, CHAIN_MAGIC);
        return c;
    }
    c = HASH_COUNT(j->chains) < JOURNAL_CHAINS_MAX ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        errno = ENOMEM;
        return NULL;
    }
    c->magic = CHAIN_MAGIC;
    c->fd = -1;
    snprintf(c->tenant, sizeof c->tenant, "%s", tenant);
    HASH_ADD_STR(j->chains, tenant, c);
    return c;
}

__attribute__((format(printf, 2, 0))) static void chain_say(struct chain *c, const char *format,
                                                            va_list args) {
    vsnprintf(c->why, sizeof c->why, format, args);
    log_error("the log of %s: %s", files_folder(c->tenant), c->why);
}

void chain_fail(struct chain *c, const char *format, ...) {
    int saved = errno;
    va_list args;
    va_start(args, format);
    if (!c->failed && !c->broken)
        chain_say(c, format, args);
    va_end(args);
    c->failed = true;
    errno = saved;
}

void chain_break(struct chain *c, const char *format, ...) {
    int saved = errno;
    va_list args;
    va_start(args, format);
    if (!c->broken)
        chain_say(c, format, args);
    va_end(args);
    c->broken = true;
    errno = saved;
}

int chain_folder(struct journal *j, const struct chain *c, bool make) {
    const char *name = files_folder(c->tenant);
    if (make && mkdirat(j->folder, name, FILES_FOLDER_MODE) != 0 && errno != EEXIST)
        return -1;
    return openat(j->folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool open_file(struct journal *j, struct chain *c, unsigned number, bool make) {
    int folder = chain_folder(j, c, number == 1 && make);
    if (folder < 0)
        return false;
    char name[FILES_NAME_MAX];
    files_name(number, name);
    c->fd = openat(folder, name, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC | (make ? O_CREAT | O_EXCL : 0),
                   FILES_MODE);
    int saved = errno;
    close(folder);
    errno = saved;
    if (c->fd < 0)
        return false;
    j->open_files++;
    return true;
}

bool chain_open(struct journal *j, struct chain *c) {
    return c->fd >= 0 || open_file(j, c, c->file, false);
}

bool chain_open_next(struct journal *j, struct chain *c) {
    chain_close(j, c);
    if (c->file >= FILES_NUMBER_MAX) {
        errno = EFBIG;
        return false;
    }
    if (!open_file(j, c, c->file + 1, true))
        return false;
    c->file++;
    if (c->first_file == 0)
        c->first_file = c->file;
    c->name_synced = false;
    c->end.size = c->durable.size = 0;
    return true;
}

void chain_close(struct journal *j, struct chain *c) {
    if (c->fd < 0)
        return;
    close(c->fd);
    c->fd = -1;
    j->open_files--;
}

/* That the file is still there and as long as we made it. */
static bool chain_ours(struct chain *c) {
    struct stat s;
    if (fstat(c->fd, &s) != 0) {
        chain_fail(c, "the file cannot be looked at: %s", strerror(errno));
        return false;
    }
    if (s.st_nlink == 0)
        chain_break(c, "the file was deleted behind our back");
    else if ((uint64_t)s.st_size != c->end.size)
        chain_break(c, "somebody else wrote to the file: it has %jd bytes instead of %" PRIu64,
                    (intmax_t)s.st_size, c->end.size);
    if (c->broken)
        errno = EIO;
    return !c->broken;
}

static bool write_whole(int fd, struct view v) {
    while (v.len > 0) {
        ssize_t n = write(fd, v.at, v.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        v = view_from(v, (size_t)n);
    }
    return true;
}

/* The chain has grown by a line. */
static void count_line(struct journal *j, struct chain *c, struct view line, struct moment now) {
    c->end.n++;
    c->end.size += line.len;
    verify_hash(view_of(line.at, line.len - 1), c->end.head);
    c->day = zone_day(&j->rules.zone, now.wall_us);
    if (c->end.n == c->end.checkpoint + 1)
        c->uncovered_us = now.mono_us;
}

bool chain_write(struct journal *j, struct chain *c, const struct record *r, struct moment now) {
    uint8_t bytes[RECORD_LINE_MAX];
    struct writer line = writer_of(bytes, sizeof bytes);
    record_json(&line, r, c->tenant, c->end.n + 1, now.wall_us, zone_minutes(&j->rules.zone, now.wall_us),
                c->end.head);
    writer_u8(&line, '\n');
    assert(!line.bad); /* record_json.c proves that every record fits */
    bool was_open = c->fd >= 0;
    if (!chain_open(j, c)) {
        chain_fail(c, "the file cannot be opened: %s", strerror(errno));
        return false;
    }
    if (!was_open && !chain_ours(c))
        return false;
    if (!write_whole(c->fd, writer_view(&line))) {
        chain_fail(c, "writing failed: %s", strerror(errno));
        return false;
    }
    count_line(j, c, writer_view(&line), now);
    return true;
}

/* A new file's name is an entry of its folder, and the folder's of ours: both must be on disk too. */
static bool sync_names(struct journal *j, struct chain *c) {
    int folder = chain_folder(j, c, false);
    bool good = folder >= 0 && fsync(folder) == 0 && fsync(j->folder) == 0;
    int saved = errno;
    if (folder >= 0)
        close(folder);
    errno = saved;
    return good;
}

bool chain_sync(struct journal *j, struct chain *c) {
    if (c->fd < 0 || c->broken || !chain_ours(c))
        return false;
    if (fdatasync(c->fd) != 0 || (!c->name_synced && !sync_names(j, c))) {
        chain_fail(c, "making it durable failed: %s", strerror(errno));
        return false;
    }
    c->name_synced = true;
    c->durable = c->end;
    c->void_count = 0; /* they were declared in this file, or there were none */
    return true;
}
