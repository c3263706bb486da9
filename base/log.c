/* SPDX-License-Identifier: ISC
 *
 * See log.h. Holds the one piece of global state of a process: its own name.
 */
#include "log.h"
#include "clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static char log_name[64] = "sekisho";
static enum log_level log_least = LOG_LEVEL_INFO;

void log_open(const char *name, enum log_level least) {
    snprintf(log_name, sizeof log_name, "%s", name);
    log_least = least;
}

void log_line(enum log_level level, const char *format, ...) {
    static const char *const names[] = {"debug", "info", "warning", "error"};
    if (level < log_least)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
    char line[1280];
    struct writer w = writer_of(line, sizeof line);
    clock_rfc3339(&w, clock_now().wall_us, 0);
    writer_format(&w, " %s[%d] %s: %s\n", log_name, (int)getpid(), names[level], text);
    ssize_t ignored = write(STDERR_FILENO, line, w.len);
    (void)ignored;
}
