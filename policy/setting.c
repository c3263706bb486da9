/* SPDX-License-Identifier: ISC
 *
 * The table of settings, made from settings.def, and how values are put into words.
 */
#include "setting.h"
#include "text.h"

#include <string.h>

#define PLACE(key) offsetof(struct settings, key), sizeof(((struct settings *)NULL)->key)

const struct setting setting_table[SETTING_KEYS] = {
#define SETTING_TEXT(section, key, value, doc)                                                               \
    {SETTING_IS_TEXT, section, #key, value, 0, 0, 0, NULL, doc, PLACE(key)},
#define SETTING_PATH(section, key, value, doc)                                                               \
    {SETTING_IS_PATH, section, #key, value, 0, 0, 0, NULL, doc, PLACE(key)},
#define SETTING_DURATION(section, key, value, min, max, doc)                                                 \
    {SETTING_IS_DURATION, section, #key, "", value, min, max, NULL, doc, PLACE(key)},
#define SETTING_COUNT(section, key, value, min, max, doc)                                                    \
    {SETTING_IS_COUNT, section, #key, "", value, min, max, NULL, doc, PLACE(key)},
#define SETTING_ADDRESSES(section, key, value, doc)                                                          \
    {SETTING_IS_ADDRESSES, section, #key, value, 0, 0, 0, NULL, doc, PLACE(key)},
#define SETTING_LOOPBACK(section, key, value, doc)                                                           \
    {SETTING_IS_LOOPBACK, section, #key, value, 0, 0, 0, NULL, doc, PLACE(key)},
#define SETTING_RANGES(section, key, value, doc)                                                             \
    {SETTING_IS_RANGES, section, #key, value, 0, 0, 0, NULL, doc, PLACE(key)},
#define SETTING_CHOICE(section, key, value, choices, doc)                                                    \
    {SETTING_IS_CHOICE, section, #key, value, 0, 0, 0, choices, doc, PLACE(key)},
#include "settings.def"
};

void setting_write_duration(struct writer *w, uint32_t ms) {
    static const struct {
        const char *name;
        uint32_t ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}};
    if (ms == 0) {
        writer_u8(w, '0');
        return;
    }
    size_t i = 0;
    while (ms % units[i].ms != 0)
        i++;
    writer_format(w, "%u%s", ms / units[i].ms, units[i].name);
}

void setting_write_default(struct writer *w, const struct setting *setting) {
    if (setting->kind == SETTING_IS_DURATION)
        setting_write_duration(w, setting->number);
    else if (setting->kind == SETTING_IS_COUNT)
        writer_format(w, "%u", setting->number);
    else
        writer_text(w, setting->text);
}

static void write_choices(struct writer *w, const char *choices) {
    writer_text(w, "expected one of: ");
    for (const char *c = choices; *c; c++) {
        if (*c == ' ')
            writer_u8(w, ',');
        writer_u8(w, (uint8_t)*c);
    }
}

void setting_write_expected(struct writer *w, const struct setting *setting) {
    switch (setting->kind) {
    case SETTING_IS_TEXT:
        writer_text(w, setting->text[0] ? "expected a text such as " : "expected a text");
        writer_text(w, setting->text);
        break;
    case SETTING_IS_PATH:
        writer_format(w, "expected an absolute path%s", setting->text[0] ? "" : " or nothing");
        break;
    case SETTING_IS_DURATION:
        writer_text(w, "expected a duration such as 30s between ");
        setting_write_duration(w, setting->min);
        writer_text(w, " and ");
        setting_write_duration(w, setting->max);
        break;
    case SETTING_IS_COUNT:
        writer_format(w, "expected a whole number between %u and %u", setting->min, setting->max);
        break;
    case SETTING_IS_ADDRESSES:
        writer_format(
            w, "expected 1 to %d different addresses with ports such as 192.0.2.1:5432, [2001:db8::1]:5432",
            SETTINGS_ADDRESSES_MAX);
        break;
    case SETTING_IS_LOOPBACK:
        writer_text(w, "expected addresses of this host's loopback with ports such as 127.0.0.1:9187");
        break;
    case SETTING_IS_RANGES:
        writer_format(w, "expected at most %d address ranges such as 192.0.2.0/24, 2001:db8::/32",
                      RANGES_MAX);
        break;
    case SETTING_IS_CHOICE:
        write_choices(w, setting->choices);
        break;
    }
}
