/* SPDX-License-Identifier: ISC
 *
 * The commented sample configuration and the list of settings in sekisho.conf(5), both from the table of
 * settings.
 */
#include "setting.h"
#include "text.h"

#include <string.h>

#define COLUMNS 100

static bool section_starts(size_t i) {
    return i == 0 || strcmp(setting_table[i].section, setting_table[i - 1].section) != 0;
}

/* The next word of *rest with its length; false at the end. */
static bool next_word(struct view *rest, struct view *word) {
    *rest = text_trim(*rest);
    if (rest->len == 0)
        return false;
    const uint8_t *space = memchr(rest->at, ' ', rest->len);
    *word = view_of(rest->at, space ? (size_t)(space - rest->at) : rest->len);
    *rest = view_from(*rest, word->len);
    return true;
}

/* Fills lines of at most COLUMNS, each after `prefix`. guard: written before a line that would start with a
 * dot or a quote, which mdoc takes for a macro. */
static void write_wrapped(struct writer *w, const char *text, const char *prefix, const char *guard) {
    struct view rest = view_text(text), word;
    size_t column = 0;
    while (next_word(&rest, &word)) {
        if (column > 0 && column + 1 + word.len > COLUMNS) {
            writer_u8(w, '\n');
            column = 0;
        }
        if (column == 0) {
            writer_text(w, prefix);
            column = strlen(prefix);
            if (word.at[0] == '.' || word.at[0] == '\'')
                writer_text(w, guard);
        } else {
            writer_u8(w, ' ');
            column++;
        }
        writer_bytes(w, word);
        column += word.len;
    }
    writer_u8(w, '\n');
}

static bool default_empty(const struct setting *setting) {
    return !setting->text[0] && setting->kind != SETTING_IS_DURATION && setting->kind != SETTING_IS_COUNT;
}

void settings_write_sample(struct writer *w) {
    writer_text(
        w, "# Configuration of sekisho, see sekisho.conf(5). Every setting stands here with its default.\n");
    for (size_t i = 0; i < SETTING_KEYS; i++) {
        const struct setting *setting = &setting_table[i];
        if (section_starts(i))
            writer_format(w, "\n[%s]\n", setting->section);
        writer_u8(w, '\n');
        write_wrapped(w, setting->doc, "# ", "");
        writer_format(w, "#%s =%s", setting->key, default_empty(setting) ? "" : " ");
        setting_write_default(w, setting);
        writer_u8(w, '\n');
    }
}

static const char *argument_name(const struct setting *setting) {
    switch (setting->kind) {
    case SETTING_IS_TEXT:
        return "text";
    case SETTING_IS_PATH:
        return "path";
    case SETTING_IS_DURATION:
        return "duration";
    case SETTING_IS_COUNT:
        return "number";
    case SETTING_IS_ADDRESSES:
    case SETTING_IS_LOOPBACK:
        return "address:port , ...";
    case SETTING_IS_RANGES:
        return "range , ...";
    case SETTING_IS_CHOICE:
        return "choice";
    }
    return "";
}

static void write_bounds(struct writer *w, const struct setting *setting) {
    if (setting->kind == SETTING_IS_DURATION) {
        writer_text(w, "From ");
        setting_write_duration(w, setting->min);
        writer_text(w, " to ");
        setting_write_duration(w, setting->max);
        writer_text(w, ".\n");
    } else if (setting->kind == SETTING_IS_COUNT)
        writer_format(w, "From %u to %u.\n", setting->min, setting->max);
    else if (setting->kind == SETTING_IS_CHOICE)
        writer_format(w, "One of: %s.\n", setting->choices);
}

static void write_item(struct writer *w, const struct setting *setting) {
    writer_format(w, ".It Ic %s No = Ar %s\n", setting->key, argument_name(setting));
    write_wrapped(w, setting->doc, "", "\\&");
    write_bounds(w, setting);
    if (default_empty(setting)) {
        writer_text(w, "By default empty.\n");
        return;
    }
    writer_text(w, "The default is\n.Ql ");
    setting_write_default(w, setting);
    writer_text(w, " .\n");
}

void settings_write_manual(struct writer *w) {
    for (size_t i = 0; i < SETTING_KEYS; i++) {
        if (section_starts(i))
            writer_format(w, ".Ss Section [%s]\n.Bl -tag -width Ds\n", setting_table[i].section);
        write_item(w, &setting_table[i]);
        if (i + 1 == SETTING_KEYS || section_starts(i + 1))
            writer_text(w, ".El\n");
    }
}
