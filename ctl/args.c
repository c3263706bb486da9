/* SPDX-License-Identifier: ISC
 *
 * See args.h.
 */
#include "args.h"
#include "ctl.h"

#include <string.h>

struct args args_of(int argc, char **argv) {
    return (struct args){.argc = argc, .argv = argv, .at = 1};
}

static int option(struct args *a, const struct args_option *o, int index, const char *inline_value) {
    if (!o->takes_value)
        return inline_value ? ARGS_UNKNOWN : index;
    if (inline_value) {
        a->value = inline_value;
        return index;
    }
    if (a->at >= a->argc)
        return ARGS_NO_VALUE;
    a->value = a->argv[a->at++];
    return index;
}

int args_next(struct args *a, const struct args_option *options, size_t count) {
    if (a->at >= a->argc)
        return ARGS_END;
    a->value = a->argv[a->at++];
    if (!a->only_words && strcmp(a->value, "--") == 0) {
        a->only_words = true;
        return args_next(a, options, count);
    }
    if (a->only_words || a->value[0] != '-' || a->value[1] == '\0')
        return ARGS_WORD;
    size_t len = strcspn(a->value, "=");
    const char *inline_value = a->value[len] ? a->value + len + 1 : NULL;
    for (size_t i = 0; i < count; i++)
        if (strlen(options[i].name) == len && strncmp(options[i].name, a->value, len) == 0)
            return option(a, &options[i], (int)i, inline_value);
    return ARGS_UNKNOWN;
}

int args_complain(const struct args *a, int what, const char *command) {
    if (what == ARGS_NO_VALUE)
        return ctl_usage(command, "%s needs a value", a->value);
    return ctl_usage(command, "%s has no option %s", command, a->value);
}

int args_words(const char *command, int argc, char **argv, int min, int max, const char **word) {
    struct args a = args_of(argc, argv);
    int n = 0;
    for (int i = 0; i < max; i++)
        word[i] = NULL;
    for (int what; (what = args_next(&a, NULL, 0)) != ARGS_END;) {
        if (what != ARGS_WORD)
            return args_complain(&a, what, command);
        if (n == max)
            return ctl_usage(command, "%s: one argument too many: %s", command, a.value);
        word[n++] = a.value;
    }
    return n < min ? ctl_usage(command, "%s needs an argument", command) : CTL_DONE;
}
