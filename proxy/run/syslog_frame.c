/* SPDX-License-Identifier: ISC
 *
 * See syslog_frame.h. The header's values come from the line, which somebody with the host's rights may have
 * written: what does not look as it should becomes "-", the standard's word for nothing.
 */
#include "syslog_frame.h"
#include "notice.h"
#include "text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define FACILITY 13
#define WORD_MAX 40

/* The text of `"name":"text"`, where it first occurs, when it has only characters of `allowed`; else "-". */
static void word_of(struct view line, const char *name, const char *allowed, char out[WORD_MAX]) {
    size_t len = strlen(name);
    const uint8_t *at = line.len > 0 ? memmem(line.at, line.len, name, len) : NULL;
    struct view rest = at ? view_from(line, (size_t)(at - line.at) + len) : view_of(NULL, 0);
    const uint8_t *quote = rest.len > 0 ? memchr(rest.at, '"', rest.len) : NULL;
    bool good = quote && quote > rest.at &&
                view_copy_text(view_of(rest.at, (size_t)(quote - rest.at)), out, WORD_MAX) &&
                out[strspn(out, allowed)] == 0;
    if (!good)
        snprintf(out, WORD_MAX, "-");
}

static int severity_of(struct view line, const char *tenant) {
    bool urgent = false;
    if (!notice_wanted(line, tenant, &urgent))
        return 6;
    return urgent ? 2 : 4;
}

void syslog_frame(struct writer *w, const char *host, const char *tenant, struct view line) {
    char time[WORD_MAX], event[WORD_MAX], head[SYSLOG_HEAD_MAX];
    word_of(line, ",\"time\":\"", "0123456789-:.+TZ", time);
    word_of(line, ",\"event\":\"", "abcdefghijklmnopqrstuvwxyz._", event);
    if (strlen(event) > 32) /* MSGID's longest */
        snprintf(event, sizeof event, "-");
    struct writer h = writer_of(head, sizeof head - 16);
    writer_format(&h, "<%d>1 %s %.255s sekisho - %s - ", FACILITY * 8 + severity_of(line, tenant), time,
                  host[0] ? host : "-", event);
    assert(!h.bad);
    writer_format(w, "%zu ", h.len + line.len);
    writer_bytes(w, writer_view(&h));
    writer_bytes(w, line);
}

bool syslog_unframe(struct view *rest, struct view *message) {
    const uint8_t *blank = rest->len > 0 ? memchr(rest->at, ' ', rest->len) : NULL;
    uint64_t len;
    if (!blank)
        return false;
    size_t digits = (size_t)(blank - rest->at);
    bool good = text_number(view_of(rest->at, digits), 1, rest->len - digits - 1, &len);
    assert(good); /* syslog_frame wrote it */
    if (!good)
        return false;
    *message = view_of(blank + 1, (size_t)len);
    *rest = view_from(*rest, digits + 1 + (size_t)len);
    return true;
}
