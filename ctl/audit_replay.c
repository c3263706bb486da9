/* SPDX-License-Identifier: ISC
 *
 * sekishoctl audit replay: one operator's session as people read it, in order and with times. What strangers
 * wrote is shown so that it cannot move a terminal's cursor nor read backwards.
 */
#include "args.h"
#include "audit.h"
#include "audit_told.h"
#include "files.h"
#include "record.h"
#include "table.h"
#include "text.h"
#include "times.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND "audit replay"

struct replay {
    const struct ctl *ctl;
    const char *dir, *tenant;
    const char *name; /* of the chain's folder */
    int told;         /* the exit code when the reading could not be recorded */
    char session[17];
    bool json;
    uint64_t records; /* of this session, found so far */
    bool opened, closed;
    char day[11]; /* of the last line printed */
};

static const char *text_of(const json_t *object, enum field f) {
    const char *text = json_string_value(json_object_get(object, field_name(f)));
    return text ? text : "";
}

static long long number_of(const json_t *object, enum field f) {
    return json_integer_value(json_object_get(object, field_name(f)));
}

static bool has(const json_t *object, enum field f) {
    return json_object_get(object, field_name(f)) != NULL;
}

/* ---- harmless text of any length ---- */

static void print_harmless(const char *text, int indent) {
    for (const unsigned char *c = (const unsigned char *)text; *c;) {
        size_t n = harmless_length(c);
        if (n)
            fwrite(c, 1, n, stdout);
        else if (*c == '\n' && indent > 0)
            printf("\n%*s", indent, "");
        else if (*c == '\t' && indent > 0)
            fputs("    ", stdout);
        else
            printf("\\x%02x", *c);
        c += n ? n : 1;
        /* The rest of a character that is not shown. */
        while (!n && (*c & 0xC0) == 0x80)
            printf("\\x%02x", *c++);
    }
}

static void print_field(const char *before, const json_t *object, enum field f, const char *after) {
    if (!has(object, f))
        return;
    fputs(before, stdout);
    if (json_is_integer(json_object_get(object, field_name(f))))
        printf("%lld", number_of(object, f));
    else
        print_harmless(text_of(object, f), 0);
    fputs(after, stdout);
}

/* ---- the transcript ---- */

#define INDENT 20

/* "2026-11-24T21:30:00.123+09:00": the day once, then the time of day. */
static void print_time(struct replay *r, const json_t *object) {
    const char *time = json_string_value(json_object_get(object, "time"));
    if (!time || strlen(time) < 23)
        time = "0000-00-00T00:00:00.000";
    if (strncmp(r->day, time, 10) != 0) {
        snprintf(r->day, sizeof r->day, "%.10s", time);
        printf("\n%s (%s)\n", r->day, strlen(time) > 23 ? time + 23 : "?");
    }
    printf("%.12s  ", time + 11);
}

static void print_open(struct replay *r, const json_t *object) {
    printf("session %s of tenant %s\n", r->session, r->tenant[0] ? r->tenant : "-");
    print_field("operator  ", object, FIELD_OPERATOR, "\n");
    print_field("grant     ", object, FIELD_GRANT, "\n");
    print_field("ticket    ", object, FIELD_TICKET, "\n");
    print_field("scope     ", object, FIELD_SCOPE, "\n");
    print_field("user      ", object, FIELD_USER, "\n");
    print_field("database  ", object, FIELD_DATABASE, "\n");
    print_field("from      ", object, FIELD_CLIENT, "\n");
    print_field("by        ", object, FIELD_APPLICATION, "\n");
    print_time(r, object);
    puts("opened");
    r->opened = true;
}

static void print_statement(struct replay *r, const json_t *object) {
    print_time(r, object);
    printf("%4lld  ", number_of(object, FIELD_NUMBER));
    print_harmless(text_of(object, FIELD_KIND), 0);
    print_field(" ", object, FIELD_DETAIL, "");
    print_field(" statement \"", object, FIELD_NAME, "\"");
    print_field(" portal \"", object, FIELD_PORTAL, "\"");
    if (has(object, FIELD_PARTS))
        printf(" (part %lld of %lld)", number_of(object, FIELD_PART), number_of(object, FIELD_PARTS));
    print_field(" ", object, FIELD_BYTES, " bytes");
    putchar('\n');
    if (has(object, FIELD_SQL)) {
        printf("%*s", INDENT, "");
        print_harmless(text_of(object, FIELD_SQL), INDENT);
        putchar('\n');
    }
    if (has(object, FIELD_PARAMETERS)) {
        printf("%*swith ", INDENT, "");
        print_harmless(text_of(object, FIELD_PARAMETERS), INDENT);
        putchar('\n');
    }
}

static void print_result(struct replay *r, const json_t *object) {
    print_time(r, object);
    printf("%4lld  -> ", number_of(object, FIELD_NUMBER));
    print_field("", object, FIELD_TAG, " ");
    print_field("ERROR ", object, FIELD_SQLSTATE, " ");
    print_field("", object, FIELD_MESSAGE, " ");
    print_field("", object, FIELD_DETAIL, " ");
    print_field("rows ", object, FIELD_ROWS, " ");
    print_field("bytes ", object, FIELD_BYTES, " ");
    print_field("sha256 ", object, FIELD_SHA256, " ");
    if (has(object, FIELD_DURATION_US))
        printf("(%.1f ms)", (double)number_of(object, FIELD_DURATION_US) / 1000);
    putchar('\n');
}

