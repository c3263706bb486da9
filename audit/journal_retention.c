/* SPDX-License-Identifier: ISC
 *
 * Deleting files that are old enough: whole ones, finished ones, the oldest first, one a time. A record that
 * says so, and where the log begins afterwards, is durable and signed before the file goes; if we die in
 * between, the file is still there and the record does no harm.
 */
#include "files.h"
#include "journal_file.h"
#include "log.h"
#include "text.h"
#include "verify_object.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY_US (86400ll * 1000000)
#define LOOK_AGAIN_US (600ll * 1000000)

/* The first record's number and prev of a file. */
static bool first_of(int folder, unsigned number, unsigned last, uint64_t *n, char prev[65]) {
    struct view line;
    struct lines *l = files_lines(folder, number, last);
    bool good = l && lines_next(l, &line) == LINES_ONE;
    json_t *object = good ? json_loadb((const char *)line.at, line.len, 0, NULL) : NULL;
    const char *text = json_string_value(json_object_get(object, "prev"));
    *n = (uint64_t)json_integer_value(json_object_get(object, "n"));
    good = text && strlen(text) == 64 && *n > 0;
    if (good)
        memcpy(prev, text, 65);
    json_decref(object);
    lines_free(&l);
    return good;
}

/* When a file's last record was written; 0 when that is not known. */
static int64_t ended_us(int folder, unsigned number, unsigned last) {
    uint8_t buffer[RECORD_LINE_MAX + 1];
    struct view line;
    if (!files_last_line(folder, number, last, buffer, sizeof buffer, &line) || line.len == 0)
        return 0;
    json_t *object = json_loadb((const char *)line.at, line.len, 0, NULL);
    const char *time = json_string_value(json_object_get(object, "time"));
    int64_t us = 0;
    bool good = time && clock_parse_rfc3339(view_text(time), &us);
    json_decref(object);
    return good ? us : 0;
}

static bool say(struct journal *j, struct chain *c, int folder, struct moment now) {
    uint64_t first;
    char prev[65], sha256[65], name[FILES_NAME_MAX];
    struct stat s;
    files_name(c->first_file, name);
    if (!first_of(folder, c->first_file + 1, c->file, &first, prev) ||
        fstatat(folder, name, &s, AT_SYMLINK_NOFOLLOW) != 0 ||
        !files_hash(folder, c->first_file, (uint64_t)s.st_size, sha256))
        return false;
    struct record r;
    record_begin(&r, EVENT_LEDGER_RETENTION, 0);
    record_number(&r, FIELD_FILE, c->first_file);
    record_number(&r, FIELD_FIRST, first);
    record_text(&r, FIELD_FIRST_PREV, view_text(prev));
    record_text(&r, FIELD_SHA256, view_text(sha256));
    return chain_append(j, c, &r, now) && chain_checkpoint(j, c, now) && chain_sync(j, c);
}

static void delete_oldest(struct journal *j, struct chain *c, int folder, struct moment now) {
    char name[FILES_NAME_MAX];
    files_name(c->first_file, name);
    if (!say(j, c, folder, now))
        return;
    if (unlinkat(folder, name, 0) != 0 || fsync(folder) != 0) {
        log_warning("the log of %s: file %u is old enough and cannot be deleted: %s", files_folder(c->tenant),
                    c->first_file, strerror(errno));
        c->retention_us = INT64_MAX; /* an append-only folder: not again before the next start */
        return;
    }
    c->first_file++;
}

bool chain_retain(struct journal *j, struct chain *c, struct moment now) {
    if (j->rules.retention_days == 0 || now.mono_us < c->retention_us || c->failed || c->broken ||
        c->first_file == 0 || c->first_file >= c->file)
        return false;
    int folder = chain_folder(j, c, false);
    int64_t ended = folder >= 0 ? ended_us(folder, c->first_file, c->file) : 0;
    bool old = ended > 0 && now.wall_us - ended >= (int64_t)j->rules.retention_days * DAY_US;
    if (old)
        delete_oldest(j, c, folder, now);
    else
        c->retention_us = now.mono_us + LOOK_AGAIN_US;
    if (folder >= 0)
        close(folder);
    return old;
}
