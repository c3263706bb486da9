/* SPDX-License-Identifier: ISC
 *
 * sekishoctl audit export: a part of a tenant's log with what proves it, for whoever has nothing of ours but
 * the public key. The container: a line of JSON that says what follows, then the log's own lines, byte for
 * byte, from the checkpoint before the time that was asked for to the one behind it.
 */
#include "args.h"
#include "audit.h"
#include "audit_told.h"
#include "files.h"
#include "record.h"
#include "text.h"
#include "times.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COMMAND "audit export"

struct export {
    const char *name, *dir, *out;
    int64_t from, to; /* seconds; from .. before */
    int folder;
    uint64_t first_wanted, last_wanted; /* numbers; 0: none */
    uint64_t first, last;               /* and with the checkpoints around them */
    uint64_t before;                    /* the last checkpoint seen, or the first record */
    uint64_t end;                       /* the newest record */
    bool closed;                        /* `last` is a checkpoint */
    char key[CHECKPOINT_KEY_ID + 1];    /* that signed it */
    char prev[65];                      /* of the first line */
    uint64_t written;
    FILE *file;
};

/* "2026-11-24T21:30:00[.123](Z|+09:00)" in seconds. */
static bool time_of(const char *text, int64_t *seconds) {
    struct tm t = {0};
    int minutes = 0;
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &t) : NULL;
    if (!rest)
        return false;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (!clock_parse_offset(view_text(rest), &minutes))
        return false;
    *seconds = (int64_t)timegm(&t) - (int64_t)minutes * 60;
    return true;
}

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* --- which lines --- */

static void take_wanted(struct export *e, uint64_t n) {
    if (e->first_wanted == 0) {
        e->first_wanted = n;
        e->first = e->before > 0 ? e->before : n;
    }
    e->last_wanted = n;
    e->closed = false;
}

static void look_at(struct export *e, const json_t *object, struct view line) {
    int64_t at;
    json_int_t n = json_integer_value(json_object_get(object, "n"));
    bool checkpoint = strcmp(text_of(object, "event"), event_name(EVENT_LEDGER_CHECKPOINT)) == 0;
    if (n <= 0)
        return;
    e->end = (uint64_t)n;
    if (e->before == 0)
        e->before = e->end;
    if (time_of(text_of(object, "time"), &at) && at >= e->from && at < e->to)
        take_wanted(e, e->end);
    if (!checkpoint)
        return;
    if (e->first_wanted == 0)
        e->before = e->end;
    if (e->first_wanted > 0 && !e->closed) {
        e->closed = true;
        e->last = e->end;
        snprintf(e->key, sizeof e->key, "%s", text_of(object, field_name(FIELD_KEY)));
    }
}

/* --- writing them --- */

