/* SPDX-License-Identifier: ISC
 *
 * The arguments of one command: options ("--name VALUE", "--name=VALUE") and words in any order; "--" ends
 * the options.
 */
#ifndef SEKISHO_ARGS_H
#define SEKISHO_ARGS_H

#include <stdbool.h>
#include <stddef.h>

struct args_option {
    const char *name; /* "--instance" */
    bool takes_value;
};

struct args {
    int argc;
    char **argv;
    int at;
    bool only_words;   /* "--" was read */
    const char *value; /* of the option or word just read; for ARGS_BAD the offending argument */
};

enum { ARGS_WORD = -1, ARGS_END = -2, ARGS_UNKNOWN = -3, ARGS_NO_VALUE = -4 };

/* argv[0] is passed over. */
struct args args_of(int argc, char **argv);
/* The index in `options` of the next option, or one of ARGS_*. */
int args_next(struct args *a, const struct args_option *options, size_t count);
/* What ARGS_UNKNOWN or ARGS_NO_VALUE mean, as ctl_usage says it; returns CTL_USAGE. */
int args_complain(const struct args *a, int what, const char *command);
/* For commands without options: their words into word[0..max), the rest NULL. CTL_DONE, or CTL_USAGE after
 * saying why. */
int args_words(const char *command, int argc, char **argv, int min, int max, const char **word);

#endif
