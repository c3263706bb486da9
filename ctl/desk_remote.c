/* SPDX-License-Identifier: ISC
 *
 * See desk_remote.h. Shown and handed in is what the console's rights allow; so the statements that come have
 * gaps in their numbers, and are numbered anew here, as the chain over all of them cannot be checked from
 * here. The console checks again what was checked here, and the broker after it.
 */
#include "desk_remote.h"
#include "desk.h"
#include "table.h"
#include "text.h"

#include <assert.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULES_MAX 4096

static struct {
    PGconn *link;
    uint64_t seen;     /* the last statement's number there */
    uint64_t numbered; /* and here */
} remote;

/* --- asking --- */

static void say(const char *what, const char *text) {
    char line[1024];
    harmless(text, line, sizeof line);
    line[strcspn(line, "\n")] = '\0';
    ctl_error("%s%s", what, line);
}

/* The console's own words, and its hint. */
static int refused(const PGresult *r) {
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE),
               *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY),
               *hint = PQresultErrorField(r, PG_DIAG_MESSAGE_HINT);
    char line[1024];
    if (!state || !text) {
        say("the proxy's console is gone: ", PQerrorMessage(remote.link));
        return CTL_UNAVAILABLE;
    }
    say("", text);
    if (hint) {
        harmless(hint, line, sizeof line);
        ctl_hint("%s", line);
    }
    bool away = strncmp(state, "08", 2) == 0 || strncmp(state, "53", 2) == 0 ||
                strncmp(state, "57", 2) == 0 || strncmp(state, "58", 2) == 0;
    return away ? CTL_UNAVAILABLE : CTL_REFUSED;
}

/* Rows of at least that many columns, or NULL with *code after saying why. */
static PGresult *ask(const char *command, int parameters, const char *const *value, int columns, int *code) {
    PGresult *r = PQexecParams(remote.link, command, parameters, NULL, value, NULL, NULL, 0);
    *code = CTL_DONE;
    if (PQresultStatus(r) != PGRES_TUPLES_OK)
        *code = refused(r);
    else if (PQnfields(r) < columns) {
        ctl_error("the proxy's console answers otherwise than this sekishoctl expects");
        ctl_hint("is it of the same version?");
        *code = CTL_UNAVAILABLE;
    }
    if (*code == CTL_DONE)
        return r;
    PQclear(r);
    return NULL;
}

static struct view cell(const PGresult *r, int row, int column) {
    return view_of(PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column));
}

/* --- connecting --- */

/* "host:port" in two; a path or an IPv6 address without brackets is a host. */
static bool split_host(const char *text, char host[256], char port[6]) {
    const char *colon = strrchr(text, ':'), *end = colon;
    port[0] = '\0';
    if (text[0] == '/' || !colon || (text[0] != '[' && strchr(text, ':') != colon) ||
        (text[0] == '[' && colon[-1] != ']'))
        end = text + strlen(text);
    else if (!view_copy_text(view_text(colon + 1), port, 6))
        return false;
    if (text[0] == '[' && end > text + 1 && end[-1] == ']')
        text++, end--;
    return end > text && view_copy_text(view_of(text, (size_t)(end - text)), host, 256);
}

/* A warning by the console, or by whoever says to be it. */
static void warned(void *arg, const PGresult *r) {
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    char line[1024];
    harmless(text ? text : "", line, sizeof line);
    ctl_hint("%s", line);
}

static bool connect_to(const struct remote_wish *wish, const char *host, const char *port) {
    const char *keywords[12], *values[12];
    int n = 0;
    const struct {
        const char *keyword, *value;
    } words[] = {{"service", wish->service},
                 {"host", host},
                 {"port", port},
                 {"dbname", "sekisho"},
                 {"sslmode", "verify-full"},
                 {"application_name", "sekishoctl"},
                 {"client_encoding", "UTF8"},
                 {"connect_timeout", "15"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!words[i].value || !words[i].value[0])
            continue;
        keywords[n] = words[i].keyword;
        values[n++] = words[i].value;
    }
    keywords[n] = values[n] = NULL;
    remote.link = PQconnectdbParams(keywords, values, 0);
    PQsetNoticeReceiver(remote.link, warned, NULL);
    return PQstatus(remote.link) == CONNECTION_OK;
}

/* As the [operators] section of a configuration would have them. */
static bool parse_rules(const PGresult *r, struct settings *rules) {
    char text[RULES_MAX];
    struct settings_error error;
    struct writer w = writer_of(text, sizeof text);
    writer_text(&w, "[operators]\n");
    for (int i = 0; i < PQntuples(r); i++) {
        writer_bytes(&w, cell(r, i, 0));
        writer_text(&w, " = ");
        writer_bytes(&w, cell(r, i, 1));
        writer_u8(&w, '\n');
    }
    if (!w.bad && settings_parse(writer_view(&w), "rules", rules, &error))
        return true;
    ctl_error("the proxy's rules are none that this sekishoctl knows: %s",
              w.bad ? "they are too long" : error.text);
    return false;
}

