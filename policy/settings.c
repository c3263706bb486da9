/* SPDX-License-Identifier: ISC
 *
 * Reads the configuration through inih: lines and syntax are the library's, meaning and messages are ours.
 * The first error ends the reading. Who writes the file is trusted, but makes mistakes: each is named by
 * file, line and what was expected.
 */
#include "settings.h"
#include "directory.h"
#include "magic.h"
#include "setting.h"
#include "text.h"
#include "zone.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SETTINGS_MAGIC 0x5E771465u
#define LINE_MOST 4096 /* bytes of one line; longer ones are an error, never cut */
#define ECHO_MOST 64   /* bytes of a value shown in a message */
#define DOMAIN_MOST (TENANT_NAME_MAX - TENANT_ID_MAX - 1)

struct parse {
    struct view rest;       /* lines not yet given to the library */
    int line;               /* the one it has now; 1 is the first */
    int seen[SETTING_KEYS]; /* the line that set it; 0: none yet */
    struct settings *out;
    struct settings_error *error;
    bool failed;
};

/* Keeps the first error only. Control characters of the file do not reach a terminal. */
static void __attribute__((format(printf, 2, 3))) complain(struct parse *p, const char *format, ...) {
    if (p->failed)
        return;
    p->failed = true;
    p->error->line = p->line;
    va_list args;
    va_start(args, format);
    vsnprintf(p->error->text, sizeof p->error->text, format, args);
    va_end(args);
    for (char *c = p->error->text; *c; c++)
        if ((uint8_t)*c < 0x20 || *c == 0x7F)
            *c = '?';
}

static bool is_section(const char *name) {
    for (size_t i = 0; i < SETTING_KEYS; i++)
        if (strcmp(setting_table[i].section, name) == 0)
            return true;
    return false;
}

static void complain_section(struct parse *p, const char *name) {
    char list[200];
    struct writer w = writer_of(list, sizeof list - 1);
    const char *last = "";
    for (size_t i = 0; i < SETTING_KEYS; i++)
        if (strcmp(setting_table[i].section, last) != 0) {
            writer_format(&w, "%s%s", *last ? ", " : "", setting_table[i].section);
            last = setting_table[i].section;
        }
    list[w.len] = 0;
    complain(p, "unknown section [%.32s]; expected one of: %s", name, list);
}

static void complain_key(struct parse *p, const char *section, const char *key) {
    char list[200];
    struct writer w = writer_of(list, sizeof list - 1);
    for (size_t i = 0; i < SETTING_KEYS; i++)
        if (strcmp(setting_table[i].section, section) == 0)
            writer_format(&w, "%s%s", w.len ? ", " : "", setting_table[i].key);
    list[w.len] = 0;
    complain(p, "unknown setting \"%.32s\"; expected one of: %s", key, list);
}

/* The library reports a section only with its first key, so a wrong name is looked for here. */
static void check_section_line(struct parse *p, struct view line) {
    line = text_trim(line);
    if (line.len == 0 || line.at[0] != '[')
        return;
    const uint8_t *close = memchr(line.at, ']', line.len);
    char name[32];
    if (!close)
        complain(p, "expected a ']' at the end of the section's name");
    else if (!view_copy_text(view_of(line.at + 1, (size_t)(close - line.at) - 1), name, sizeof name))
        complain(p, "a section's name is too long");
    else if (!is_section(name))
        complain_section(p, name);
}

/* inih's source of lines: as fgets, but nothing is ever cut. */
static char *next_line(char *into, int cap, void *arg) {
    struct parse *p = arg;
    if (p->failed || p->rest.len == 0)
        return NULL;
    p->line++;
    const uint8_t *newline = memchr(p->rest.at, '\n', p->rest.len);
    size_t len = newline ? (size_t)(newline - p->rest.at) : p->rest.len;
    struct view line = view_of(p->rest.at, len);
    p->rest = view_from(p->rest, len + 1);
    if (len >= (size_t)cap)
        complain(p, "the line is longer than %d bytes", cap - 1);
    else if (!view_copy_text(line, into, (size_t)cap))
        complain(p, "the line holds a NUL byte");
    else
        check_section_line(p, line);
    return p->failed ? NULL : into;
}

