/* SPDX-License-Identifier: ISC
 *
 * What a ticket looks like. POSIX regular expressions are leftmost-longest: when any match is all of the
 * text, the match that is found is. Pure.
 */
#include "ticket.h"
#include "text.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

bool ticket_pattern_valid(const char *pattern, char why[256]) {
    regex_t re;
    int code = regcomp(&re, pattern, REG_EXTENDED);
    why[0] = 0;
    if (code == 0)
        regfree(&re);
    else
        regerror(code, &re, why, 256);
    return code == 0;
}

bool ticket_matches(const char *pattern, const char *ticket) {
    regex_t re;
    regmatch_t whole;
    if (regcomp(&re, pattern, REG_EXTENDED) != 0)
        return false;
    bool fits = regexec(&re, ticket, 1, &whole, 0) == 0 && whole.rm_so == 0 && ticket[whole.rm_eo] == 0;
    regfree(&re);
    return fits;
}

/* RFC 3986: everything but the unreserved characters is escaped. */
static void write_escaped(struct writer *w, const char *text) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (const char *c = text; *c; c++) {
        if (strchr(plain, *c))
            writer_u8(w, (uint8_t)*c);
        else
            writer_format(w, "%%%02X", (unsigned)(uint8_t)*c);
    }
}

bool ticket_question(const char *url, const char *ticket, const char *tenant, const char *operator,
                     char out[TICKET_URL_MAX]) {
    const char *const names[] = {"ticket=", "&tenant=", "&operator="};
    const char *const values[] = {ticket, tenant, operator};
    struct writer w = writer_of(out, TICKET_URL_MAX);
    struct view base = view_of(url, strcspn(url, "#")); /* a fragment is not the server's */
    writer_bytes(&w, base);
    writer_text(&w, base.len > 0 && memchr(base.at, '?', base.len) ? "&" : "?");
    for (size_t i = 0; i < 3; i++) {
        writer_text(&w, names[i]);
        write_escaped(&w, values[i]);
    }
    writer_u8(&w, 0);
    return !w.bad;
}

void ticket_line(struct view said, char out[TICKET_WHY]) {
    struct writer w = writer_of(out, TICKET_WHY - 1);
    while (said.len > 0 && said.at[0] != '\n' && said.at[0] != '\r') {
        size_t n = text_utf8(said);
        bool shown = n > 1 || (n == 1 && said.at[0] >= 0x20 && said.at[0] != 0x7F);
        if (n == 2 && said.at[0] == 0xC2 && said.at[1] < 0xA0)
            shown = false; /* U+0080..U+009F control terminals, too */
        if (w.len + (shown ? n : 1) > TICKET_WHY - 1)
            break;
        if (shown)
            writer_bytes(&w, view_of(said.at, n));
        else
            writer_u8(&w, '?');
        said = view_from(said, n > 0 ? n : 1);
    }
    out[w.len] = 0;
}

bool ticket_denied(bool late, int status, struct view said, uint32_t timeout_ms, char why[TICKET_WHY]) {
    if (!late && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return false;
    ticket_line(said, why);
    if (late)
        snprintf(why, TICKET_WHY, "no answer within %u ms", (unsigned)timeout_ms);
    else if (!why[0])
        snprintf(why, TICKET_WHY, "it said no");
    return true;
}
