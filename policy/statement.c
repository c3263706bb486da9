/* SPDX-License-Identifier: ISC
 *
 * A statement's text, both ways, from one table of lines. What parses is composed again and compared, so
 * there is exactly one text for a meaning: nothing can be hidden in spelling. Strangers' bytes arrive here
 * (the console's, the store's). Pure.
 */
#include "statement.h"
#include "magic.h"
#include "text.h"
#include "trust.h"

#include <stdio.h>
#include <string.h>

#define FIRST_LINE "sekisho-statement 1"
#define LINES_MAX 8
#define HEAD_LINES 6 /* the keys up to KEY_AT */
#define DURATION_MOST 604800
#define APPROVALS_MOST 9

/* How a line's value is read and written; `at` is the member in struct statement, `size` its size. */
struct form {
    bool (*read)(struct view v, void *at, size_t size);
    void (*write)(struct writer *w, const void *at);
};

struct sort {
    const char *name;
    unsigned signers;
    enum statement_key line[LINES_MAX]; /* KEY_KIND (0) behind the last */
};

static const struct sort sorts[STATEMENT_KINDS] = {
#define STATEMENT(code, name, signers, ...) [STATEMENT_##code] = {name, signers, {__VA_ARGS__}},
#include "statements.def"
};
static const char *const key_names[KEY_COUNT] = {
#define STATEMENT_KEY(code, name) [KEY_##code] = name,
#include "statements.def"
};

unsigned statement_signers(enum statement_kind kind) {
    assert(kind > STATEMENT_NONE && kind < STATEMENT_KINDS);
    return sorts[kind].signers;
}

const char *statement_kind_name(enum statement_kind kind) {
    assert(kind > STATEMENT_NONE && kind < STATEMENT_KINDS);
    return sorts[kind].name;
}

bool statement_kind_by_name(struct view name, enum statement_kind *out) {
    for (int i = STATEMENT_NONE + 1; i < STATEMENT_KINDS; i++)
        if (view_equal_text(name, sorts[i].name)) {
            *out = (enum statement_kind)i;
            return true;
        }
    *out = STATEMENT_NONE;
    return false;
}

bool statement_has(enum statement_kind kind, enum statement_key key) {
    assert(kind > STATEMENT_NONE && kind < STATEMENT_KINDS);
    for (size_t i = 0; i < LINES_MAX && sorts[kind].line[i] != KEY_KIND; i++)
        if (sorts[kind].line[i] == key)
            return true;
    return key < HEAD_LINES;
}

/* --- forms --- */

static bool read_kind(struct view v, void *at, size_t size) {
    return statement_kind_by_name(v, at);
}
static void write_kind(struct writer *w, const void *at) {
    writer_text(w, statement_kind_name(*(const enum statement_kind *)at));
}

static bool environment_valid(struct view v) {
    for (size_t i = 0; i < v.len; i++) {
        uint8_t c = v.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (i == 0 || (c != '-' && c != '_' && c != '.')))
            return false;
    }
    return v.len > 0;
}
static bool read_environment(struct view v, void *at, size_t size) {
    return environment_valid(v) && view_copy_text(v, at, size);
}
static void write_plain(struct writer *w, const void *at) {
    writer_text(w, at);
}

static bool read_tenant(struct view v, void *at, size_t size) {
    if (view_equal_text(v, "-"))
        return view_copy_text(view_text(""), at, size);
    return tenant_id_valid(v) && view_copy_text(v, at, size);
}
static void write_tenant(struct writer *w, const void *at) {
    const char *tenant = at;
    writer_text(w, tenant[0] ? tenant : "-");
}

static bool read_person(struct view v, void *at, size_t size) {
    return person_valid(v) && view_copy_text(v, at, size);
}

static bool short_valid(struct view v) {
    for (size_t i = 0; i < v.len; i++)
        if (!((v.at[i] >= '0' && v.at[i] <= '9') || (v.at[i] >= 'a' && v.at[i] <= 'f')))
            return false;
    return v.len == GRANT_ID;
}
static bool read_short(struct view v, void *at, size_t size) {
    return short_valid(v) && view_copy_text(v, at, size);
}

static bool read_instant(struct view v, void *at, size_t size) {
    return instant_parse(v, at);
}
static void write_instant(struct writer *w, const void *at) {
    instant_write(w, *(const int64_t *)at);
}