static bool set_text(const struct setting *setting, struct view value, char *place) {
    if (setting->text[0] && value.len == 0)
        return false;
    return view_copy_text(value, place, setting->size);
}

static bool set_domain(const struct setting *setting, struct view value, char *place) {
    return value.len <= DOMAIN_MOST && text_lower_into(value, place, setting->size) &&
           host_name_valid(view_text(place));
}

static bool set_path(const struct setting *setting, struct view value, char *place) {
    return set_text(setting, value, place) && (value.len == 0 || value.at[0] == '/');
}

static bool set_number(const struct setting *setting, struct view value, uint32_t *place) {
    uint64_t number;
    bool good = setting->kind == SETTING_IS_COUNT ? text_number(value, 0, UINT32_MAX, &number)
                                                  : text_duration(value, &number);
    if (!good || number < setting->min || number > setting->max)
        return false;
    *place = (uint32_t)number;
    return true;
}

/* An empty list is good only where the default is one. */
static bool set_addresses(const struct setting *setting, struct view value, struct addresses *place) {
    struct view item;
    memset(place, 0, sizeof *place);
    while (text_next_item(&value, &item)) {
        struct address a;
        if (place->count == SETTINGS_ADDRESSES_MAX || !address_parse_port(item, false, &a))
            return false;
        for (size_t i = 0; i < place->count; i++)
            if (address_equal(&place->address[i], &a))
                return false;
        place->address[place->count++] = a;
    }
    return place->count > 0 || setting->text[0] == 0;
}

static bool is_loopback(const struct address *a) {
    static const uint8_t v6[16] = {[15] = 1};
    return a->family == 4 ? a->bytes[0] == 127 : memcmp(a->bytes, v6, sizeof v6) == 0;
}

static bool set_loopback(const struct setting *setting, struct view value, struct addresses *place) {
    if (!set_addresses(setting, value, place))
        return false;
    for (size_t i = 0; i < place->count; i++)
        if (!is_loopback(&place->address[i]))
            return false;
    return true;
}

static bool set_choice(const struct setting *setting, struct view value, char *place) {
    struct view rest = view_text(setting->choices);
    while (rest.len > 0) {
        const uint8_t *space = memchr(rest.at, ' ', rest.len);
        struct view choice = view_of(rest.at, space ? (size_t)(space - rest.at) : rest.len);
        if (view_equal(choice, value))
            return view_copy_text(value, place, setting->size);
        rest = view_from(rest, choice.len + 1);
    }
    return false;
}

/* False when the value is not what the setting expects. */
static bool set_value(struct settings *out, enum setting_index at, struct view value) {
    const struct setting *setting = &setting_table[at];
    void *place = (uint8_t *)out + setting->offset;
    struct view bad;
    if (at == SETTING_AT_domain)
        return set_domain(setting, value, place);
    if (at == SETTING_AT_time_zone)
        return zone_valid(value) && set_text(setting, value, place);
    switch (setting->kind) {
    case SETTING_IS_TEXT:
        return set_text(setting, value, place);
    case SETTING_IS_PATH:
        return set_path(setting, value, place);
    case SETTING_IS_DURATION:
    case SETTING_IS_COUNT:
        return set_number(setting, value, place);
    case SETTING_IS_ADDRESSES:
        return set_addresses(setting, value, place);
    case SETTING_IS_LOOPBACK:
        return set_loopback(setting, value, place);
    case SETTING_IS_RANGES:
        return ranges_parse(value, place, &bad);
    case SETTING_IS_CHOICE:
        return set_choice(setting, value, place);
    }
    return false;
}

static void complain_value(struct parse *p, const struct setting *setting, const char *value) {
    char expected[160];
    struct writer w = writer_of(expected, sizeof expected - 1);
    setting_write_expected(&w, setting);
    expected[w.len] = 0;
    complain(p, "%s: %s, not \"%.*s\"", setting->key, expected, ECHO_MOST, value);
}

