/* SPDX-License-Identifier: ISC
 *
 * An administrator writes sekisho.conf, well and badly. The daemon's answer must name file, line and what it
 * expected.
 */
#include "settings.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct settings parsed;
static struct settings_error error;

static bool parse(const char *text) {
    return settings_parse(view_text(text), "sekisho.conf", &parsed, &error);
}

static void refused(const char *text, int line, const char *says) {
    cr_assert(!parse(text), "accepted: %s", text);
    cr_expect_str_eq(error.file, "sekisho.conf");
    cr_expect_eq(error.line, line, "line %d, not %d: %s", error.line, line, error.text);
    cr_expect(strstr(error.text, says), "\"%s\" does not say \"%s\"", error.text, says);
}

Test(settings, an_empty_file_means_every_default) {
    cr_assert(parse(""));
    cr_expect_str_eq(parsed.state_dir, "/var/lib/sekisho");
    cr_expect_eq(parsed.listen.count, 1);
    cr_expect_eq(parsed.listen.address[0].port, 5432);
    cr_expect_eq(parsed.proxy_protocol_from.count, 0);
    cr_expect_eq(parsed.login_timeout, 30000);
    cr_expect_eq(parsed.idle_timeout, 0);
    cr_expect_eq(parsed.max_connections, 10000);
    cr_expect_str_eq(parsed.min_version, "1.2");
    cr_expect_str_eq(parsed.time_zone, "+09:00");
}

Test(settings, what_is_written_replaces_the_default) {
    cr_assert(
        parse("# Tokyo\n[tenants]\nlisten = 192.0.2.1:5432, [2001:db8::1]:6432 ; both\ndomain=DB.Example.JP\n"
              "proxy_protocol_from = 10.0.0.0/8\n\n[timeouts]\r\nlogin_timeout = 5s\r\nidle_timeout = 0\n"
              "[tls]\nmin_version = 1.3\ntenant_dir =\n[limits]\n  max_greetings = 16"));
    cr_expect_eq(parsed.listen.count, 2);
    cr_expect_eq(parsed.listen.address[1].port, 6432);
    cr_expect_str_eq(parsed.domain, "db.example.jp", "names are compared in lower case");
    cr_expect_eq(parsed.proxy_protocol_from.count, 1);
    cr_expect_eq(parsed.login_timeout, 5000);
    cr_expect_str_eq(parsed.min_version, "1.3");
    cr_expect_eq(parsed.max_greetings, 16);
}

Test(settings, a_typing_mistake_is_told_what_would_be_right) {
    refused("[timeouts]\n\nlogin_timeuot = 5s\n", 3, "expected one of: login_timeout, connect_timeout");
    refused("[timeout]\nlogin_timeout = 5s\n", 1, "expected one of: paths, users, tenants, tls, timeouts");
    refused("\n[nothing here]\n", 2, "unknown section [nothing here]");
    refused("[]\n", 1, "unknown section []");
    refused("[tls]\nlogin_timeout = 5s\n", 2, "belongs into section [timeouts]");
    refused("login_timeout = 5s\n", 1, "belongs into section [timeouts]");
    refused("nonsense = 5s\n", 1, "expected a [section]");
}

Test(settings, a_bad_value_is_told_its_bounds) {
    refused("[timeouts]\nlogin_timeout = 5\n", 2,
            "expected a duration such as 30s between 1s and 10min, not \"5\"");
    refused("[timeouts]\nlogin_timeout = 11min\n", 2, "between 1s and 10min");
    refused("[timeouts]\nidle_timeout = 8d\n", 2, "between 0 and 7d");
    refused("[limits]\nmax_connections = 0\n", 2, "expected a whole number between 1 and 1000000");
    refused("[limits]\nmax_connections = 4294967297\n", 2, "expected a whole number");
    refused("[limits]\nmax_connections =\n", 2, "not \"\"");
    refused("[tls]\nmin_version = 1.1\n", 2, "expected one of: 1.2, 1.3");
    refused("[tls]\nmin_version = 1\n", 2, "expected one of");
    refused("[tenants]\nlisten = 192.0.2.1\n", 2, "with ports");
    refused("[tenants]\nlisten =\n", 2, "with ports");
    refused("[tenants]\nlisten = 192.0.2.1:1, 192.0.2.1:1\n", 2, "different addresses");
    refused("[tenants]\nproxy_protocol_from = 10.0.0.1/8\n", 2, "address ranges");
    refused("[tenants]\ndomain = db..example\n", 2, "expected a text such as db.example.com");
    refused("[paths]\nstate_dir = here\n", 2, "expected an absolute path");
    refused("[paths]\nstate_dir =\n", 2, "expected an absolute path");
    refused("[ledger]\ntime_zone = ../../etc/passwd\n", 2, "+09:00");
    refused("[ledger]\ntime_zone = +9\n", 2, "+09:00");
    refused("[ledger]\nclock_unsynchronised = ignore\n", 2, "expected one of: warn, refuse");
}

