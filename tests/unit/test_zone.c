/* SPDX-License-Identifier: ISC
 *
 * Offsets and names of zones: which are valid, what they are at a time, and when a day of theirs ends.
 */
#include "zone.h"

#include <criterion/criterion.h>

#define SUMMER_2026 1782000000000000 /* 2026-06-21 00:00 UTC */
#define WINTER_2026 1768000000000000 /* 2026-01-09 23:06:40 UTC */

static struct zone zone_of(const char *text) {
    struct zone z;
    cr_assert(zone_take(view_text(text), &z), "%s", text);
    return z;
}

Test(zone, offsets_are_what_they_say) {
    struct zone z = zone_of("+09:00");
    cr_expect_eq(zone_minutes(&z, SUMMER_2026), 540);
    z = zone_of("-03:30");
    cr_expect_eq(zone_minutes(&z, WINTER_2026), -210);
    z = zone_of("Z");
    cr_expect_eq(zone_minutes(&z, 0), 0);
}

Test(zone, a_name_is_what_the_system_says) {
    struct zone z = zone_of("Asia/Tokyo");
    cr_expect_eq(zone_minutes(&z, SUMMER_2026), 540);
    cr_expect_eq(zone_minutes(&z, WINTER_2026), 540);
    z = zone_of("Europe/Berlin");
    cr_expect_eq(zone_minutes(&z, SUMMER_2026), 120);
    cr_expect_eq(zone_minutes(&z, WINTER_2026), 60);
}

Test(zone, a_name_is_no_path) {
    static const char *const bad[] = {"",
                                      "../../etc/passwd",
                                      "/etc/localtime",
                                      "Europe/../Europe/Berlin",
                                      "+9",
                                      "Europe//Berlin",
                                      "Europe/",
                                      "tokyo time",
                                      "9:00",
                                      "+15:00"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct zone z = {false, 7};
        cr_expect_not(zone_valid(view_text(bad[i])), "%s", bad[i]);
        cr_expect_not(zone_take(view_text(bad[i]), &z), "%s", bad[i]);
        cr_expect_eq(z.offset_minutes, 7);
    }
    cr_expect(zone_valid(view_text("Asia/Atlantis")));
    cr_expect_not(zone_known(view_text("Asia/Atlantis")));
    cr_expect_not(zone_known(view_text("Asia")), "a folder");
}

Test(zone, a_day_ends_at_its_own_midnight) {
    struct zone utc = zone_of("Z"), east = zone_of("+09:00"), west = zone_of("-01:00");
    cr_expect_eq(zone_day(&utc, SUMMER_2026), zone_day(&utc, SUMMER_2026 - 1) + 1);
    int64_t midnight = SUMMER_2026 - 9 * 3600000000;
    cr_expect_eq(zone_day(&east, midnight), zone_day(&east, midnight - 1000000) + 1);
    cr_expect_eq(zone_day(&west, SUMMER_2026), zone_day(&utc, SUMMER_2026) - 1);
    cr_expect_eq(zone_day(&west, 0), -1);
}
