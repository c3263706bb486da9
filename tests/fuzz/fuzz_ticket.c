/* SPDX-License-Identifier: ISC
 *
 * Fuzzes what a ticket system's program and address have to do with: the first line that the program says is
 * shown to people; the question to the address holds what the request says, escaped. Input: lines, address,
 * ticket, tenant, operator; the rest is what the program says.
 */
#include "text.h"
#include "ticket.h"
#include "web_manners.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct view take_line(struct view *rest) {
    const uint8_t *newline = rest->len > 0 ? memchr(rest->at, '\n', rest->len) : NULL;
    struct view line = view_of(rest->at, newline ? (size_t)(newline - rest->at) : rest->len);
    *rest = view_from(*rest, newline ? line.len + 1 : line.len);
    return line;
}

static void check_said(struct view said) {
    char why[TICKET_WHY];
    memset(why, 'x', sizeof why);
    ticket_line(said, why);
    assert(memchr(why, 0, sizeof why));
    struct view v = view_text(why);
    while (v.len > 0) {
        size_t n = text_utf8(v);
        assert(n > 0 && v.at[0] >= 0x20 && v.at[0] != 0x7F);
        v = view_from(v, n);
    }
    bool late = said.len > 0 && (said.at[0] & 1);
    assert(ticket_denied(late, 256, said, 5000, why) && why[0]);
}

/* What strangers wrote must not end, or add to, the question. */
static void check_question(const char *url, char words[3][128]) {
    char question[TICKET_URL_MAX];
    const char *why;
    if (!ticket_question(url, words[0], words[1], words[2], question))
        return;
    size_t base = strcspn(url, "#");
    assert(strncmp(question, url, base) == 0);
    const char *added = question + base;
    assert(added[0] == '?' || added[0] == '&');
    unsigned ands = 0, equals = 0;
    for (const char *c = added + 1; *c; c++) {
        assert(*c > 0x20 && *c < 0x7F && *c != '#' && *c != '?' && *c != '/');
        ands += *c == '&';
        equals += *c == '=';
    }
    assert(ands == 2 && equals == 3);
    if (web_url_good(url, &why))
        assert(!why);
    else
        assert(why && why[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view rest = view_of(data, size);
    char url[512], words[3][128];
    bool good = view_copy_text(take_line(&rest), url, sizeof url);
    for (size_t i = 0; i < 3; i++)
        good = view_copy_text(take_line(&rest), words[i], sizeof words[i]) && good;
    if (good)
        check_question(url, words);
    check_said(rest);
    return 0;
}
