/* SPDX-License-Identifier: ISC
 *
 * See console_scroll.h.
 */
#include "console_scroll.h"
#include "console_time.h"
#include "files.h"
#include "magic.h"
#include "record.h"
#include "text.h"
#include "verify_object.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCROLL_MAGIC 0x5C4011A6u
/* A slice: so much is read, then others have their turn. */
#define SLICE_BYTES (256u << 10)
#define SLICE_ROWS 64

struct scroll {
    uint32_t magic;
    struct scroll_wish wish;
    int folder;
    unsigned file;
    struct files_span files;
    struct lines *lines;
    bool counting; /* the first time through: how many fit */
    uint64_t fitting, passed, skip;
};

static int open_folder(const char *ledger_dir, const char *tenant, char why[256]) {
    char path[512];
    if (tenant[0] && !files_tenant_valid(tenant)) {
        snprintf(why, 256, "that is not a tenant's name");
        return -1;
    }
    snprintf(path, sizeof path, "%s/%s", ledger_dir, files_folder(tenant));
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        snprintf(why, 256, "%s", errno == ENOENT ? "there is no log of that name" : strerror(errno));
    return fd;
}

struct scroll *scroll_open(const char *ledger_dir, const char *tenant, const struct scroll_wish *wish,
                           char why[256]) {
    int folder = open_folder(ledger_dir, tenant, why);
    struct scroll *s = folder >= 0 ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return NULL;
    s->magic = SCROLL_MAGIC;
    s->wish = *wish;
    s->folder = folder;
    s->counting = wish->newest > 0;
    return s;
}

void scroll_close(struct scroll **s) {
    if (!*s)
        return;
    MAGIC_CHECK(*s, SCROLL_MAGIC);
    lines_free(&(*s)->lines);
    close((*s)->folder);
    (*s)->magic = 0;
    free(*s);
    *s = NULL;
}

/* --- one record --- */

