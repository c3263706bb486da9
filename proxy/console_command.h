/* SPDX-License-Identifier: ISC
 *
 * The console's commands: the table of console_commands.def, and SQL-like text turned into one of them with
 * its values. A value is a text in the command itself or a parameter ($n) that is bound later. Pure; the text
 * comes from strangers.
 */
#ifndef SEKISHO_CONSOLE_COMMAND_H
#define SEKISHO_CONSOLE_COMMAND_H

#include "failure.h"
#include "statement.h"

#define CONSOLE_COMMAND_MAGIC 0xC0450C3Du
#define CONSOLE_PARAMETERS_MAX 16
#define CONSOLE_VALUES_ROOM (STATEMENT_MAX + 1024) /* bytes of all values together */
#define CONSOLE_COLUMNS_MAX 16

/* Whose connection it is; a bit each. */
enum console_who {
    WHO_ADMIN = 1,    /* an administrator of one tenant */
    WHO_OPERATOR = 2, /* a person of the provider: operator or approver */
    WHO_LOCAL = 4,    /* an account of the proxy's host */
    WHO_ANYBODY = 7
};

enum console_verb {
    VERB_NONE,
#define CONSOLE(code, words, needs, options, who, columns, summary) VERB_##code,
#define CONSOLE_SIGNED(code, word, kinds, who, summary) VERB_##code,
#include "console_commands.def"
    VERB_COUNT
};

/* In the order in which those that are needed follow the words. */
enum console_argument {
    ARGUMENT_ID,
    ARGUMENT_BODY,
    ARGUMENT_SIGNATURE,
    ARGUMENT_ACTION,
    ARGUMENT_TENANT,
    ARGUMENT_FROM,
    ARGUMENT_TO,
    ARGUMENT_SESSION,
    ARGUMENT_LIMIT,
    ARGUMENT_AFTER,
    ARGUMENT_COUNT
};

struct console_declaration {
    const char *words;
    unsigned needs, options; /* a bit of each argument */
    unsigned who;            /* enum console_who */
    unsigned kinds;          /* of signed statements it hands in, a bit each; 0: it shows */
    const char *columns;     /* separated by commas */
    const char *summary;
};
const struct console_declaration *console_declaration(enum console_verb verb);
/* "SHOW AUDIT [TENANT 'text'] [FROM 'text'] ...": for people. */
void console_usage(enum console_verb verb, struct writer *w);
/* The columns' names; how many. */
size_t console_columns(const char *columns, struct view name[CONSOLE_COLUMNS_MAX]);

struct console_value {
    bool given;
    uint16_t parameter; /* $n, not yet bound; 0: it is there */
    uint16_t at, len;   /* in the command's room */
};

struct console_command {
    uint32_t magic;
    enum console_verb verb;
    uint16_t parameters; /* the highest $n */
    struct console_value value[ARGUMENT_COUNT];
    uint16_t used;
    uint8_t room[CONSOLE_VALUES_ROOM];
};

/* One statement without its semicolon. False, with why (42601 and the like), when it is none of ours. */
bool console_command_parse(struct view sql, struct console_command *out, struct failure *f);
/* Puts the value in for $n, wherever it stands. */
bool console_command_bind(struct console_command *c, uint16_t n, struct view value, struct failure *f);
bool console_command_has(const struct console_command *c, enum console_argument a);
/* Asserts that no parameter is left. Empty when it wasn't given. */
struct view console_command_value(const struct console_command *c, enum console_argument a);

#endif
