/* SPDX-License-Identifier: ISC
 *
 * Statistics: what is counted lands in the page, what is in a hostile page harms nobody else, and the text is
 * Prometheus's.
 */
#include "page.h"
#include "stats_series.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t page[STATS_WORDS];
static struct stats_series series[3];
static const struct stats_told alive = {.alive = 1, .starts = 3, .crashes = 1};

static void begin(void) {
    stats_begin(page);
}

TestSuite(stats, .init = begin);

Test(stats, numbers_do_not_overlap) {
    size_t next = 0;
    for (size_t i = 0; i < stats_count(); i++) {
        cr_assert_eq((size_t)stats_number(i)->at, next, "%s", stats_number(i)->name);
        next += stats_number(i)->words;
    }
    cr_assert_leq(next, STATS_WORDS);
}

Test(stats, a_number_goes_up_and_down) {
    stats_add(STATS_SESSIONS_OPEN, 3);
    stats_sub(STATS_SESSIONS_OPEN, 1);
    stats_set(STATS_LISTENERS, 7);
    cr_assert_eq(page[STATS_SESSIONS_OPEN], 2);
    cr_assert_eq(page[STATS_LISTENERS], 7);
}

Test(stats, a_time_falls_into_its_bucket) {
    static const struct {
        int64_t us;
        size_t bucket;
    } cases[] = {{-1, 0}, {0, 0}, {100, 0}, {101, 1}, {1000, 3}, {1001, 4}, {30000000, 16}, {30000001, 17}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memset(page, 0, sizeof page);
        stats_time(STATS_LOGIN_TIME, cases[i].us);
        for (size_t b = 0; b < STATS_BUCKETS; b++)
            cr_assert_eq(page[STATS_LOGIN_TIME + b], b == cases[i].bucket, "%lld", (long long)cases[i].us);
        cr_assert_eq(page[STATS_LOGIN_TIME + STATS_BUCKETS], cases[i].us > 0 ? (uint64_t)cases[i].us : 0);
    }
}

Test(stats, pages_of_one_tenant_are_summed) {
    stats_series_begin(&series[0], STATS_CELL, "acme");
    stats_add(STATS_REFUSED + STATS_REFUSAL_LIMIT, 2);
    stats_add(STATS_REFUSED + STATS_REFUSAL_TLS, 1);
    stats_series_add(&series[0], page, &alive);
    stats_series_add(&series[0], page, &alive);
    cr_assert_eq(stats_series_sum(&series[0], STATS_REFUSED), 6);
    cr_assert_eq(stats_series_sum(&series[0], STATS_CELLS_ALIVE), 2);
    cr_assert_eq(stats_series_sum(&series[0], STATS_CELL_STARTS), 6);
}

Test(stats, what_a_cell_writes_counts_for_nothing_but_its_own) {
    memset(page, 0xff, sizeof page);
    stats_series_begin(&series[0], STATS_CELL, "acme");
    for (int i = 0; i < 3000; i++) /* sums would wrap */
        stats_series_add(&series[0], page, &alive);
    for (size_t i = 0; i < stats_count(); i++) {
        const struct stats_number *n = stats_number(i);
        bool own = n->writers & STATS_CELL && !(n->writers & STATS_TOLD);
        for (size_t w = n->at; own && w < n->at + n->words; w++)
            cr_assert_geq(series[0].word[w], STATS_MOST);
        if (!(n->writers & STATS_CELL) && !(n->writers & STATS_TOLD))
            cr_assert_eq(stats_series_sum(&series[0], n->at), 0, "%s is not a cell's to say", n->name);
    }
    cr_assert_eq(stats_series_sum(&series[0], STATS_CELL_CRASHES), 3000,
                 "the supervisor's word, not the page's");
    cr_assert_eq(series[0].word[STATS_RECEIVED], UINT64_MAX, "full, and not begun anew");
}

static char text[65536];
static size_t text_len;

static void take_line(void *arg, struct view line) {
    cr_assert_lt(text_len + line.len, sizeof text);
    memcpy(text + text_len, line.at, line.len);
    text_len += line.len;
    text[text_len] = 0;
}

