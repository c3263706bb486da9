/* SPDX-License-Identifier: ISC
 *
 * What every command of sekishoctl is given and how it answers: a table or JSON on standard output, a
 * sentence on standard error, an exit code. Commands are declared in commands.def; main.c opens what a
 * command says it needs.
 */
#ifndef SEKISHO_CTL_H
#define SEKISHO_CTL_H

#include "settings.h"
#include "store.h"

enum { CTL_DONE = 0, CTL_REFUSED = 1, CTL_USAGE = 2, CTL_UNAVAILABLE = 3 };

struct ctl {
    const struct settings *settings; /* NULL only for commands that need no configuration */
    const char *config_path;         /* where they were read from */
    bool json;                       /* --json was given: standard output is for programs */
    bool colour;                     /* standard output is a terminal that wants colour */
    struct store *store; /* open for commands that need the store; NULL otherwise, and when the desk is
                            elsewhere (desk_remote.h) */
    int control;         /* connected for commands that need the running proxy; -1 otherwise */
};

/* argv[0] is the command's last word ("show"), argv[1] to argv[argc - 1] what follows it. Returns an exit
 * code. */
typedef int ctl_command_fn(const struct ctl *ctl, int argc, char **argv);

/* "sekishoctl: sentence" on standard error; for "hint: ...", call ctl_hint after it. */
void ctl_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void ctl_hint(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A mistake on the command line: the sentence, a hint at the command's --help; CTL_USAGE. */
int ctl_usage(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