static bool read_words(struct view v, void *at, size_t size) {
    return statement_words(v, size - 1) && view_copy_text(v, at, size);
}

static bool read_reason_code(struct view v, void *at, size_t size) {
    return reason_code_by_name(v, at);
}
static void write_reason_code(struct writer *w, const void *at) {
    writer_text(w, reason_code_name(*(const enum reason_code *)at));
}

static bool read_class(struct view v, void *at, size_t size) {
    return class_by_name(v, at);
}
static void write_class(struct writer *w, const void *at) {
    writer_text(w, class_name(*(const enum grant_class *)at));
}

static bool read_scope(struct view v, void *at, size_t size) {
    return scope_by_name(v, at);
}
static void write_scope(struct writer *w, const void *at) {
    writer_text(w, scope_name(*(const enum scope *)at));
}

static bool read_databases(struct view v, void *at, size_t size) {
    return databases_valid(v) && view_copy_text(v, at, size);
}

static bool read_digest(struct view v, void *at, size_t size) {
    return text_unhex(v, at, STATEMENT_DIGEST);
}
static void write_digest(struct writer *w, const void *at) {
    text_hex(w, view_of(at, STATEMENT_DIGEST));
}

static bool read_verdict(struct view v, void *at, size_t size) {
    return verdict_by_name(v, at);
}
static void write_verdict(struct writer *w, const void *at) {
    writer_text(w, verdict_name(*(const enum review_verdict *)at));
}

static bool read_days(struct view v, void *at, size_t size) {
    return days_parse(v, at);
}
static void write_days(struct writer *w, const void *at) {
    static const char names[] = "montuewedthufrisatsun";
    uint8_t days = *(const uint8_t *)at;
    bool comma = false;
    for (size_t i = 0; i < 7; i++)
        if (days & 1u << i) {
            writer_format(w, "%s%.3s", comma ? "," : "", names + 3 * i);
            comma = true;
        }
}

static bool read_minute(struct view v, void *at, size_t size) {
    return minute_parse(v, at);
}
static void write_minute(struct writer *w, const void *at) {
    unsigned minute = *(const uint16_t *)at;
    writer_format(w, "%02u:%02u", minute / 60, minute % 60);
}

