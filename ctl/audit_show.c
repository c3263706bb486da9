/* SPDX-License-Identifier: ISC
 *
 * sekishoctl audit show: prints a chain's records, as columns for people or as they are written. Reads in
 * bounded memory and shows what strangers wrote (user names, reasons) so that it cannot move a terminal's
 * cursor.
 */
#include "args.h"
#include "audit.h"
#include "audit_told.h"
#include "files.h"
#include "record.h"
#include "table.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COMMAND "audit show"
#define LOOK_AGAIN_NS 200000000 /* --follow */

struct show {
    const char *name; /* as the folder is called */
    const char *dir;
    char session[17];  /* "" for all */
    const char *event; /* NULL for all */
    uint64_t last;     /* 0 for all */
    bool follow, json, colour;
    /* where we are */
    int folder;
    unsigned file;
    struct files_span files;
    struct lines *lines;
    uint64_t bad; /* lines that are no records */
};

static const char *member(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

static bool wanted(const struct show *s, const json_t *object) {
    const char *session = member(object, "session"), *event = member(object, "event");
    if (s->session[0] && (!session || strcmp(session, s->session) != 0))
        return false;
    return !s->event || (event && strcmp(event, s->event) == 0);
}

/* The first of the members that the record has. */
static const char *first_member(const json_t *object, const char *const *names) {
    for (; *names; names++)
        if (member(object, *names))
            return member(object, *names);
    return "-";
}

static void print_cell(const char *text, int width) {
    char shown[8192];
    harmless(text, shown, sizeof shown);
    int characters = 0;
    for (const char *c = shown; *c; c++)
        characters += ((unsigned char)*c & 0xC0) != 0x80;
    printf("%s%*s", shown, width > characters ? width - characters : 0, "");
}

static void print_columns(const json_t *object) {
    static const struct {
        const char *names[7];
        int width;
    } columns[] = {{{"time"}, 30},    {{"event"}, 16},
                   {{"session"}, 17}, {{"user", "actor"}, 17},
                   {{"client"}, 23},  {{"reason", "action", "detail", "process", "cause", "version"}, 0}};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        print_cell(first_member(object, columns[i].names), columns[i].width > 0 ? columns[i].width - 1 : 0);
        putchar(columns[i].width > 0 ? ' ' : '\n');
    }
}

static void print_heads(const struct show *s) {
    if (!s->json)
        printf("%s%-29s %-15s %-16s %-16s %-22s %s%s\n", s->colour ? "\033[1m" : "", "TIME", "EVENT",
               "SESSION", "USER", "CLIENT", "REASON", s->colour ? "\033[0m" : "");
}

static bool open_file(struct show *s, unsigned number) {
    lines_free(&s->lines);
    s->lines = files_lines(s->folder, number, s->files.last);
    s->file = number;
    if (s->lines)
        return true;
    ctl_error("file %u of %s cannot be read: %s", number, s->name, strerror(errno));
    return false;
}

/* The next whole line. False at the end of what there is at the moment, or with *code set when reading
 * failed. */
static bool next_line(struct show *s, struct view *line, int *code) {
    for (;;) {
        enum lines_state state = s->lines ? lines_next(s->lines, line) : LINES_END;
        if (state == LINES_ONE)
            return true;
        if (state != LINES_END) {
            ctl_error("the log of %s cannot be read: %s", s->name,
                      state == LINES_LONG ? "a line is longer than any record" : strerror(errno));
            *code = state == LINES_LONG ? CTL_REFUSED : CTL_UNAVAILABLE;
            return false;
        }
        char why[256];
        if (s->file == s->files.last && !files_span(s->folder, &s->files, why)) {
            ctl_error("the log of %s: %s", s->name, why);
            *code = CTL_REFUSED;
            return false;
        }
        if (s->file >= s->files.last)
            return false;
        if (!open_file(s, s->file < s->files.first ? s->files.first : s->file + 1)) {
            *code = CTL_UNAVAILABLE;
            return false;
        }
    }
}

/* Goes through what there is, passing over the first `skip` records that are wanted. Returns how many were.
 */