Test(settings, seventeen_listeners_are_one_too_many) {
    char text[1024] = "[tenants]\nlisten = 192.0.2.1:1";
    struct writer w = writer_of(text, sizeof text - 1);
    w.len = strlen(text);
    for (int i = 2; i <= SETTINGS_ADDRESSES_MAX; i++)
        writer_format(&w, ",192.0.2.1:%d", i);
    cr_assert(parse(text), "%s", error.text);
    cr_expect_eq(parsed.listen.count, SETTINGS_ADDRESSES_MAX);
    writer_text(&w, ",192.0.2.1:17");
    refused(text, 2, "1 to 16");
}

Test(settings, the_same_setting_twice_names_both_lines) {
    refused("[limits]\nmax_connections = 5\n\n[limits]\nmax_connections = 5\n", 5,
            "set twice, first in line 2");
}

Test(settings, lines_that_are_no_ini) {
    refused("[tls]\nwhat is this\n", 2, "expected \"setting = value\"");
    refused("[tls\n", 1, "expected a ']'");
    refused("[aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n", 1, "too long");
    cr_assert(!settings_parse(view_of("[tls]\n\0\n", 8), "sekisho.conf", &parsed, &error));
    cr_expect_eq(error.line, 2);
    cr_expect(strstr(error.text, "NUL"));
}

Test(settings, a_long_line_is_refused_never_cut) {
    char text[6000] = "[paths]\nstate_dir = /";
    struct writer w = writer_of(text, sizeof text - 1);
    w.len = strlen(text);
    while (w.len < 220)
        writer_u8(&w, 'x');
    cr_assert(parse(text), "%s", error.text);
    cr_expect_eq(strlen(parsed.state_dir), 220 - strlen("[paths]\nstate_dir = "),
                 "a line over inih's 200 is whole");
    while (w.len < 3000)
        writer_u8(&w, 'x');
    refused(text, 2, "expected an absolute path");
    while (w.len < 5500)
        writer_u8(&w, 'x');
    refused(text, 2, "longer than");
}

Test(settings, control_characters_do_not_reach_the_terminal) {
    refused("[tls]\n\x1b[31mred = 1\n", 2, "\"?[31mred\"");
}

Test(settings, a_missing_file_and_a_huge_one) {
    static char text[SETTINGS_TEXT_MAX + 1];
    size_t len;
    cr_assert(!settings_load("/nonexistent/sekisho.conf", &parsed, text, sizeof text, &len, &error));
    cr_expect_str_eq(error.file, "/nonexistent/sekisho.conf");
    cr_expect_eq(error.line, 0);
    cr_expect(strstr(error.text, "No such file"));
    cr_assert(!settings_load("/dev/zero", &parsed, text, sizeof text, &len, &error));
    cr_expect(strstr(error.text, "longer than 65535 bytes"));
    cr_assert(!settings_load("/", &parsed, text, sizeof text, &len, &error), "a folder is no file");
}

Test(settings, a_file_is_read_and_its_text_kept) {
    char path[] = "/tmp/sekisho-settings-XXXXXX";
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    const char *content = "[limits]\nmax_connections = 7\n";
    cr_assert_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
    char text[SETTINGS_TEXT_MAX + 1];
    size_t len;
    cr_expect(settings_load(path, &parsed, text, sizeof text, &len, &error), "%s", error.text);
    unlink(path);
    cr_expect_eq(parsed.max_connections, 7);
    cr_expect(view_equal_text(view_of(text, len), content));
}

/* The sample with every "#setting = value" made a setting. */
static size_t uncomment(char *text, size_t len) {
    size_t out = 0;
    for (size_t i = 0; i < len; i++) {
        bool starts = text[i] == '#' && (i == 0 || text[i - 1] == '\n') && i + 1 < len && text[i + 1] != ' ';
        if (!starts)
            text[out++] = text[i];
    }
    return out;
}

Test(settings, the_sample_says_the_defaults) {
    static char text[SETTINGS_TEXT_MAX];
    struct writer w = writer_of(text, sizeof text);
    settings_write_sample(&w);
    cr_assert(!w.bad);
    struct settings defaults;
    cr_assert(settings_parse(view_of("", 0), "", &defaults, &error));
    cr_assert(settings_parse(writer_view(&w), "sample", &parsed, &error), "%d: %s", error.line, error.text);
    cr_expect_eq(memcmp(&parsed, &defaults, sizeof parsed), 0);
    size_t len = uncomment(text, w.len);
    cr_expect_lt(len, w.len, "something was commented");
    cr_assert(settings_parse(view_of(text, len), "sample", &parsed, &error), "%d: %s", error.line,
              error.text);
    cr_expect_eq(memcmp(&parsed, &defaults, sizeof parsed), 0);
}

Test(settings, the_sample_and_the_manual_fit_a_page) {
    static char text[SETTINGS_TEXT_MAX];
    struct writer w = writer_of(text, sizeof text);
    settings_write_sample(&w);
    size_t sample = w.len;
    settings_write_manual(&w);
    cr_assert(!w.bad && w.len > sample);
    text[w.len] = 0;
    for (char *line = text; *line; line = strchr(line, '\n') + 1)
        cr_expect_leq(strcspn(line, "\n"), 100, "%.120s", line);
    cr_expect(strstr(text, "\n.It Ic login_timeout No = Ar duration\n"));
    cr_expect(strstr(text, "From 1s to 10min.\nThe default is\n.Ql 30s .\n"));
}
