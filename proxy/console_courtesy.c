/* SPDX-License-Identifier: ISC
 *
 * See console_courtesy.h.
 */
#include "console_courtesy.h"
#include "console_words.h"

#include <stdio.h>
#include <string.h>

#define PLAIN_MAX 1024

/* Beginnings that are whole words. */
static const struct {
    const char *start;
    enum courtesy_kind kind;
    const char *tag;
} tags[] = {
    {"set", COURTESY_TAG, "SET"},
    {"reset", COURTESY_TAG, "RESET"},
    {"discard all", COURTESY_FORGET, "DISCARD ALL"},
    {"deallocate", COURTESY_FORGET, "DEALLOCATE"},
    {"begin", COURTESY_BEGIN, "BEGIN"},
    {"start transaction", COURTESY_BEGIN, "START TRANSACTION"},
    {"commit", COURTESY_COMMIT, "COMMIT"},
    {"rollback", COURTESY_ROLLBACK, "ROLLBACK"},
    {"abort", COURTESY_ROLLBACK, "ROLLBACK"},
};

/* Whole statements: END with texts behind it is a command of ours. */
static const struct {
    const char *plain;
    const char *column;
    const char *value; /* NULL: the user */
    bool number;
} rows[] = {
    {"select 1", "?column?", "1", true},
    {"select version()", "version", "PostgreSQL " CONSOLE_VERSION, false},
    {"select pg_catalog.version()", "version", "PostgreSQL " CONSOLE_VERSION, false},
    {"select current_database()", "current_database", CONSOLE_DATABASE_NAME, false},
    {"select pg_catalog.current_database()", "current_database", CONSOLE_DATABASE_NAME, false},
    {"select current_schema()", "current_schema", "public", false},
    {"select pg_catalog.current_schema()", "current_schema", "public", false},
    {"select current_user", "current_user", NULL, false},
    {"select session_user", "session_user", NULL, false},
    {"select pg_catalog.set_config('search_path','',false)", "set_config", "", false},
    {"show transaction_isolation", "transaction_isolation", "read committed", false},
    {"show transaction isolation level", "transaction_isolation", "read committed", false},
    {"show default_transaction_isolation", "default_transaction_isolation", "read committed", false},
    {"show transaction_read_only", "transaction_read_only", "off", false},
    {"show default_transaction_read_only", "default_transaction_read_only", "off", false},
    {"show in_hot_standby", "in_hot_standby", "off", false},
    {"show server_version", "server_version", CONSOLE_VERSION, false},
    {"show server_version_num", "server_version_num", "150000", false},
    {"show server_encoding", "server_encoding", "UTF8", false},
    {"show client_encoding", "client_encoding", "UTF8", false},
    {"show standard_conforming_strings", "standard_conforming_strings", "on", false},
    {"show datestyle", "DateStyle", "ISO, MDY", false},
    {"show timezone", "TimeZone", "UTC", false},
    {"show time zone", "TimeZone", "UTC", false},
    {"show search_path", "search_path", "public", false},
    {"show max_identifier_length", "max_identifier_length", "63", false},
    {"show application_name", "application_name", "", false},
};

static bool begins(const char *plain, const char *start) {
    size_t n = strlen(start);
    return strncmp(plain, start, n) == 0 && (plain[n] == 0 || plain[n] == ' ' || plain[n] == '(');
}

/* "deallocate prepare name", "deallocate \"name\"", "deallocate all". */
static void name_forgotten(const char *plain, struct courtesy *out) {
    struct view rest = view_text(plain);
    word_next(&rest);
    struct word w = word_next(&rest);
    if (view_equal_text(w.text, "prepare"))
        w = word_next(&rest);
    bool all =
        strcmp(out->tag, "DISCARD ALL") == 0 || (w.kind == WORD_NAME && view_equal_text(w.text, "all"));
    if (!all && !view_copy_text(w.text, out->value, sizeof out->value))
        out->kind = COURTESY_NONE;
    if (all && out->tag[1] == 'E')
        out->tag = "DEALLOCATE ALL";
}

static bool find_row(const char *plain, const char *user, struct courtesy *out) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(plain, rows[i].plain) != 0)
            continue;
        out->kind = COURTESY_ROW;
        out->tag = plain[1] == 'e' ? "SELECT 1" : "SHOW";
        out->column = rows[i].column;
        out->number = rows[i].number;
        snprintf(out->value, sizeof out->value, "%s", rows[i].value ? rows[i].value : user);
        return true;
    }
    return false;
}

void courtesy_of(struct view sql, const char *user, struct courtesy *out) {
    char plain[PLAIN_MAX];
    struct writer w = writer_of(plain, sizeof plain);
    *out = (struct courtesy){.kind = COURTESY_NONE};
    if (!words_plain(sql, &w))
        return;
    writer_u8(&w, 0);
    if (w.bad || find_row(plain, user, out))
        return;
    if (strcmp(plain, "end") == 0 || strcmp(plain, "end transaction") == 0 ||
        strcmp(plain, "end work") == 0) {
        out->kind = COURTESY_COMMIT;
        out->tag = "COMMIT";
        return;
    }
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        if (!begins(plain, tags[i].start))
            continue;
        out->kind = tags[i].kind;
        out->tag = tags[i].tag;
        if (out->kind == COURTESY_FORGET)
            name_forgotten(plain, out);
        return;
    }
}
