/* SPDX-License-Identifier: ISC
 *
 * Private to the settings: settings.def as one table, for the parser (settings.c) and the generators of the
 * sample and the man page (settings_write.c).
 */
#ifndef SEKISHO_SETTING_H
#define SEKISHO_SETTING_H

#include "settings.h"

enum setting_kind {
    SETTING_IS_TEXT,
    SETTING_IS_PATH,
    SETTING_IS_DURATION,
    SETTING_IS_COUNT,
    SETTING_IS_ADDRESSES,
    SETTING_IS_LOOPBACK, /* addresses that no other host reaches */
    SETTING_IS_RANGES,
    SETTING_IS_CHOICE
};

struct setting {
    enum setting_kind kind;
    const char *section;
    const char *key;
    const char *text;    /* the default; "" for numbers */
    uint32_t number;     /* the default of a duration (ms) or a count */
    uint32_t min, max;   /* of a duration or a count */
    const char *choices; /* separated by spaces; NULL for other kinds */
    const char *doc;
    size_t offset; /* into struct settings */
    size_t size;   /* of that member */
};

enum setting_index {
#define SETTING_TEXT(section, key, ...) SETTING_AT_##key,
#define SETTING_PATH(section, key, ...) SETTING_AT_##key,
#define SETTING_DURATION(section, key, ...) SETTING_AT_##key,
#define SETTING_COUNT(section, key, ...) SETTING_AT_##key,
#define SETTING_ADDRESSES(section, key, ...) SETTING_AT_##key,
#define SETTING_LOOPBACK(section, key, ...) SETTING_AT_##key,
#define SETTING_RANGES(section, key, ...) SETTING_AT_##key,
#define SETTING_CHOICE(section, key, ...) SETTING_AT_##key,
#include "settings.def"
    SETTING_KEYS
};

extern const struct setting setting_table[SETTING_KEYS];

/* Milliseconds as people write them, in the largest unit that is exact: "10min", "1500ms", "0". */
void setting_write_duration(struct writer *w, uint32_t ms);
/* The default as it would stand in the file. */
void setting_write_default(struct writer *w, const struct setting *setting);
/* "expected a duration such as 30s between 1s and 10min". */
void setting_write_expected(struct writer *w, const struct setting *setting);

#endif