int desk_remote_connect(const struct remote_wish *wish, struct settings *rules) {
    char host[256] = "", port[6] = "";
    int code;
    assert(!remote.link);
    if (wish->host && !split_host(wish->host, host, port)) {
        ctl_error("\"%s\" is no host to connect to", wish->host);
        return CTL_USAGE;
    }
    if (!connect_to(wish, host, port)) {
        say("", PQerrorMessage(remote.link));
        ctl_hint("PGSSLROOTCERT names the proxy's authority; PGSSLCERT and PGSSLKEY your certificate, or "
                 "PGUSER and a "
                 "password file your account; all may stand in a service file");
        return CTL_UNAVAILABLE;
    }
    PGresult *r = ask("SHOW RULES", 0, NULL, 2, &code);
    if (r && !parse_rules(r, rules))
        code = CTL_UNAVAILABLE;
    PQclear(r);
    return code;
}

void desk_remote_close(void) {
    PQfinish(remote.link);
    remote.link = NULL;
    remote.seen = remote.numbered = 0;
}

/* --- the desk --- */

static int submit(struct desk *d, const struct statement *s, struct view body, struct view signature) {
    char text[STATEMENT_MAX + 1], encoded[128];
    const char *value[2] = {text, encoded};
    struct writer w = writer_of(encoded, sizeof encoded);
    int code;
    text_base64(&w, signature);
    writer_u8(&w, 0);
    bool good = !w.bad && view_copy_text(body, text, sizeof text);
    assert(good);
    (void)good;
    PQclear(ask("SUBMIT $1 $2", 2, value, 1, &code));
    return code;
}

/* False: `each` wants no more. */
static bool give_row(const PGresult *r, int i, bool (*each)(void *arg, const struct statement_row *row),
                     void *arg, int *code) {
    uint8_t signature[STATEMENT_SIGNATURE];
    struct writer w = writer_of(signature, sizeof signature);
    uint64_t n;
    if (!text_number(cell(r, i, 0), remote.seen + 1, INT64_MAX, &n) || !text_unbase64(&w, cell(r, i, 7))) {
        ctl_error("the proxy's console gives statements that are none");
        *code = CTL_UNAVAILABLE;
        return false;
    }
    remote.seen = n;
    struct statement_row row = {++remote.numbered, cell(r, i, 6), writer_view(&w)};
    return each(arg, &row);
}

static int fetch(struct desk *d, uint64_t after, bool (*each)(void *arg, const struct statement_row *row),
                 void *arg) {
    char number[24];
    const char *value[1] = {number};
    int code;
    assert(after == remote.numbered);
    snprintf(number, sizeof number, "%llu", (unsigned long long)remote.seen);
    PGresult *r = ask("SHOW STATEMENTS AFTER $1", 1, value, 8, &code);
    for (int i = 0; r && i < PQntuples(r) && give_row(r, i, each, arg, &code); i++)
        ;
    PQclear(r);
    return code;
}

static void add_key(struct trust *t, const PGresult *r, int i) {
    static const char *const lines[] = {"name",      "role",      "tenant", "not-before",
                                        "not-after", "withdrawn", "public"};
    char text[TRUST_FILE_MAX], why[STATEMENT_WHY];
    struct writer w = writer_of(text, sizeof text);
    writer_text(&w, "sekisho-key 1\n");
    for (int c = 0; c < 7; c++) {
        writer_format(&w, "%s: ", lines[c]);
        writer_bytes(&w, cell(r, i, c));
        writer_u8(&w, '\n');
    }
    if (w.bad || !trust_add(t, writer_view(&w), why))
        ctl_hint("a public key of the proxy does not count here: %s", w.bad ? "it is too long" : why);
}

static struct trust *trust(struct desk *d, char why[256]) {
    int code;
    PGresult *r = ask("SHOW TRUST", 0, NULL, 7, &code);
    struct trust *t = r ? trust_new() : NULL;
    for (int i = 0; t && i < PQntuples(r); i++)
        add_key(t, r, i);
    if (!t)
        snprintf(why, 256, "the proxy's console does not show the public keys");
    PQclear(r);
    return t;
}

static void head(struct desk *d, struct statement_head *out) {
    *out = (struct statement_head){0}; /* of other tenants' statements too: nobody's business here */
}

const struct desk_driver desk_remote = {
    .name = "console",
    .submit = submit,
    .fetch = fetch,
    .trust = trust,
    .head = head,
};
