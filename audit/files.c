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
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINES_MAGIC 0x91E6A7C3u
#define LINES_BUFFER (4 * RECORD_LINE_MAX)

struct lines {
    uint32_t magic;
    int fd;
    size_t start, end; /* what was read and not yet given out */
    uint64_t offset;   /* of `start` in the file */
    uint64_t left;     /* bytes that may still be read */
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

static bool span_of_names(DIR *folder, struct files_span *span, char why[256]) {
    unsigned seen = 0;
    *span = (struct files_span){0, 0};
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (!ends_in_jsonl(entry->d_name))
            continue;
        unsigned number = file_number(entry->d_name);
        if (number == 0) {
            snprintf(why, 256, "%.200s is not the name of a log file", entry->d_name);
            return false;
        }
        seen++;
        span->last = number > span->last ? number : span->last;
        span->first = span->first == 0 || number < span->first ? number : span->first;
    }
    if (seen > 0 && seen != span->last - span->first + 1) {
        snprintf(why, 256, "files are missing: there are %u from number %u to %u", seen, span->first,
                 span->last);
        return false;
    }
    return true;
}

bool files_span(int folder_fd, struct files_span *span, char why[256]) {
    /* A descriptor of its own: readdir moves the position, which copies share. */
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    *span = (struct files_span){0, 0};
    if (!folder) {
        snprintf(why, 256, "the folder cannot be read: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool good = span_of_names(folder, span, why);
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
    l->left = UINT64_MAX;
    return l;
}

void lines_limit(struct lines *l, uint64_t bytes) {
    MAGIC_CHECK(l, LINES_MAGIC);
    l->left = bytes;
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
    size_t room = sizeof l->buffer - l->end;
    if (room > l->left)
        room = (size_t)l->left;
    ssize_t n;
    do
        n = read(l->fd, l->buffer + l->end, room);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        l->end += (size_t)n;
        l->left -= (uint64_t)n;
    }
    return n;
}

static int open_number(int folder, unsigned number) {
    char name[FILES_NAME_MAX];
    files_name(number, name);
    return openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

static struct lines *open_lines(int folder, unsigned number) {
    int fd = open_number(folder, number);
    struct lines *l = fd >= 0 ? lines_new(fd) : NULL;
    if (!l && fd >= 0)
        close(fd);
    return l;
}

struct lines *files_lines(int folder_fd, unsigned number, unsigned last) {
    struct files_void v;
    struct stat s;
    files_void(folder_fd, number, last, &v);
    struct lines *l = open_lines(folder_fd, number);
    if (!l || v.bytes == 0)
        return l;
    bool known = fstat(l->fd, &s) == 0;
    if (known && (uint64_t)s.st_size >= v.bytes) {
        lines_limit(l, (uint64_t)s.st_size - v.bytes);
        return l;
    }
    int error = known ? EBADMSG : errno;
    lines_free(&l);
    errno = error;
    return NULL;
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

/* --- what is void --- */

enum found { FOUND, NOT_THIS, NO_REPAIR };

/* Whether a line is a repair of file `number`. */
static enum found read_repair(struct view line, unsigned number, struct files_void *out) {
    enum found found = NO_REPAIR;
    json_t *object = json_loadb((const char *)line.at, line.len, JSON_REJECT_DUPLICATES, NULL);
    const char *event = json_string_value(json_object_get(object, "event"));
    const char *sha256 = json_string_value(json_object_get(object, "sha256"));
    json_int_t bytes = json_integer_value(json_object_get(object, "bytes"));
    if (event && strcmp(event, event_name(EVENT_LEDGER_REPAIRED)) == 0)
        found = NOT_THIS;
    if (found == NOT_THIS && sha256 && strlen(sha256) == 64 && bytes > 0 &&
        json_integer_value(json_object_get(object, "file")) == (json_int_t)number) {
        found = FOUND;
        out->bytes = (uint64_t)bytes;
        memcpy(out->sha256, sha256, sizeof out->sha256);
    }
    json_decref(object);
    return found;
}

/* True when no file behind `by` can say more. */
static bool look_for_repair(int folder, unsigned by, unsigned number, struct files_void *out) {
    struct lines *l = open_lines(folder, by);
    struct view line;
    enum found found = NOT_THIS;
    while (l && found == NOT_THIS && lines_next(l, &line) == LINES_ONE)
        found = read_repair(line, number, out);
    lines_free(&l);
    return found != NOT_THIS;
}

void files_void(int folder_fd, unsigned number, unsigned last, struct files_void *out) {
    memset(out, 0, sizeof *out);
    /* A file that the repair itself could not fill is void too: then a later one has the record. */
    for (unsigned by = number + 1; by <= last && by > number; by++)
        if (look_for_repair(folder_fd, by, number, out))
            return;
}

static bool hash_from(int fd, off_t from, uint64_t bytes, uint8_t hash[32]) {
    uint8_t piece[65536];
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    bool good = c && EVP_DigestInit_ex(c, EVP_sha256(), NULL);
    while (good && bytes > 0) {
        size_t want = bytes < sizeof piece ? (size_t)bytes : sizeof piece;
        ssize_t n = pread(fd, piece, want, from);
        good = n > 0 && EVP_DigestUpdate(c, piece, (size_t)n);
        if (!good)
            break;
        from += n;
        bytes -= (uint64_t)n;
    }
    good = good && EVP_DigestFinal_ex(c, hash, NULL);
    EVP_MD_CTX_free(c);
    return good;
}

bool files_hash(int folder_fd, unsigned number, uint64_t bytes, char sha256[65]) {
    int fd = open_number(folder_fd, number);
    struct stat s;
    uint8_t hash[32];
    bool good = fd >= 0 && fstat(fd, &s) == 0 && (uint64_t)s.st_size >= bytes &&
                hash_from(fd, (off_t)((uint64_t)s.st_size - bytes), bytes, hash);
    if (fd >= 0)
        close(fd);
    if (!good)
        return false;
    struct writer w = writer_of(sha256, 65);
    text_hex(&w, view_of(hash, sizeof hash));
    writer_u8(&w, 0);
    return true;
}

bool files_void_fits(int folder_fd, unsigned number, const struct files_void *v) {
    char sha256[65];
    return files_hash(folder_fd, number, v->bytes, sha256) && strcmp(sha256, v->sha256) == 0;
}

/* --- the end --- */

static struct view last_line_of(const uint8_t *bytes, size_t len) {
    while (len > 0 && bytes[len - 1] != '\n')
        len--; /* half a line */
    if (len == 0)
        return view_of(NULL, 0);
    size_t start = len - 1;
    while (start > 0 && bytes[start - 1] != '\n')
        start--;
    return view_of(bytes + start, len - 1 - start);
}

bool files_last_line(int folder_fd, unsigned number, unsigned last, uint8_t *buffer, size_t cap,
                     struct view *line) {
    struct files_void v;
    struct stat s;
    files_void(folder_fd, number, last, &v);
    int fd = open_number(folder_fd, number);
    if (fd < 0 || fstat(fd, &s) != 0) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    uint64_t end = (uint64_t)s.st_size > v.bytes ? (uint64_t)s.st_size - v.bytes : 0;
    size_t want = end < cap ? (size_t)end : cap;
    ssize_t n = pread(fd, buffer, want, (off_t)(end - want));
    *line = n > 0 ? last_line_of(buffer, (size_t)n) : view_of(NULL, 0);
    int saved = errno;
    close(fd);
    errno = saved;
    return n >= 0;
}