static void print_close(struct replay *r, const json_t *object) {
    print_time(r, object);
    print_field("closed: ", object, FIELD_REASON, "");
    print_field(" (", object, FIELD_CAUSE, ")");
    if (has(object, FIELD_DURATION_MS))
        printf(", after %.1f s", (double)number_of(object, FIELD_DURATION_MS) / 1000);
    putchar('\n');
    r->closed = true;
}

static void print_other(struct replay *r, const json_t *object, const char *event) {
    print_time(r, object);
    print_harmless(event, 0);
    print_field(" ", object, FIELD_REASON, "");
    print_field(" ", object, FIELD_MESSAGE, "");
    print_field(" ", object, FIELD_DETAIL, "");
    putchar('\n');
}

static void print_record(struct replay *r, const json_t *object) {
    static const struct {
        enum audit_event event;
        void (*print)(struct replay *r, const json_t *object);
    } known[] = {{EVENT_SESSION_OPEN, print_open},
                 {EVENT_SESSION_CLOSE, print_close},
                 {EVENT_OPERATOR_STATEMENT, print_statement},
                 {EVENT_OPERATOR_RESULT, print_result}};
    const char *event = json_string_value(json_object_get(object, "event"));
    for (size_t i = 0; event && i < sizeof known / sizeof known[0]; i++)
        if (strcmp(event, event_name(known[i].event)) == 0) {
            known[i].print(r, object);
            return;
        }
    print_other(r, object, event ? event : "?");
}

/* ---- finding it ---- */

static void take_line(struct replay *r, struct view line) {
    if (!memmem(line.at, line.len, r->session, strlen(r->session)))
        return;
    json_t *object = json_loadb((const char *)line.at, line.len, 0, NULL);
    const char *session = json_string_value(json_object_get(object, "session"));
    if (session && strcmp(session, r->session) == 0) {
        if (r->records++ == 0)
            r->told = audit_told(r->ctl, r->dir, r->name, COMMAND);
        if (r->told == CTL_DONE && r->json)
            printf("%.*s\n", (int)line.len, (const char *)line.at);
        else if (r->told == CTL_DONE)
            print_record(r, object);
    }
    json_decref(object);
}

static bool read_file(struct replay *r, int folder, unsigned number, unsigned last) {
    struct view line;
    struct lines *lines = files_lines(folder, number, last);
    if (!lines)
        return false;
    enum lines_state state;
    while ((state = lines_next(lines, &line)) == LINES_ONE && r->told == CTL_DONE)
        take_line(r, line);
    lines_free(&lines);
    return state == LINES_END && r->told == CTL_DONE;
}

/* One tenant's log. CTL_DONE also when the session is not in it. */
static int read_chain(struct replay *r, const char *name) {
    char why[256];
    struct files_span span;
    int folder, code = audit_open(r->dir, name, &folder);
    if (code != CTL_DONE)
        return code;
    r->name = name;
    r->tenant = audit_tenant(name);
    bool good = files_span(folder, &span, why);
    for (unsigned number = span.first; good && number > 0 && number <= span.last; number++)
        good = read_file(r, folder, number, span.last);
    close(folder);
    if (good || r->told != CTL_DONE)
        return r->told;
    ctl_error("the log of %s cannot be read to its end", name);
    ctl_hint("see: sekishoctl audit verify %s", name);
    return CTL_REFUSED;
}

static int is_chain(const struct dirent *entry) {
    return audit_tenant(entry->d_name) != NULL;
}

static int search_all(struct replay *r) {
    struct dirent **names;
    int code = CTL_DONE, count = scandir(r->dir, &names, is_chain, alphasort);
    if (count < 0) {
        ctl_error("%s cannot be read: %s", r->dir, strerror(errno));
        return CTL_UNAVAILABLE;
    }
    for (int i = 0; i < count; i++) {
        if (code == CTL_DONE && r->records == 0)
            code = read_chain(r, names[i]->d_name);
        free(names[i]);
    }
    free(names);
    return code;
}

static int end(const struct replay *r) {
    if (r->records == 0) {
        ctl_error("there is no session %s in the log", r->session);
        ctl_hint("sekishoctl audit show TENANT --event session.open lists them");
        return CTL_REFUSED;
    }
    if (!r->json && !r->closed)
        puts("\nThe session is still open.");
    return CTL_DONE;
}

int ctl_audit_replay(const struct ctl *ctl, int argc, char **argv) {
    enum { OPTION_TENANT, OPTION_DIR, OPTIONS };
    static const struct args_option options[OPTIONS] = {{"--tenant", true}, {"--dir", true}};
    const char *value[OPTIONS] = {NULL}, *session;
    struct replay r = {.ctl = ctl, .json = ctl->json};
    uint64_t id;
    int code = times_options(COMMAND, options, OPTIONS, value, 1, &session, argc, argv);
    if (code == CTL_DONE && (!session || !text_unhex64(view_text(session), &id)))
        code =
            ctl_usage(COMMAND, "%s is not a session's id: 16 hexadecimal digits", session ? session : "that");
    if (code == CTL_DONE && value[OPTION_TENANT] && !audit_tenant(value[OPTION_TENANT]))
        code = ctl_usage(COMMAND, "%s is not a tenant's id", value[OPTION_TENANT]);
    if (code != CTL_DONE)
        return code;
    text_hex64(id, r.session);
    r.dir = audit_folder(ctl, value[OPTION_DIR]);
    if (!r.dir)
        return CTL_REFUSED;
    code = value[OPTION_TENANT] ? read_chain(&r, value[OPTION_TENANT]) : search_all(&r);
    return code == CTL_DONE ? end(&r) : code;
}