static bool read_zone(struct view v, void *at, size_t size) {
    return clock_parse_offset(v, at);
}
static void write_zone(struct writer *w, const void *at) {
    int zone = *(const int *)at, minutes = zone < 0 ? -zone : zone;
    if (zone == 0)
        writer_text(w, "Z");
    else
        writer_format(w, "%c%02d:%02d", zone < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

static bool read_number(struct view v, void *at, size_t size) {
    uint64_t n;
    if (!text_number(v, 0, DURATION_MOST, &n))
        return false;
    *(uint32_t *)at = (uint32_t)n;
    return true;
}
static void write_number(struct writer *w, const void *at) {
    writer_format(w, "%u", *(const uint32_t *)at);
}

static bool read_consent(struct view v, void *at, size_t size) {
    return consent_by_name(v, at);
}
static void write_consent(struct writer *w, const void *at) {
    writer_text(w, consent_name(*(const enum consent *)at));
}

static bool read_object(struct view v, void *at, size_t size) {
    return lock_object_by_name(v, at);
}
static void write_object(struct writer *w, const void *at) {
    writer_text(w, lock_object_name(*(const enum lock_object *)at));
}

static const struct form as_kind = {read_kind, write_kind}, as_environment = {read_environment, write_plain},
                         as_tenant = {read_tenant, write_tenant}, as_person = {read_person, write_plain},
                         as_short = {read_short, write_plain}, as_instant = {read_instant, write_instant},
                         as_words = {read_words, write_plain},
                         as_reason_code = {read_reason_code, write_reason_code},
                         as_class = {read_class, write_class}, as_scope = {read_scope, write_scope},
                         as_databases = {read_databases, write_plain},
                         as_digest = {read_digest, write_digest}, as_verdict = {read_verdict, write_verdict},
                         as_days = {read_days, write_days}, as_minute = {read_minute, write_minute},
                         as_zone = {read_zone, write_zone}, as_number = {read_number, write_number},
                         as_consent = {read_consent, write_consent}, as_object = {read_object, write_object};

#define MEMBER(member) offsetof(struct statement, member), sizeof((struct statement *)0)->member
static const struct {
    const struct form *form;
    size_t offset, size;
} lines[KEY_COUNT] = {
    [KEY_KIND] = {&as_kind, MEMBER(kind)},
    [KEY_ENVIRONMENT] = {&as_environment, MEMBER(environment)},
    [KEY_TENANT] = {&as_tenant, MEMBER(tenant)},
    [KEY_SIGNER] = {&as_person, MEMBER(signer)},
    [KEY_KEY] = {&as_short, MEMBER(key)},
    [KEY_AT] = {&as_instant, MEMBER(at)},
    [KEY_TICKET] = {&as_words, MEMBER(ticket)},
    [KEY_REASON] = {&as_words, MEMBER(reason)},
    [KEY_REASON_CODE] = {&as_reason_code, MEMBER(reason_code)},
    [KEY_CLASS] = {&as_class, MEMBER(class)},
    [KEY_SCOPE] = {&as_scope, MEMBER(scope)},
    [KEY_DATABASES] = {&as_databases, MEMBER(databases)},
    [KEY_NOT_BEFORE] = {&as_instant, MEMBER(not_before)},
    [KEY_NOT_AFTER] = {&as_instant, MEMBER(not_after)},
    [KEY_REQUEST] = {&as_digest, MEMBER(about)},
    [KEY_VERDICT] = {&as_verdict, MEMBER(verdict)},
    [KEY_COMMENT] = {&as_words, MEMBER(comment)},
    [KEY_DAYS] = {&as_days, MEMBER(days)},
    [KEY_FROM] = {&as_minute, MEMBER(from)},
    [KEY_TO] = {&as_minute, MEMBER(to)},
    [KEY_ZONE] = {&as_zone, MEMBER(zone)},
    [KEY_MAX_DURATION] = {&as_number, MEMBER(max_duration)},
    [KEY_STANDING] = {&as_digest, MEMBER(about)},
    [KEY_CONSENT] = {&as_consent, MEMBER(consent)},
    [KEY_PROVIDER_APPROVALS] = {&as_number, MEMBER(provider_approvals)},
    [KEY_EMERGENCY_SCOPE] = {&as_scope, MEMBER(emergency_scope)},
    [KEY_OBJECT] = {&as_object, MEMBER(object)},
    [KEY_NAME] = {&as_person, MEMBER(name)},
    [KEY_LOCK] = {&as_digest, MEMBER(about)},
};

/* --- the whole --- */

/* The key of the n-th line behind the first; false behind the last. */
static bool line_at(enum statement_kind kind, size_t n, enum statement_key *out) {
    if (n < HEAD_LINES) {
        *out = (enum statement_key)n;
        return true;
    }
    if (n - HEAD_LINES >= LINES_MAX)
        return false;
    *out = sorts[kind].line[n - HEAD_LINES];
    return *out != KEY_KIND;
}

static const char *check_lock(const struct statement *s) {
    if (s->object == LOCK_TENANT && strcmp(s->name, s->tenant) != 0)
        return "a lock of a tenant names that tenant twice";
    if (s->object == LOCK_GRANT && !short_valid(view_text(s->name)))
        return "the name of a locked grant is its 16 hexadecimal digits";
    return NULL;
}

/* What no single line can say. NULL when it fits. */
static const char *check_whole(const struct statement *s) {
    bool whole_provider =
        (s->kind == STATEMENT_LOCK && s->object == LOCK_OPERATOR) || s->kind == STATEMENT_UNLOCK;
    if (!s->tenant[0] && !whole_provider)
        return "it has to name a tenant";
    if (statement_has(s->kind, KEY_NOT_BEFORE) && s->not_before >= s->not_after)
        return "it ends before it begins";
    if (s->kind == STATEMENT_STANDING && s->max_duration == 0)
        return "max-duration is 0";
    if (s->kind == STATEMENT_POLICY && s->provider_approvals > APPROVALS_MOST)
        return "provider-approvals is above 9";
    return s->kind == STATEMENT_LOCK ? check_lock(s) : NULL;
}

static bool refuse(char why[STATEMENT_WHY], const char *what, const char *detail) {
    snprintf(why, STATEMENT_WHY, "%s%s", what, detail);
    return false;
}

/* Takes a line without its newline from *rest. */
static bool next_line(struct view *rest, struct view *line) {
    const uint8_t *end = rest->len ? memchr(rest->at, '\n', rest->len) : NULL;
    if (!end)
        return false;
    *line = view_of(rest->at, (size_t)(end - rest->at));
    *rest = view_from(*rest, line->len + 1);
    return true;
}

static bool read_line(struct view line, enum statement_key key, struct statement *out) {
    size_t len = strlen(key_names[key]);
    if (!view_starts(line, key_names[key]) || !view_starts(view_from(line, len), ": "))
        return false;
    return lines[key].form->read(view_from(line, len + 2), (uint8_t *)out + lines[key].offset,
                                 lines[key].size);
}

static bool read_all(struct view text, struct statement *out, char why[STATEMENT_WHY]) {
    struct view line;
    enum statement_key key;
    if (!next_line(&text, &line) || !view_equal_text(line, FIRST_LINE))
        return refuse(why, "the first line is not ", FIRST_LINE);
    for (size_t n = 0; line_at(out->kind, n, &key); n++)
        if (!next_line(&text, &line) || !read_line(line, key, out))
            return refuse(why, "missing or not good: ", key_names[key]);
    return text.len == 0 || refuse(why, "there is more behind the last line", "");
}

static void write_all(const struct statement *s, struct writer *w) {
    enum statement_key key;
    writer_text(w, FIRST_LINE "\n");
    for (size_t n = 0; line_at(s->kind, n, &key); n++) {
        writer_format(w, "%s: ", key_names[key]);
        lines[key].form->write(w, (const uint8_t *)s + lines[key].offset);
        writer_text(w, "\n");
    }
}

bool statement_parse(struct view text, struct statement *out, char why[STATEMENT_WHY]) {
    uint8_t room[STATEMENT_MAX];
    struct writer again = writer_of(room, sizeof room);
    memset(out, 0, sizeof *out);
    why[0] = 0;
    if (text.len > STATEMENT_MAX)
        return refuse(why, "it is longer than 4096 bytes", "");
    if (!read_all(text, out, why))
        return false;
    const char *bad = check_whole(out);
    if (bad)
        return refuse(why, bad, "");
    write_all(out, &again);
    if (!view_equal(text, writer_view(&again)))
        return refuse(why, "a value is not spelled as it has to be", "");
    out->magic = STATEMENT_MAGIC;
    return true;
}

/* In the ranges that the words' names assert. */
static bool enums_valid(const struct statement *s) {
    return s->kind > STATEMENT_NONE && s->kind < STATEMENT_KINDS &&
           (!statement_has(s->kind, KEY_REASON_CODE) || s->reason_code != REASON_NONE) &&
           (!statement_has(s->kind, KEY_CLASS) || s->class != CLASS_NONE) &&
           (!statement_has(s->kind, KEY_VERDICT) || s->verdict != REVIEW_NONE) &&
           (!statement_has(s->kind, KEY_CONSENT) || s->consent != CONSENT_NONE) &&
           (!statement_has(s->kind, KEY_OBJECT) || s->object != LOCK_NONE);
}

bool statement_compose(const struct statement *s, struct writer *w, char why[STATEMENT_WHY]) {
    uint8_t room[STATEMENT_MAX];
    struct writer text = writer_of(room, sizeof room);
    struct statement again;
    if (!enums_valid(s))
        return refuse(why, "the kind or a choice is missing", "");
    write_all(s, &text);
    if (text.bad)
        return refuse(why, "it is longer than 4096 bytes, or a time is out of range", "");
    if (!statement_parse(writer_view(&text), &again, why))
        return false;
    writer_bytes(w, writer_view(&text));
    return !w->bad || refuse(why, "there is no room for it", "");
}

void statement_short(const uint8_t digest[STATEMENT_DIGEST], char out[GRANT_ID + 1]) {
    struct writer w = writer_of(out, GRANT_ID);
    text_hex(&w, view_of(digest, GRANT_ID / 2));
    out[GRANT_ID] = 0;
}

void statement_digest_text(const uint8_t digest[STATEMENT_DIGEST], char out[2 * STATEMENT_DIGEST + 1]) {
    struct writer w = writer_of(out, 2 * STATEMENT_DIGEST);
    text_hex(&w, view_of(digest, STATEMENT_DIGEST));
    out[2 * STATEMENT_DIGEST] = 0;
}
