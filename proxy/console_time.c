/* SPDX-License-Identifier: ISC
 *
 * See console_time.h.
 */
#include "console_time.h"
#include "clock.h"
#include "statement.h"

#include <string.h>

#define DATE 10 /* 2026-11-24 */
#define TIME 8  /* 21:30:00 */

/* ".123": up to six digits count, more are passed over. */
static bool take_fraction(struct view *rest, int64_t *us) {
    *us = 0;
    if (rest->len == 0 || rest->at[0] != '.')
        return true;
    size_t n = 1;
    int64_t unit = 100000;
    for (; n < rest->len && rest->at[n] >= '0' && rest->at[n] <= '9'; n++) {
        *us += (rest->at[n] - '0') * unit;
        unit /= 10;
    }
    *rest = view_from(*rest, n);
    return n > 1 && n < 12;
}

bool console_time_parse(struct view text, int64_t *us) {
    char instant[INSTANT_TEXT];
    int64_t seconds, fraction = 0;
    int minutes = 0;
    if (text.len == DATE) {
        memcpy(instant, text.at, DATE);
        memcpy(instant + DATE, "T00:00:00Z", DATE + 1);
    } else {
        struct view rest = view_from(text, DATE + 1 + TIME);
        if (rest.len == 0 || (text.at[DATE] != 'T' && text.at[DATE] != ' ') ||
            !take_fraction(&rest, &fraction) || !clock_parse_offset(rest, &minutes))
            return false;
        memcpy(instant, text.at, DATE + 1 + TIME);
        instant[DATE] = 'T';
        instant[DATE + 1 + TIME] = 'Z';
        instant[DATE + 2 + TIME] = 0;
    }
    if (!instant_parse(view_text(instant), &seconds))
        return false;
    *us = (seconds - minutes * 60) * 1000000 + fraction;
    return true;
}
