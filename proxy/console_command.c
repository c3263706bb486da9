/* SPDX-License-Identifier: ISC
 *
 * See console_command.h.
 */
#include "console_command.h"
#include "console_words.h"
#include "magic.h"
#include "text.h"

#include <string.h>

#define HAS(a) (1u << ARGUMENT_##a)
#define KIND(k) (1u << STATEMENT_##k)
#define KINDS_ALL ((1u << STATEMENT_KINDS) - 2)
#define SIGNED_NEEDS (HAS(BODY) | HAS(SIGNATURE))
#define SIGNED_COLUMNS "id,digest,n"

static const struct console_declaration declarations[VERB_COUNT] = {
#define CONSOLE(code, words, needs, options, who, columns, summary)                                          \
    [VERB_##code] = {words, needs, options, who, 0, columns, summary},
#define CONSOLE_SIGNED(code, word, kinds, who, summary)                                                      \
    [VERB_##code] = {word, SIGNED_NEEDS, 0, who, kinds, SIGNED_COLUMNS, summary},
#include "console_commands.def"
};

static const struct {
    const char *keyword; /* NULL: never an option */
    const char *meaning;
} arguments[ARGUMENT_COUNT] = {{NULL, "id"},       {NULL, "body"},       {NULL, "signature in base64"},
                               {NULL, "action"},   {"TENANT", "tenant"}, {"FROM", "time"},
                               {"TO", "time"},     {"SESSION", "id"},    {"LIMIT", "number"},
                               {"AFTER", "number"}};

const struct console_declaration *console_declaration(enum console_verb verb) {
    assert(verb > VERB_NONE && verb < VERB_COUNT);
    return &declarations[verb];
}

void console_usage(enum console_verb verb, struct writer *w) {
    const struct console_declaration *d = console_declaration(verb);
    writer_text(w, d->words);
    for (int a = 0; a < ARGUMENT_COUNT; a++) {
        if (d->needs & 1u << a)
            writer_format(w, " '%s'", arguments[a].meaning);
        else if (d->options & 1u << a)
            writer_format(w, " [%s '%s']", arguments[a].keyword, arguments[a].meaning);
    }
}

size_t console_columns(const char *columns, struct view name[CONSOLE_COLUMNS_MAX]) {
    struct view rest = view_text(columns);
    size_t count = 0;
    while (count < CONSOLE_COLUMNS_MAX && text_next_item(&rest, &name[count]))
        count++;
    return count;
}

/* --- text to command --- */

static bool refuse(struct failure *f, const char *hint, const char *sentence) {
    failure_set(f, "42601", hint, "%s", sentence);
    return false;
}

/* How many of the words of `sql` are this declaration's, when it starts with all of them; *rest: behind. */
static size_t matches(const char *words, struct view sql, struct view *rest) {
    struct view wanted = view_text(words);
    size_t count = 0;
    *rest = sql;
    for (;; count++) {
        struct word want = word_next(&wanted), have;
        if (want.kind == WORD_END)
            return count;
        have = word_next(rest);
        if (have.kind != WORD_NAME || !text_equal_nocase(have.text, want.text))
            return 0;
    }
}

static enum console_verb find_verb(struct view sql, struct view *rest) {
    for (int verb = VERB_NONE + 1; verb < VERB_COUNT; verb++)
        if (matches(declarations[verb].words, sql, rest) > 0)
            return (enum console_verb)verb;
    return VERB_NONE;
}

static bool keep(struct console_command *c, struct console_value *v, struct writer *w, struct failure *f) {
    if (w->bad) {
        failure_set(f, "54000", "a signed statement has at most 4096 bytes",
                    "the command's texts are too long");
        return false;
    }
    v->at = c->used;
    v->len = (uint16_t)(w->len - c->used);
    c->used = (uint16_t)w->len;
    return true;
}

static struct writer room_of(struct console_command *c) {
    struct writer w = writer_of(c->room, sizeof c->room);
    w.len = c->used;
    return w;
}

static bool take_value(struct console_command *c, enum console_argument a, const struct word *word,
                       struct failure *f) {
    struct console_value *v = &c->value[a];
    struct writer w = room_of(c);
    uint64_t n;
    v->given = true;
    switch (word->kind) {
    case WORD_PARAMETER:
        if (!text_number(word->text, 1, CONSOLE_PARAMETERS_MAX, &n)) {
            failure_set(f, "42P02", NULL, "there is no such parameter");
            return false;
        }
        v->parameter = (uint16_t)n;
        if (n > c->parameters)
            c->parameters = (uint16_t)n;
        return true;
    case WORD_TEXT:
        if (!word_unquote(word, &w) && !w.bad)
            return refuse(f, "write '' for a quote within quotes",
                          "a quoted text has a sequence that is not known here");
        return keep(c, v, &w, f);
    case WORD_NUMBER:
        writer_bytes(&w, word->text);
        return keep(c, v, &w, f);
    default:
        failure_set(f, "42601", NULL, "expected a text in quotes for %s",
                    arguments[a].keyword ? arguments[a].keyword : arguments[a].meaning);
        return false;
    }
}

static int option_named(const struct word *w) {
    for (int a = 0; a < ARGUMENT_COUNT; a++)
        if (w->kind == WORD_NAME && arguments[a].keyword &&
            text_equal_nocase(w->text, view_text(arguments[a].keyword)))
            return a;
    return -1;
}

static bool take_options(struct console_command *c, unsigned allowed, struct view rest, struct failure *f) {
    for (;;) {
        struct word w = word_next(&rest);
        if (w.kind == WORD_END)
            return true;
        int a = option_named(&w);
        if (a < 0 || !(allowed & 1u << a)) {
            failure_set(f, "42601", NULL, "syntax error behind %s", declarations[c->verb].words);
            return false;
        }
        if (c->value[a].given) {
            failure_set(f, "42601", NULL, "%s is there twice", arguments[a].keyword);
            return false;
        }
        w = word_next(&rest);
        if (!take_value(c, (enum console_argument)a, &w, f))
            return false;
    }
}

/* Whoever made a mistake is told how the command goes. */
static bool hint_usage(enum console_verb verb, struct failure *f) {
    struct writer w = writer_of(f->hint, sizeof f->hint);
    if (f->hint[0])
        return false;
    console_usage(verb, &w);
    writer_u8(&w, 0);
    if (w.bad)
        f->hint[0] = 0;
    return false;
}

bool console_command_parse(struct view sql, struct console_command *out, struct failure *f) {
    struct view rest;
    memset(out, 0, sizeof *out);
    out->magic = CONSOLE_COMMAND_MAGIC;
    out->verb = find_verb(sql, &rest);
    if (out->verb == VERB_NONE) {
        failure_set(f, "0A000", "SHOW HELP; tells what can be said here",
                    "this is the console, not a database: it does not know this command");
        return false;
    }
    const struct console_declaration *d = &declarations[out->verb];
    for (int a = 0; a < ARGUMENT_COUNT; a++) {
        if (!(d->needs & 1u << a))
            continue;
        struct word w = word_next(&rest);
        if (!take_value(out, (enum console_argument)a, &w, f))
            return hint_usage(out->verb, f);
    }
    return take_options(out, d->options, rest, f) || hint_usage(out->verb, f);
}

bool console_command_bind(struct console_command *c, uint16_t n, struct view value, struct failure *f) {
    MAGIC_CHECK(c, CONSOLE_COMMAND_MAGIC);
    for (int a = 0; a < ARGUMENT_COUNT; a++) {
        struct console_value *v = &c->value[a];
        if (!v->given || v->parameter != n)
            continue;
        struct writer w = room_of(c);
        writer_bytes(&w, value);
        if (!keep(c, v, &w, f))
            return false;
        v->parameter = 0;
    }
    return true;
}

bool console_command_has(const struct console_command *c, enum console_argument a) {
    MAGIC_CHECK(c, CONSOLE_COMMAND_MAGIC);
    return c->value[a].given;
}

struct view console_command_value(const struct console_command *c, enum console_argument a) {
    MAGIC_CHECK(c, CONSOLE_COMMAND_MAGIC);
    const struct console_value *v = &c->value[a];
    assert(v->parameter == 0);
    return v->given ? view_of(c->room + v->at, v->len) : view_of("", 0);
}