static void has(const char *lines) {
    cr_assert(strstr(text, lines), "no\n%s\nin\n%s", lines, text);
}

Test(stats, the_text_is_prometheuss) {
    stats_series_begin(&series[0], STATS_BROKER, "");
    stats_set(STATS_DIRECTORY_SEEN, 1000000);
    stats_series_add(&series[0], page, &alive);
    memset(page, 0, sizeof page);
    stats_series_begin(&series[1], STATS_CELL, "acme");
    stats_time(STATS_LOGIN_TIME, 900);
    stats_time(STATS_LOGIN_TIME, 1500000);
    stats_add(STATS_CLOSED + STATS_CLOSE_IDLE, 4);
    stats_series_add(&series[1], page, &alive);
    stats_series_begin(&series[2], STATS_OPERATOR, "acme");
    stats_series_add(&series[2], page, &alive);
    stats_write(series, 3, 3500000, take_line, NULL);
    has("# HELP sekisho_directory_age_seconds Since the control store was last read.\n"
        "# TYPE sekisho_directory_age_seconds gauge\nsekisho_directory_age_seconds 2.500000\n# HELP ");
    has("# TYPE sekisho_login_seconds histogram\n"
        "sekisho_login_seconds_bucket{tenant=\"acme\",plane=\"tenants\",le=\"0.0001\"} 0\n");
    has("le=\"0.0005\"} 0\nsekisho_login_seconds_bucket{tenant=\"acme\",plane=\"tenants\",le=\"0.001\"} 1\n");
    has("le=\"1.0\"} 1\nsekisho_login_seconds_bucket{tenant=\"acme\",plane=\"tenants\",le=\"2.5\"} 2\n");
    has("le=\"+Inf\"} 2\nsekisho_login_seconds_sum{tenant=\"acme\",plane=\"tenants\"} 1.500900\n"
        "sekisho_login_seconds_count{tenant=\"acme\",plane=\"tenants\"} 2\n");
    has("# TYPE sekisho_sessions_closed_total counter\n"
        "sekisho_sessions_closed_total{tenant=\"acme\",plane=\"tenants\",reason=\"idle timeout\"} 4\n"
        "sekisho_sessions_closed_total{tenant=\"acme\",plane=\"operators\",reason=\"idle timeout\"} 4\n# "
        "HELP");
    has("sekisho_process_restarts_total{process=\"broker\"} 2\n");
    cr_assert(!strstr(text, "sekisho_process_up{tenant"));
}

Test(stats, a_directory_from_the_future_is_new) {
    stats_series_begin(&series[0], STATS_BROKER, "");
    stats_set(STATS_DIRECTORY_SEEN, UINT64_MAX);
    stats_series_add(&series[0], page, &alive);
    stats_write(series, 1, 1, take_line, NULL);
    has("\nsekisho_directory_age_seconds 0.000000\n");
}

Test(stats, who_reads_a_page_cannot_write_it_and_nobody_can_cut_it) {
    int fd;
    uint64_t *words;
    cr_assert(page_new(&fd, &words));
    int reader = page_reader(fd);
    cr_assert_geq(reader, 0);
    cr_assert_eq(write(reader, "x", 1), -1);
    cr_assert_eq(mmap(NULL, STATS_PAGE, PROT_WRITE, MAP_SHARED, reader, 0), MAP_FAILED);
    cr_assert(ftruncate(fd, 0) == -1 && errno == EPERM);
    const uint64_t *seen = page_map(reader);
    cr_assert(seen);
    cr_assert_eq(mprotect((void *)(uintptr_t)seen, STATS_PAGE, PROT_READ | PROT_WRITE), -1);
    words[5] = 42;
    cr_assert_eq(seen[5], 42);
    page_unmap(&seen);
    page_end(&fd, &words);
    cr_assert(!seen && !words && fd == -1);
}

Test(stats, what_is_no_page_is_not_mapped) {
    int fd = memfd_create("short", MFD_CLOEXEC);
    cr_assert_null(page_map(fd), "reading it would be our end");
}