/* inih's handler: 0 stops the reading. */
static int take(void *arg, const char *section, const char *key, const char *value) {
    struct parse *p = arg;
    size_t at = 0;
    while (at < SETTING_KEYS && strcmp(setting_table[at].key, key) != 0)
        at++;
    if (at == SETTING_KEYS && section[0])
        complain_key(p, section, key);
    else if (at == SETTING_KEYS)
        complain(p, "expected a [section] before the first setting");
    else if (strcmp(setting_table[at].section, section) != 0)
        complain(p, "\"%s\" belongs into section [%s]", key, setting_table[at].section);
    else if (p->seen[at])
        complain(p, "\"%s\" is set twice, first in line %d", key, p->seen[at]);
    else if (!set_value(p->out, (enum setting_index)at, view_text(value)))
        complain_value(p, &setting_table[at], value);
    else
        p->seen[at] = p->line;
    return !p->failed;
}

static void set_defaults(struct settings *out) {
    memset(out, 0, sizeof *out);
    out->magic = SETTINGS_MAGIC;
    for (size_t i = 0; i < SETTING_KEYS; i++) {
        char text[256];
        struct writer w = writer_of(text, sizeof text);
        setting_write_default(&w, &setting_table[i]);
        bool good = set_value(out, (enum setting_index)i, writer_view(&w));
        assert(good); /* settings.def contradicts itself */
        (void)good;
    }
}

/* Debian's inih takes these from variables. Its line buffer must be on the heap to be as long as we say. */
static void configure_inih(void) {
    ini_use_stack = false;
    ini_max_line = LINE_MOST;
    ini_initial_alloc = LINE_MOST;
    ini_allow_realloc = false;
    ini_allow_multiline = false;
    ini_allow_no_value = false;
    ini_stop_on_first_error = true;
}

static void error_begin(struct settings_error *error, const char *name) {
    memset(error, 0, sizeof *error);
    snprintf(error->file, sizeof error->file, "%s", name);
}

bool settings_parse(struct view text, const char *name, struct settings *out, struct settings_error *error) {
    error_begin(error, name);
    set_defaults(out);
    struct parse p = {.rest = text, .out = out, .error = error};
    if (text.len > SETTINGS_TEXT_MAX) {
        complain(&p, "the configuration is longer than %d bytes", SETTINGS_TEXT_MAX);
        return false;
    }
    configure_inih();
    int result = ini_parse_stream(next_line, &p, take, &p);
    if (result < 0)
        complain(&p, "out of memory");
    else if (result > 0)
        complain(&p, "expected \"setting = value\", a [section] or a comment");
    return !p.failed;
}

/* Reads until the end or until cap bytes are there. False with errno. */
static bool read_whole(const char *path, char *text, size_t cap, size_t *len) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = 1;
    for (*len = 0; *len < cap && n > 0; *len += n > 0 ? (size_t)n : 0)
        do
            n = read(fd, text + *len, cap - *len);
        while (n < 0 && errno == EINTR);
    int kept = errno;
    close(fd);
    errno = kept;
    return n >= 0;
}

bool settings_load(const char *path, struct settings *out, char *text, size_t cap, size_t *len,
                   struct settings_error *error) {
    error_begin(error, path);
    *len = 0;
    if (!read_whole(path, text, cap, len)) {
        snprintf(error->text, sizeof error->text, "expected a configuration file: %s", strerror(errno));
        return false;
    }
    if (*len == cap) {
        snprintf(error->text, sizeof error->text, "the configuration is longer than %zu bytes", cap - 1);
        return false;
    }
    if (!settings_parse(view_of(text, *len), path, out, error))
        return false;
    /* Asked here and not in parsing: not every process that parses may read the system's files. */
    if (!zone_known(view_text(out->time_zone))) {
        snprintf(error->text, sizeof error->text, "time_zone: the system knows no zone \"%.64s\"",
                 out->time_zone);
        return false;
    }
    return true;
}
