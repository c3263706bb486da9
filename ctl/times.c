/* SPDX-License-Identifier: ISC
 *
 * See times.h.
 */
#include "times.h"
#include "statement.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

#define LONGEST_MS (UINT64_C(100) * 366 * 86400 * 1000)

int64_t times_now(void) {
    return clock_now().wall_us / 1000000;
}

bool times_duration(const char *text, int64_t *seconds) {
    uint64_t ms;
    if (!text_duration(view_text(text), &ms) || ms < 1000 || ms % 1000 != 0 || ms > LONGEST_MS)
        return false;
    *seconds = (int64_t)(ms / 1000);
    return true;
}

bool times_moment(const char *text, int64_t now, int64_t *out) {
    int64_t later;
    if (strcmp(text, "now") == 0) {
        *out = now;
        return true;
    }
    if (text[0] == '+') {
        if (!times_duration(text + 1, &later))
            return false;
        *out = now + later;
        return true;
    }
    /* A space instead of T, and no seconds, are what people write. */
    char whole[INSTANT_TEXT];
    size_t len = strlen(text);
    if (len == 17 && text[16] == 'Z')
        snprintf(whole, sizeof whole, "%.16s:00Z", text);
    else if (len == 20)
        snprintf(whole, sizeof whole, "%s", text);
    else
        return false;
    if (whole[10] == ' ')
        whole[10] = 'T';
    return instant_parse(view_text(whole), out);
}

void times_left(int64_t seconds, char out[32]) {
    long long s = seconds > 0 ? seconds : 0;
    if (s < 60)
        snprintf(out, 32, "%lld s", s);
    else if (s < 3600)
        snprintf(out, 32, "%lld min", s / 60);
    else if (s < 2 * 86400)
        snprintf(out, 32, "%lld h %02lld min", s / 3600, s / 60 % 60);
    else
        snprintf(out, 32, "%lld days", s / 86400);
}

int times_options(const char *command, const struct args_option *options, size_t count, const char **value,
                  size_t most, const char **word, int argc, char **argv) {
    struct args a = args_of(argc, argv);
    size_t words = 0;
    for (size_t i = 0; i < most; i++)
        word[i] = NULL;
    for (int what; (what = args_next(&a, options, count)) != ARGS_END;) {
        if (what == ARGS_UNKNOWN || what == ARGS_NO_VALUE)
            return args_complain(&a, what, command);
        if (what >= 0)
            value[what] = options[what].takes_value ? a.value : "";
        else if (words == most)
            return ctl_usage(command, "%s: one argument too many: %s", command, a.value);
        else
            word[words++] = a.value;
    }
    return CTL_DONE;
}
