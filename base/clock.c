/* SPDX-License-Identifier: ISC
 *
 * See clock.h.
 */
#include "clock.h"
#include "text.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id) {
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

struct moment clock_now(void) {
    return (struct moment){read_clock(CLOCK_BOOTTIME), read_clock(CLOCK_REALTIME)};
}

void clock_rfc3339(struct writer *w, int64_t wall_us, int offset_minutes) {
    time_t seconds = (time_t)(wall_us / 1000000 + (int64_t)offset_minutes * 60);
    struct tm t;
    gmtime_r(&seconds, &t);
    writer_format(w, "%04d-%02d-%02dT%02d:%02d:%02d.%03d", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                  t.tm_hour, t.tm_min, t.tm_sec, (int)(wall_us / 1000 % 1000));
    if (offset_minutes == 0) {
        writer_text(w, "Z");
        return;
    }
    int size = offset_minutes < 0 ? -offset_minutes : offset_minutes;
    writer_format(w, "%c%02d:%02d", offset_minutes < 0 ? '-' : '+', size / 60, size % 60);
}

bool clock_parse_rfc3339(struct view v, int64_t *wall_us) {
    char text[40];
    int milliseconds = 0, used = 0, offset = 0;
    struct tm t = {0};
    if (!view_copy_text(v, text, sizeof text))
        return false;
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &t);
    if (!rest || sscanf(rest, ".%3d%n", &milliseconds, &used) != 1 || milliseconds < 0 ||
        !clock_parse_offset(view_text(rest + used), &offset))
        return false;
    *wall_us = ((int64_t)timegm(&t) - (int64_t)offset * 60) * 1000000 + (int64_t)milliseconds * 1000;
    return true;
}

bool clock_parse_offset(struct view v, int *offset_minutes) {
    if (view_equal_text(v, "Z") || view_equal_text(v, "UTC")) {
        *offset_minutes = 0;
        return true;
    }
    if (v.len != 6 || (v.at[0] != '+' && v.at[0] != '-') || v.at[3] != ':')
        return false;
    int digits[4];
    static const size_t where[4] = {1, 2, 4, 5};
    for (size_t i = 0; i < 4; i++) {
        digits[i] = v.at[where[i]] - '0';
        if (digits[i] < 0 || digits[i] > 9)
            return false;
    }
    int hours = digits[0] * 10 + digits[1], minutes = digits[2] * 10 + digits[3];
    if (hours > 14 || minutes > 59)
        return false;
    *offset_minutes = (v.at[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
    return true;
}
