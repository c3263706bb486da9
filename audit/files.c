/* SPDX-License-Identifier: ISC
 *
 * See files.h.
 */
#include "files.h"
#include "journal.h"
#include "magic.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINES_MAGIC 0x91E6A7C3u
#define LINES_BUFFER (4 * RECORD_LINE_MAX)

struct lines {
    uint32_t magic;
    int fd;
    size_t start, end; /* what was read and not yet given out */
    uint64_t offset;   /* of `start` in the file */
    uint8_t buffer[LINES_BUFFER];
};

bool files_tenant_valid(const char *tenant) {
    size_t len = strspn(tenant, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return len > 0 && len <= 40 && tenant[len] == 0 && tenant[0] != '-';
}

const char *files_folder(const char *tenant) {
    return tenant[0] ? tenant : JOURNAL_PROVIDER;
}

const char *files_tenant(const char *folder) {
    if (strcmp(folder, JOURNAL_PROVIDER) == 0)
        return "";
    return files_tenant_valid(folder) ? folder : NULL;
}

void files_name(unsigned number, char out[FILES_NAME_MAX]) {
    assert(number >= 1 && number <= 99999999);
    snprintf(out, FILES_NAME_MAX, "%08u.jsonl", number % 100000000);
}

/* The number in a chain file's name; 0 when the name is not one. */
static unsigned file_number(const char *name) {
    if (strspn(name, "0123456789") != 8 || strcmp(name + 8, ".jsonl") != 0)
        return 0;
    unsigned number = 0;
    for (size_t i = 0; i < 8; i++)
        number = number * 10 + (unsigned)(name[i] - '0');
    return number;
}

static bool ends_in_jsonl(const char *name) {
    size_t len = strlen(name);
    return len >= 6 && strcmp(name + len - 6, ".jsonl") == 0;
}

static bool count_names(DIR *folder, unsigned *count, char why[256]) {
    unsigned seen = 0, highest = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (!ends_in_jsonl(entry->d_name))
            continue;
        unsigned number = file_number(entry->d_name);
        if (number == 0) {
            snprintf(why, 256, "%.200s is not the name of a log file", entry->d_name);
            return false;
        }
        seen++;
        highest = number > highest ? number : highest;
    }
    if (seen != highest) {
        snprintf(why, 256, "files are missing: there are %u, the last one is number %u", seen, highest);
        return false;
    }
    *count = seen;
    return true;
}

bool files_count(int folder_fd, unsigned *count, char why[256]) {
    /* A descriptor of its own: readdir moves the position, which copies share. */
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (!folder) {
        snprintf(why, 256, "the folder cannot be read: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool good = count_names(folder, count, why);
    closedir(folder);
    return good;
}

struct lines *lines_new(int fd) {
    struct lines *l = malloc(sizeof *l);
    if (!l)
        return NULL;
    l->magic = LINES_MAGIC;
    l->fd = fd;
    l->start = l->end = 0;
    l->offset = 0;
    return l;
}

void lines_free(struct lines **l) {
    if (!*l)
        return;
    MAGIC_CHECK(*l, LINES_MAGIC);
    close((*l)->fd);
    (*l)->magic = 0;
    free(*l);
    *l = NULL;
}

/* Bytes read behind what is there; 0 at the end of the file, -1 with errno. */
static ssize_t lines_fill(struct lines *l) {
    memmove(l->buffer, l->buffer + l->start, l->end - l->start);
    l->end -= l->start;
    l->start = 0;
    ssize_t n;
    do
        n = read(l->fd, l->buffer + l->end, sizeof l->buffer - l->end);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        l->end += (size_t)n;
    return n;
}

enum lines_state lines_next(struct lines *l, struct view *line) {
    MAGIC_CHECK(l, LINES_MAGIC);
    for (;;) {
        const uint8_t *from = l->buffer + l->start;
        size_t len = l->end - l->start;
        const uint8_t *newline = len > 0 ? memchr(from, '\n', len) : NULL;
        size_t whole = newline ? (size_t)(newline - from) + 1 : len;
        if (whole > RECORD_LINE_MAX || (!newline && whole == RECORD_LINE_MAX))
            return LINES_LONG;
        if (newline) {
            *line = view_of(from, whole - 1);
            l->start += whole;
            l->offset += whole;
            return LINES_ONE;
        }
        ssize_t n = lines_fill(l);
        if (n <= 0)
            return n == 0 ? LINES_END : LINES_FAILED;
    }
}

struct view lines_tail(const struct lines *l) {
    MAGIC_CHECK(l, LINES_MAGIC);
    return view_of(l->buffer + l->start, l->end - l->start);
}

uint64_t lines_offset(const struct lines *l) {
    MAGIC_CHECK(l, LINES_MAGIC);
    return l->offset;
}
