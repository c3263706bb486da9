/* SPDX-License-Identifier: ISC
 *
 * The table of commands, made from commands.def.
 */
#ifndef SEKISHO_COMMANDS_H
#define SEKISHO_COMMANDS_H

#include "ctl.h"

enum command_group { SETUP, TENANTS, OPERATORS, GRANTS, RUNNING, AUDIT, HIDDEN };

enum command_need {
    NEED_NOTHING,
    NEED_SETTINGS,
    NEED_STORE,  /* settings and the control store */
    NEED_DESK,   /* the same, or the console of a proxy elsewhere (desk_remote.h) */
    NEED_CONTROL /* settings and the running proxy */
};

struct command {
    enum command_group group;
    const char *words; /* "tenant add" */
    const char *arguments;
    enum command_need need;
    ctl_command_fn *run;
    const char *summary, *details;
};

#define COMMAND(group, words, arguments, need, function, summary, details) ctl_command_fn function;
#include "commands.def"
#undef COMMAND

extern const struct command commands[];
extern const size_t command_count;

/* The command whose words argv starts with; *words: how many of argv they are. NULL for none. */
const struct command *command_find(int argc, char **argv, int *words);

/* The whole help; the help of the commands whose first word it is ("tenant"; false when there is none); that
 * of one. */
void help_all(bool colour);
bool help_group(const char *word, bool colour);
void help_command(const struct command *c, bool colour);
/* Whether a command starts with this word. */
bool help_known(const char *word);

#endif