static uint64_t go_through(struct show *s, uint64_t skip, bool print, int *code) {
    uint64_t count = 0;
    struct view line;
    while (next_line(s, &line, code)) {
        json_t *object = json_loadb((const char *)line.at, line.len, JSON_ALLOW_NUL, NULL);
        if (!json_is_object(object))
            s->bad += print;
        else if (wanted(s, object) && ++count > skip && print) {
            if (s->json)
                printf("%.*s\n", (int)line.len, (const char *)line.at);
            else
                print_columns(object);
        }
        json_decref(object);
    }
    return count;
}

/* Back to the first line. */
static void rewind_show(struct show *s) {
    lines_free(&s->lines);
    s->file = 0;
    s->files = (struct files_span){0, 0};
}

static int show_all(struct show *s) {
    int code = CTL_DONE;
    uint64_t skip = 0;
    if (s->last > 0) {
        uint64_t count = go_through(s, 0, false, &code);
        skip = count > s->last ? count - s->last : 0;
        rewind_show(s);
    }
    if (code == CTL_DONE)
        print_heads(s);
    if (code == CTL_DONE)
        go_through(s, skip, true, &code);
    while (s->follow && code == CTL_DONE && fflush(stdout) == 0) {
        nanosleep(&(struct timespec){0, LOOK_AGAIN_NS}, NULL);
        go_through(s, 0, true, &code);
    }
    if (s->bad > 0) {
        ctl_error("%llu lines are not records and were left out", (unsigned long long)s->bad);
        ctl_hint("see: sekishoctl audit verify %s", s->name);
        code = CTL_REFUSED;
    }
    return code;
}

static int show_chain(const struct ctl *ctl, struct show *s) {
    int code = audit_open(s->dir, s->name, &s->folder);
    if (code != CTL_DONE)
        return code;
    code = audit_told(ctl, s->dir, s->name, COMMAND);
    if (code == CTL_DONE)
        code = show_all(s);
    lines_free(&s->lines);
    close(s->folder);
    return code;
}

enum { OPTION_SESSION, OPTION_EVENT, OPTION_LAST, OPTION_FOLLOW, OPTION_DIR, OPTIONS };

static const struct args_option options[OPTIONS] = {
    {"--session", true}, {"--event", true}, {"--last", true}, {"--follow", false}, {"--dir", true}};

static int take_session(struct show *s, const char *text) {
    uint64_t id;
    if (!text_unhex64(view_text(text), &id))
        return ctl_usage(COMMAND, "%s is not a session's id: 16 hexadecimal digits", text);
    text_hex64(id, s->session);
    return CTL_DONE;
}

static int take_option(struct show *s, int what, const struct args *a) {
    enum audit_event event;
    switch (what) {
    case OPTION_SESSION:
        return take_session(s, a->value);
    case OPTION_EVENT:
        s->event = a->value;
        return event_by_name(view_text(a->value), &event)
                   ? CTL_DONE
                   : ctl_usage(COMMAND, "there is no event %s", a->value);
    case OPTION_LAST:
        return text_number(view_text(a->value), 1, UINT64_MAX, &s->last)
                   ? CTL_DONE
                   : ctl_usage(COMMAND, "--last takes a number from 1 on, not %s", a->value);
    case OPTION_FOLLOW:
        s->follow = true;
        return CTL_DONE;
    case OPTION_DIR:
        s->dir = a->value;
        return CTL_DONE;
    case ARGS_WORD:
        if (s->name)
            return ctl_usage(COMMAND, "one log at a time: %s or %s", s->name, a->value);
        s->name = a->value;
        return audit_tenant(a->value) ? CTL_DONE : ctl_usage(COMMAND, "%s is not a tenant's id", a->value);
    default:
        return args_complain(a, what, COMMAND);
    }
}

int ctl_audit_show(const struct ctl *ctl, int argc, char **argv) {
    struct show s = {.json = ctl->json, .colour = ctl->colour, .folder = -1};
    struct args a = args_of(argc, argv);
    for (int what; (what = args_next(&a, options, OPTIONS)) != ARGS_END;) {
        int code = take_option(&s, what, &a);
        if (code != CTL_DONE)
            return code;
    }
    if (!s.name)
        return ctl_usage(COMMAND, "which log? Name a tenant, or _provider");
    s.dir = audit_folder(ctl, s.dir);
    return s.dir ? show_chain(ctl, &s) : CTL_REFUSED;
}
