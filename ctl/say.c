/* SPDX-License-Identifier: ISC
 *
 * Sentences on standard error. What they quote may come from strangers: control characters are made harmless.
 */
#include "ctl.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 2, 0))) static void line(const char *prefix, const char *format, va_list args) {
    char text[1024];
    vsnprintf(text, sizeof text, format, args);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
    fprintf(stderr, "%s: %s\n", prefix, text);
}

void ctl_error(const char *format, ...) {
    va_list args;
    va_start(args, format);
    line("sekishoctl", format, args);
    va_end(args);
}

void ctl_hint(const char *format, ...) {
    va_list args;
    va_start(args, format);
    line("hint", format, args);
    va_end(args);
}

int ctl_usage(const char *command, const char *format, ...) {
    va_list args;
    va_start(args, format);
    line("sekishoctl", format, args);
    va_end(args);
    ctl_hint("sekishoctl %s --help", command);
    return CTL_USAGE;
}