static const char *member(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

static bool fits(const struct scroll *s, const json_t *object) {
    const char *session = member(object, "session"), *time = member(object, "time");
    int64_t us;
    if (s->wish.session[0] && (!session || strcmp(session, s->wish.session) != 0))
        return false;
    if (s->wish.from_us == INT64_MIN && s->wish.to_us == INT64_MAX)
        return true;
    return time && console_time_parse(view_text(time), &us) && us >= s->wish.from_us && us < s->wish.to_us;
}

/* The first of the members that is there. */
static void member_cell(struct console_table *t, const json_t *object, const char *const names[4]) {
    for (int i = 0; i < 4 && names[i]; i++) {
        const json_t *value = json_object_get(object, names[i]);
        if (json_is_integer(value)) {
            rows_number(t, (uint64_t)json_integer_value(value));
            return;
        }
        if (json_is_string(value)) {
            rows_cell(t, view_of(json_string_value(value), json_string_length(value)));
            return;
        }
    }
    rows_null(t);
}

static void audit_row(struct console_table *t, const json_t *object, struct view line) {
    static const char *const names[][4] = {
        {"n"},    {"time"},   {"event"},  {"session"}, {"operator"},
        {"user"}, {"client"}, {"reason"}, {"sql"},     {"detail", "message", "action", "tag"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        member_cell(t, object, names[i]);
    rows_cell(t, line);
}

/* --- the way through --- */

/* The next file, when there is one. */
static enum scroll_slice turn_page(struct scroll *s, char why[256]) {
    if (s->file == s->files.last && !files_span(s->folder, &s->files, why))
        return SCROLL_BROKEN;
    if (s->file >= s->files.last)
        return SCROLL_END;
    lines_free(&s->lines);
    s->file = s->file < s->files.first ? s->files.first : s->file + 1;
    s->lines = files_lines(s->folder, s->file, s->files.last);
    if (!s->lines)
        snprintf(why, 256, "a file of the log cannot be read: %s", strerror(errno));
    return s->lines ? SCROLL_MORE : SCROLL_BROKEN;
}

/* Counted to the end: from the start again, past those that are too old. */
static void begin_again(struct scroll *s) {
    lines_free(&s->lines);
    s->file = 0;
    s->files = (struct files_span){0, 0};
    s->counting = false;
    s->skip = s->fitting > s->wish.newest ? s->fitting - s->wish.newest : 0;
}

static void take_line(struct scroll *s, struct console_table *t, struct view line) {
    json_t *object = json_loadb((const char *)line.at, line.len, JSON_ALLOW_NUL, NULL);
    if (!fits(s, object)) {
        json_decref(object);
        return;
    }
    if (s->counting)
        s->fitting++;
    else if (++s->passed > s->skip)
        audit_row(t, object, line);
    json_decref(object);
}

/* More has been written meanwhile than was counted. */
static bool enough(const struct scroll *s) {
    return s->wish.newest > 0 && !s->counting && s->passed >= s->fitting;
}

enum scroll_slice scroll_slice(struct scroll *s, struct console_table *t, char why[256]) {
    MAGIC_CHECK(s, SCROLL_MAGIC);
    struct view line;
    size_t read = 0, rows = t->rows;
    while (read < SLICE_BYTES && t->rows - rows < SLICE_ROWS && !enough(s)) {
        enum lines_state state = s->lines ? lines_next(s->lines, &line) : LINES_END;
        if (state == LINES_ONE) {
            read += line.len + 1;
            take_line(s, t, line);
            continue;
        }
        if (state != LINES_END) {
            snprintf(why, 256, "%s",
                     state == LINES_LONG ? "a line is longer than any record" : strerror(errno));
            return SCROLL_BROKEN;
        }
        enum scroll_slice page = turn_page(s, why);
        if (page == SCROLL_BROKEN || (page == SCROLL_END && !s->counting))
            return page;
        if (page == SCROLL_END)
            begin_again(s);
    }
    return enough(s) ? SCROLL_END : SCROLL_MORE;
}

/* --- the head --- */

/* The last whole line of a file, in a buffer of `cap` bytes; empty when there is none. */
static bool last_line(int fd, uint8_t *buffer, size_t cap, struct view *line) {
    struct stat st;
    *line = view_of(NULL, 0);
    if (fstat(fd, &st) < 0)
        return false;
    size_t want = (uint64_t)st.st_size < cap ? (size_t)st.st_size : cap;
    ssize_t n = pread(fd, buffer, want, st.st_size - (off_t)want);
    if (n < 0)
        return false;
    size_t end = (size_t)n;
    while (end > 0 && buffer[end - 1] != '\n')
        end--; /* half a line, being written */
    if (end == 0)
        return true;
    size_t start = end - 1;
    while (start > 0 && buffer[start - 1] != '\n')
        start--;
    *line = view_of(buffer + start, end - 1 - start);
    return start > 0 || want < cap;
}

static void head_row(struct console_table *t, const char *tenant, struct view line) {
    uint8_t hash[32];
    char hex[65];
    struct writer w = writer_of(hex, sizeof hex);
    static const char *const n[4] = {"n"}, *const time[4] = {"time"};
    json_t *object = json_loadb((const char *)line.at, line.len, JSON_ALLOW_NUL, NULL);
    verify_hash(line, hash);
    text_hex(&w, view_of(hash, sizeof hash));
    rows_text(t, tenant[0] ? tenant : "-");
    member_cell(t, object, n);
    member_cell(t, object, time);
    rows_cell(t, writer_view(&w));
    json_decref(object);
}

/* *found: the file had a whole line, and its row is there. */
static bool head_of_file(int folder, unsigned number, const char *tenant, struct console_table *t,
                         bool *found) {
    static uint8_t buffer[2 * RECORD_LINE_MAX];
    char name[FILES_NAME_MAX];
    struct view line;
    files_name(number, name);
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool good = fd >= 0 && last_line(fd, buffer, sizeof buffer, &line);
    *found = good && line.len > 0;
    if (*found)
        head_row(t, tenant, line);
    if (fd >= 0)
        close(fd);
    return good;
}

bool scroll_head(const char *ledger_dir, const char *tenant, struct console_table *t, char why[256]) {
    struct files_span span;
    int folder = open_folder(ledger_dir, tenant, why);
    if (folder < 0)
        return false;
    bool good = files_span(folder, &span, why), found = false;
    /* The last file may be new and empty. */
    for (unsigned number = span.last; good && !found && number >= span.first && number > 0; number--) {
        good = head_of_file(folder, number, tenant, t, &found);
        if (!good)
            snprintf(why, 256, "the end of the log cannot be read");
    }
    close(folder);
    return good;
}
