/* SPDX-License-Identifier: ISC
 *
 * The configuration: one table (settings.def) from which parsing, `config check`, the commented sample and
 * the man page are made. Every process gets the whole of it as text over its channel and parses it again: it
 * holds no secret.
 */
#ifndef SEKISHO_SETTINGS_H
#define SEKISHO_SETTINGS_H

#include "address.h"

#define SETTINGS_TEXT_MAX 65535 /* bytes of a configuration file */
#define SETTINGS_ADDRESSES_MAX 16

struct addresses {
    size_t count;
    struct address address[SETTINGS_ADDRESSES_MAX];
};

struct settings {
    uint32_t magic;
#define SETTING_TEXT(section, key, value, doc) char key[256];
#define SETTING_PATH(section, key, value, doc) char key[256];
#define SETTING_DURATION(section, key, value, min, max, doc) uint32_t key; /* milliseconds */
#define SETTING_COUNT(section, key, value, min, max, doc) uint32_t key;
#define SETTING_ADDRESSES(section, key, value, doc) struct addresses key;
#define SETTING_LOOPBACK(section, key, value, doc) struct addresses key;
#define SETTING_RANGES(section, key, value, doc) struct ranges key;
#define SETTING_CHOICE(section, key, value, choices, doc) char key[32];
#include "settings.def"
};

struct settings_error {
    char file[256];
    int line; /* 0: not about one line */
    char text[256];
};

/* Every default, then the text (INI, through inih). name: for messages. False, with *error naming file, line
 * and what was expected: an unknown section or key, a key twice, a bad value, a line that is not INI. */
bool settings_parse(struct view text, const char *name, struct settings *out, struct settings_error *error);
/* Reads the file, keeps its text (at most SETTINGS_TEXT_MAX bytes) in text[0..*len). */
bool settings_load(const char *path, struct settings *out, char *text, size_t cap, size_t *len,
                   struct settings_error *error);
/* The commented sample configuration, and the man page's table (mdoc or man macros): for conf/ and docs/. */
void settings_write_sample(struct writer *w);
void settings_write_manual(struct writer *w);

#endif
