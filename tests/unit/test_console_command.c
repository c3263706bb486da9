/* SPDX-License-Identifier: ISC
 *
 * Words, commands, courtesies and times, as people and drivers write them.
 */
#include "console_command.h"
#include "console_courtesy.h"
#include "console_time.h"
#include "console_words.h"

#include <criterion/criterion.h>
#include <string.h>

static struct console_command command;
static struct failure failure;

static bool parses(const char *sql) {
    return console_command_parse(view_text(sql), &command, &failure);
}

static bool value_is(enum console_argument a, const char *text) {
    return view_equal_text(console_command_value(&command, a), text);
}

Test(console_command, says_what_was_meant) {
    cr_assert(parses(" show /* all */ Grants -- please"));
    cr_assert_eq(command.verb, VERB_GRANTS);
    cr_assert(parses("SHOW GRANT '0123456789abcdef'"));
    cr_assert(command.verb == VERB_GRANT && value_is(ARGUMENT_ID, "0123456789abcdef"));
    cr_assert(parses("SHOW AUDIT LIMIT 20 FROM '2026-11-24' SESSION 'ab'"));
    cr_assert(value_is(ARGUMENT_LIMIT, "20") && value_is(ARGUMENT_FROM, "2026-11-24"));
    cr_assert(!console_command_has(&command, ARGUMENT_TO));
    cr_assert(parses("approve 'it''s\nso' E'a\\\\b\\'c'"));
    cr_assert(value_is(ARGUMENT_BODY, "it's\nso") && value_is(ARGUMENT_SIGNATURE, "a\\b'c"));
}

Test(console_command, refuses_with_how_it_goes) {
    static const struct {
        const char *sql, *sqlstate;
    } bad[] = {
        {"", "0A000"},
        {"SELECT * FROM pg_class", "0A000"},
        {"SHOW", "0A000"},
        {"SHOW GRANT", "42601"},
        {"SHOW GRANT x", "42601"},
        {"SHOW GRANT 'a' 'b'", "42601"},
        {"SHOW GRANTS LIMIT 1", "42601"},
        {"SHOW AUDIT LIMIT 1 LIMIT 2", "42601"},
        {"SHOW AUDIT LIMIT", "42601"},
        {"APPROVE 'a'", "42601"},
        {"APPROVE 'a", "42601"},
        {"APPROVE 'a' E'\\n'", "42601"},
        {"SHOW GRANT $0", "42P02"},
        {"SHOW GRANT $99", "42P02"},
        {"SHOW GRANTS /*", "42601"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_expect(!parses(bad[i].sql), "%s", bad[i].sql);
        cr_expect_str_eq(failure.sqlstate, bad[i].sqlstate, "%s: %s", bad[i].sql, failure.sqlstate);
        cr_expect(failure.hint[0], "%s", bad[i].sql);
    }
}

Test(console_command, a_text_too_long_does_not_fit_and_nothing_is_cut) {
    static char sql[2 * CONSOLE_VALUES_ROOM];
    memset(sql, 'x', sizeof sql - 1);
    memcpy(sql, "SHOW GRANT '", 12);
    sql[sizeof sql - 2] = '\'';
    cr_assert(!parses(sql));
    cr_assert_str_eq(failure.sqlstate, "54000");
    cr_assert(parses("SHOW GRANT $2"));
    cr_assert_eq(command.parameters, 2);
    cr_assert(!console_command_bind(&command, 2, view_of(sql, sizeof sql - 1), &failure));
    cr_assert(console_command_bind(&command, 1, view_text("unused"), &failure));
    cr_assert(console_command_bind(&command, 2, view_text("id"), &failure));
    cr_assert(value_is(ARGUMENT_ID, "id"));
}

Test(console_command, every_command_is_declared_whole) {
    for (int v = VERB_NONE + 1; v < VERB_COUNT; v++) {
        const struct console_declaration *d = console_declaration((enum console_verb)v);
        struct view name[CONSOLE_COLUMNS_MAX];
        size_t columns = console_columns(d->columns, name), commas = 0;
        for (const char *c = d->columns; *c; c++)
            commas += *c == ',';
        cr_expect(d->who && d->words && d->summary);
        cr_expect_eq(columns, commas + 1, "%s", d->words);
    }
}

Test(console_words, statements_are_parted_where_they_end) {
    struct view rest = view_text(";; a ';' /* ; */ \";\" ; b;"), one;
    cr_assert(words_statement(&rest, &one) && view_equal_text(one, " a ';' /* ; */ \";\""));
    cr_assert(words_statement(&rest, &one) && view_equal_text(one, " b"));
    cr_assert(!words_statement(&rest, &one));
    rest = view_text("a 'not ended; b");
    cr_assert(words_statement(&rest, &one) && view_equal_text(one, "a 'not ended; b"));
    cr_assert(!words_statement(&rest, &one));
}

static struct courtesy courtesy(const char *sql) {
    struct courtesy c;
    courtesy_of(view_text(sql), "dana", &c);
    return c;
}

Test(console_courtesy, knows_what_drivers_say_and_leaves_the_rest) {
    cr_expect_eq(courtesy("SET extra_float_digits = 3").kind, COURTESY_TAG);
    cr_expect_str_eq(courtesy("SET extra_float_digits = 3").tag, "SET");
    cr_expect_eq(courtesy("begin isolation level serializable").kind, COURTESY_BEGIN);
    cr_expect_eq(courtesy("END").kind, COURTESY_COMMIT);
    cr_expect_eq(courtesy("END 'a' 'b'").kind, COURTESY_NONE);
    cr_expect_eq(courtesy("Select  1").kind, COURTESY_ROW);
    cr_expect_str_eq(courtesy("select current_user").value, "dana");
    cr_expect_str_eq(courtesy("SHOW TRANSACTION ISOLATION LEVEL").value, "read committed");
    cr_expect_str_eq(courtesy("DEALLOCATE \"_pg3_0\"").value, "_pg3_0");
    cr_expect_eq(courtesy("DEALLOCATE ALL").value[0], 0);
    cr_expect_str_eq(courtesy("DEALLOCATE ALL").tag, "DEALLOCATE ALL");
    cr_expect_eq(courtesy("SELECT 2").kind, COURTESY_NONE);
    cr_expect_eq(courtesy("settle").kind, COURTESY_NONE);
    cr_expect_eq(courtesy("SELECT 'open").kind, COURTESY_NONE);
}

static bool time_is(const char *text, int64_t expected) {
    int64_t us;
    return console_time_parse(view_text(text), &us) && us == expected;
}

Test(console_time, moments_as_people_and_logs_write_them) {
    int64_t us;
    cr_expect(time_is("1970-01-02", 86400000000));
    cr_expect(time_is("1970-01-01T00:00:01Z", 1000000));
    cr_expect(time_is("1970-01-01 09:00:00+09:00", 0));
    cr_expect(time_is("1970-01-01T09:00:00.123+09:00", 123000));
    static const char *const bad[] = {"",
                                      "1970",
                                      "1970-01-01T00:00:00",
                                      "1970-01-01T00:00:00.Z",
                                      "1970-13-01",
                                      "1970-01-01x00:00:00Z",
                                      "1970-01-01T00:00:00Zz",
                                      "yesterday"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect(!console_time_parse(view_text(bad[i]), &us), "%s", bad[i]);
}
