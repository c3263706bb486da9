/* SPDX-License-Identifier: ISC
 *
 * See notice_cursor.h.
 */
#include "notice_cursor.h"
#include "files.h"
#include "record.h"
#include "text.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define HEAD "sekisho-notify 1"

static const char *const names[TARGETS] = {"command", "url", "syslog"};

const char *target_name(enum target t) {
    assert(t < TARGETS);
    return names[t];
}

static bool target_by_name(struct view name, enum target *out) {
    for (int t = 0; t < TARGETS; t++)
        if (view_equal_text(name, names[t])) {
            *out = (enum target)t;
            return true;
        }
    return false;
}

/* Up to the next blank, which is taken too. */
static struct view next_word(struct view *rest) {
    const uint8_t *blank = rest->len > 0 ? memchr(rest->at, ' ', rest->len) : NULL;
    size_t len = blank ? (size_t)(blank - rest->at) : rest->len;
    struct view word = view_of(rest->at, len);
    *rest = view_from(*rest, blank ? len + 1 : len);
    return word;
}

void cursor_write_head(struct writer *w, const bool known[TARGETS]) {
    writer_text(w, HEAD);
    for (int t = 0; t < TARGETS; t++)
        if (known[t])
            writer_format(w, " %s", names[t]);
    writer_text(w, "\n");
}

bool cursor_read_head(struct view line, bool known[TARGETS]) {
    memset(known, 0, TARGETS * sizeof *known);
    if (!view_starts(line, HEAD))
        return false;
    struct view rest = view_from(line, strlen(HEAD));
    if (rest.len > 0 && rest.at[0] != ' ')
        return false;
    rest = view_from(rest, 1);
    while (rest.len > 0) {
        enum target t;
        if (!target_by_name(next_word(&rest), &t) || known[t])
            return false;
        known[t] = true;
    }
    return true;
}

void cursor_write(struct writer *w, const char *tenant, enum target t, const struct cursor *c) {
    writer_format(w, "%s %s %u %" PRIu64 " %" PRIu64 "\n", files_folder(tenant), target_name(t), c->file,
                  c->offset, c->n);
}

bool cursor_read(struct view line, char tenant[41], enum target *t, struct cursor *out) {
    char folder[48];
    uint64_t file;
    if (!view_copy_text(next_word(&line), folder, sizeof folder) || !files_tenant(folder))
        return false;
    view_copy_text(view_text(files_tenant(folder)), tenant, 41);
    if (!target_by_name(next_word(&line), t) || !text_number(next_word(&line), 1, 99999999, &file) ||
        !text_number(next_word(&line), 0, INT64_MAX, &out->offset) ||
        !text_number(line, 0, RECORD_NUMBER_MAX, &out->n))
        return false;
    out->file = (unsigned)file;
    return true;
}
