/* SPDX-License-Identifier: ISC
 *
 * Fuzzes statistics pages as a hostile cell may write them: two pages of one tenant on each plane. Every line
 * of the text is whole and says nothing of another tenant or of the node.
 */
#include "stats_series.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(void *arg, struct view line) {
    char text[1024];
    assert(line.len > 1 && line.at[line.len - 1] == '\n');
    assert(view_copy_text(line, text, sizeof text));
    assert(strncmp(text, "# HELP sekisho_", 15) == 0 ||
           (strncmp(text, "sekisho_", 8) == 0 && strstr(text, "{tenant=\"acme\",plane=\"")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint64_t pages[2][STATS_WORDS];
    static struct stats_series all[2];
    static const struct stats_told told = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
    memset(pages, 0, sizeof pages);
    memcpy(pages, data, size < sizeof pages ? size : sizeof pages);
    stats_series_begin(&all[0], STATS_CELL, "acme");
    stats_series_begin(&all[1], STATS_OPERATOR, "acme");
    for (int i = 0; i < 4; i++)
        stats_series_add(&all[i % 2], pages[i / 2], &told);
    stats_write(all, 2, INT64_MAX, check_line, NULL);
    return 0;
}
