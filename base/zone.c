/* SPDX-License-Identifier: ISC
 *
 * See zone.h.
 */
#include "zone.h"
#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ZONES "/usr/share/zoneinfo"
#define NAME_MAX_LEN 64

static bool name_valid(struct view v) {
    if (v.len == 0 || v.len > NAME_MAX_LEN || v.at[0] < 'A' || v.at[0] > 'Z')
        return false;
    for (size_t i = 0; i < v.len; i++) {
        bool letter = (v.at[i] | 0x20) >= 'a' && (v.at[i] | 0x20) <= 'z';
        bool digit = v.at[i] >= '0' && v.at[i] <= '9';
        bool slash = v.at[i] == '/' && i + 1 < v.len && v.at[i + 1] != '/';
        if (!letter && !digit && !slash && v.at[i] != '_' && v.at[i] != '+' && v.at[i] != '-')
            return false;
    }
    return true;
}

bool zone_valid(struct view text) {
    int minutes;
    return clock_parse_offset(text, &minutes) || name_valid(text);
}

/* Every file of the database begins so. */
static bool is_zone_file(const char *path) {
    char head[4] = "";
    FILE *f = fopen(path, "rbe");
    bool good = f && fread(head, 1, sizeof head, f) == sizeof head && memcmp(head, "TZif", sizeof head) == 0;
    if (f)
        fclose(f);
    return good;
}

bool zone_known(struct view text) {
    int minutes;
    char path[sizeof ZONES + NAME_MAX_LEN + 1];
    if (clock_parse_offset(text, &minutes))
        return true;
    if (!name_valid(text))
        return false;
    snprintf(path, sizeof path, ZONES "/%.*s", (int)text.len, (const char *)text.at);
    return is_zone_file(path);
}

bool zone_take(struct view text, struct zone *out) {
    int minutes;
    if (clock_parse_offset(text, &minutes)) {
        *out = (struct zone){false, minutes};
        return true;
    }
    if (!zone_known(text))
        return false;
    char name[NAME_MAX_LEN + 2];
    snprintf(name, sizeof name, ":%.*s", (int)text.len, (const char *)text.at);
    if (setenv("TZ", name, 1) != 0)
        return false;
    tzset(); /* reads the file now, not when it may be out of reach */
    *out = (struct zone){true, 0};
    return true;
}

int zone_minutes(const struct zone *z, int64_t wall_us) {
    if (!z->named)
        return z->offset_minutes;
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm t;
    return localtime_r(&seconds, &t) ? (int)(t.tm_gmtoff / 60) : 0;
}

int64_t zone_day(const struct zone *z, int64_t wall_us) {
    int64_t seconds = wall_us / 1000000 + (int64_t)zone_minutes(z, wall_us) * 60;
    return seconds >= 0 ? seconds / 86400 : (seconds + 1) / 86400 - 1;
}