static void instant_text(int64_t seconds, char out[32]) {
    time_t t = (time_t)seconds;
    struct tm parts = {0};
    gmtime_r(&t, &parts);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static void write_head(struct export *e) {
    char from[32], to[32];
    instant_text(e->from, from);
    instant_text(e->to, to);
    json_t *o = json_pack("{s:i, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:b, s:s}", "sekisho_export", 1,
                          "tenant", e->name, "from", from, "to", to, "first", (json_int_t)e->first, "last",
                          (json_int_t)e->last, "wanted_first", (json_int_t)e->first_wanted, "wanted_last",
                          (json_int_t)e->last_wanted, "prev", e->prev, "signed", e->closed, "key", e->key);
    json_dumpf(o, e->file, JSON_COMPACT);
    putc('\n', e->file);
    json_decref(o);
}

static void write_line(struct export *e, const json_t *object, struct view line) {
    json_int_t n = json_integer_value(json_object_get(object, "n"));
    if (n <= 0 || (uint64_t)n < e->first || (uint64_t)n > e->last)
        return;
    if (e->written++ == 0) {
        snprintf(e->prev, sizeof e->prev, "%s", text_of(object, "prev"));
        write_head(e);
    }
    fwrite(line.at, 1, line.len, e->file);
    putc('\n', e->file);
}

/* --- the way through --- */

typedef void each_fn(struct export *e, const json_t *object, struct view line);

static bool through_file(struct export *e, unsigned number, unsigned last, each_fn *each) {
    struct lines *lines = files_lines(e->folder, number, last);
    struct view line;
    enum lines_state state = LINES_FAILED;
    while (lines && (state = lines_next(lines, &line)) == LINES_ONE) {
        json_t *object = json_loadb((const char *)line.at, line.len, JSON_ALLOW_NUL, NULL);
        each(e, object, line);
        json_decref(object);
    }
    lines_free(&lines);
    return state == LINES_END;
}

static int through(struct export *e, each_fn *each) {
    struct files_span span;
    char why[256];
    bool good = files_span(e->folder, &span, why);
    for (unsigned number = span.first; good && number > 0 && number <= span.last; number++) {
        good = through_file(e, number, span.last, each);
        if (!good)
            snprintf(why, sizeof why, "file %u cannot be read to its end", number);
    }
    if (good)
        return CTL_DONE;
    ctl_error("the log of %s: %s", e->name, why);
    ctl_hint("see: sekishoctl audit verify %s", e->name);
    return CTL_REFUSED;
}

static int find(struct export *e) {
    int code = through(e, look_at);
    if (code != CTL_DONE)
        return code;
    if (e->first_wanted == 0) {
        ctl_error("the log of %s has no record from that time", e->name);
        return CTL_REFUSED;
    }
    if (e->closed)
        return CTL_DONE;
    e->last = e->end;
    ctl_hint(
        "the newest records are not signed yet: whoever verifies this is told so; export again after the "
        "next checkpoint");
    return CTL_DONE;
}

static int copy(struct export *e) {
    bool stdout_wanted = strcmp(e->out, "-") == 0;
    e->file = stdout_wanted ? stdout : fopen(e->out, "wxe");
    if (!e->file) {
        ctl_error("%s cannot be made: %s", e->out, strerror(errno));
        return CTL_REFUSED;
    }
    int code = through(e, write_line);
    bool good = fflush(e->file) == 0 && !ferror(e->file) && (stdout_wanted || fsync(fileno(e->file)) == 0);
    if (!stdout_wanted && fclose(e->file) != 0)
        good = false;
    if (good)
        return code;
    ctl_error("%s is not whole: %s", e->out, strerror(errno));
    return CTL_REFUSED;
}

static int export_chain(const struct ctl *ctl, struct export *e) {
    int code = audit_open(e->dir, e->name, &e->folder);
    if (code != CTL_DONE)
        return code;
    code = audit_told(ctl, e->dir, e->name, COMMAND);
    if (code == CTL_DONE)
        code = find(e);
    if (code == CTL_DONE)
        code = copy(e);
    close(e->folder);
    return code;
}

enum { OPTION_FROM, OPTION_TO, OPTION_O, OPTION_OUT, OPTION_DIR, OPTIONS };

static int take_time(const char *option, const char *text, int64_t *out) {
    if (text && (time_of(text, out) || times_moment(text, times_now(), out)))
        return CTL_DONE;
    return ctl_usage(COMMAND, "%s takes a time like 2026-11-24T21:30:00Z", option);
}

int ctl_audit_export(const struct ctl *ctl, int argc, char **argv) {
    static const struct args_option options[OPTIONS] = {
        {"--from", true}, {"--to", true}, {"-o", true}, {"--out", true}, {"--dir", true}};
    const char *value[OPTIONS] = {NULL};
    struct export e = {.folder = -1};
    int code = times_options(COMMAND, options, OPTIONS, value, 1, &e.name, argc, argv);
    if (code != CTL_DONE)
        return code;
    e.out = value[OPTION_OUT] ? value[OPTION_OUT] : value[OPTION_O];
    if (!e.name || !audit_tenant(e.name))
        return ctl_usage(COMMAND, "which log? Name a tenant, or _provider");
    if (!e.out)
        return ctl_usage(COMMAND, "where to? -o names a file, or - for standard output");
    code = take_time("--from", value[OPTION_FROM], &e.from);
    if (code == CTL_DONE)
        code = take_time("--to", value[OPTION_TO], &e.to);
    if (code != CTL_DONE)
        return code;
    e.dir = audit_folder(ctl, value[OPTION_DIR]);
    return e.dir ? export_chain(ctl, &e) : CTL_REFUSED;
}
