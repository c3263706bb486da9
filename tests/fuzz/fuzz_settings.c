/* SPDX-License-Identifier: ISC
 *
 * The configuration's text. Whatever it is, the answer is settings within their bounds, or an error in words
 * with the line that is to blame.
 */
#include "settings.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition) {
    if (!condition)
        abort();
}

static int count_lines(struct view text) {
    int lines = text.len > 0;
    for (size_t i = 0; i + 1 < text.len; i++)
        lines += text.at[i] == '\n';
    return lines;
}

static void check_good(const struct settings *s) {
    must(s->listen.count >= 1 && s->listen.count <= SETTINGS_ADDRESSES_MAX);
    must(s->proxy_protocol_from.count <= RANGES_MAX);
    must(s->login_timeout >= 1000 && s->login_timeout <= 600000);
    must(s->max_connections >= 1 && s->cells_per_tenant <= 64);
    must(s->state_dir[0] == '/' && s->domain[0]);
    must(strcmp(s->min_version, "1.2") == 0 || strcmp(s->min_version, "1.3") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct settings settings;
    struct settings_error error;
    struct view text = view_of(data, size);
    if (settings_parse(text, "fuzz", &settings, &error)) {
        check_good(&settings);
        return 0;
    }
    must(error.text[0] && memchr(error.text, 0, sizeof error.text));
    must(error.line >= (size <= SETTINGS_TEXT_MAX) && error.line <= count_lines(text));
    for (const char *c = error.text; *c; c++)
        must((uint8_t)*c >= 0x20 && *c != 0x7F);
    return 0;
}
