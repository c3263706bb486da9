/* SPDX-License-Identifier: ISC
 *
 * The values that a statement's lines hold: words of closed lists, moments, days, names of databases, and
 * texts that people read before they sign (so nothing in them may be invisible). Strangers' bytes reach all
 * of it. Pure.
 */
#include "statement.h"
#include "text.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#define WORDS(list) (sizeof(list) / sizeof(list)[0])
#define DATABASE_NAME_MAX 63

static const char *const scopes[] = {"diagnose", "read", "write", "admin"};
static const char *const classes[] = {NULL, "support", "maintenance", "emergency"};
static const char *const reason_codes[] = {
    NULL, "customer-case", "provider-fault", "planned-maintenance", "security-incident", "legal-demand"};
static const char *const consents[] = {NULL, "required", "notify", "standing"};
static const char *const verdicts[] = {NULL, "reviewed", "disputed"};
static const char *const lock_objects[] = {NULL, "operator", "tenant", "grant"};
static const char *const week[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

/* The word's place in the list, or -1. */
static int find(struct view v, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (list[i] && view_equal_text(v, list[i]))
            return (int)i;
    return -1;
}

static const char *word(size_t i, const char *const *list, size_t count) {
    assert(i < count && list[i]);
    return list[i];
}

const char *scope_name(enum scope scope) {
    return word(scope, scopes, WORDS(scopes));
}
bool scope_by_name(struct view name, enum scope *out) {
    int i = find(name, scopes, WORDS(scopes));
    *out = i < 0 ? SCOPE_DIAGNOSE : (enum scope)i;
    return i >= 0;
}
const char *class_name(enum grant_class c) {
    return word(c, classes, WORDS(classes));
}
bool class_by_name(struct view name, enum grant_class *out) {
    int i = find(name, classes, WORDS(classes));
    *out = i < 0 ? CLASS_NONE : (enum grant_class)i;
    return i >= 0;
}
const char *reason_code_name(enum reason_code c) {
    return word(c, reason_codes, WORDS(reason_codes));
}
bool reason_code_by_name(struct view name, enum reason_code *out) {
    int i = find(name, reason_codes, WORDS(reason_codes));
    *out = i < 0 ? REASON_NONE : (enum reason_code)i;
    return i >= 0;
}
const char *consent_name(enum consent c) {
    return word(c, consents, WORDS(consents));
}
bool consent_by_name(struct view name, enum consent *out) {
    int i = find(name, consents, WORDS(consents));
    *out = i < 0 ? CONSENT_NONE : (enum consent)i;
    return i >= 0;
}
const char *verdict_name(enum review_verdict v) {
    return word(v, verdicts, WORDS(verdicts));
}
bool verdict_by_name(struct view name, enum review_verdict *out) {
    int i = find(name, verdicts, WORDS(verdicts));
    *out = i < 0 ? REVIEW_NONE : (enum review_verdict)i;
    return i >= 0;
}
const char *lock_object_name(enum lock_object o) {
    return word(o, lock_objects, WORDS(lock_objects));
}
bool lock_object_by_name(struct view name, enum lock_object *out) {
    int i = find(name, lock_objects, WORDS(lock_objects));
    *out = i < 0 ? LOCK_NONE : (enum lock_object)i;
    return i >= 0;
}

bool days_parse(struct view text, uint8_t *out) {
    struct view item;
    int last = -1;
    *out = 0;
    while (text_next_item(&text, &item)) {
        int day = find(item, week, WORDS(week));
        if (day <= last)
            return false;
        *out |= (uint8_t)(1u << day);
        last = day;
    }
    return last >= 0;
}

/* Two digits in [0, most]; -1 otherwise. */
static int two_digits(const uint8_t *at, int most) {
    if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
        return -1;
    int n = (at[0] - '0') * 10 + (at[1] - '0');
    return n <= most ? n : -1;
}

bool minute_parse(struct view text, uint16_t *out) {
    *out = 0;
    if (text.len != 5 || text.at[2] != ':')
        return false;
    int hour = two_digits(text.at, 23), minute = two_digits(text.at + 3, 59);
    if (hour < 0 || minute < 0)
        return false;
    *out = (uint16_t)(hour * 60 + minute);
    return true;
}

bool instant_parse(struct view text, int64_t *out) {
    static const char form[] = "....-..-..T..:..:..Z";
    char again[INSTANT_TEXT];
    *out = 0;
    if (text.len != sizeof form - 1)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (form[i] != '.' && text.at[i] != (uint8_t)form[i])
            return false;
    const uint8_t *t = text.at;
    int century = two_digits(t, 99), year = two_digits(t + 2, 99);
    struct tm tm = {.tm_year = century * 100 + year - 1900,
                    .tm_mon = two_digits(t + 5, 12) - 1,
                    .tm_mday = two_digits(t + 8, 31),
                    .tm_hour = two_digits(t + 11, 23),
                    .tm_min = two_digits(t + 14, 59),
                    .tm_sec = two_digits(t + 17, 59)};
    if (century < 0 || year < 0 || tm.tm_year < 70 || tm.tm_mon < 0 || tm.tm_mday < 1 || tm.tm_hour < 0 ||
        tm.tm_min < 0 || tm.tm_sec < 0)
        return false;
    int64_t seconds = timegm(&tm);
    instant_text(seconds, again); /* 31 November would have become 1 December */
    if (!view_equal_text(text, again))
        return false;
    *out = seconds;
    return true;
}

void instant_text(int64_t seconds, char out[INSTANT_TEXT]) {
    struct writer w = writer_of(out, INSTANT_TEXT - 1);
    instant_write(&w, seconds);
    out[w.bad ? 0 : w.len] = 0;
}

void instant_write(struct writer *w, int64_t seconds) {
    time_t t = (time_t)seconds;
    struct tm tm;
    if (!gmtime_r(&t, &tm) || tm.tm_year < 70 || tm.tm_year > 8099) {
        w->bad = true;
        return;
    }
    writer_format(w, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                  tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* --- UTF-8 (RFC 3629) --- */

/* The next character, taken from *v; -1 when it is not well formed. */
static int32_t next_character(struct view *v) {
    static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = v->at[0];
    size_t len = first < 0x80   ? 1
                 : first < 0xC2 ? 0
                 : first < 0xE0 ? 2
                 : first < 0xF0 ? 3
                 : first < 0xF5 ? 4
                                : 0;
    if (len == 0 || len > v->len)
        return -1;
    int32_t c = len == 1 ? first : first & (0x7F >> len);
    for (size_t i = 1; i < len; i++) {
        if ((v->at[i] & 0xC0) != 0x80)
            return -1;
        c = c << 6 | (v->at[i] & 0x3F);
    }
    *v = view_from(*v, len);
    return c < least[len] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) ? -1 : c;
}

/* What a screen does not show, or what makes it show the rest in another order. */
static bool invisible(int32_t c) {
    static const struct {
        int32_t from, to;
    } ranges[] = {{0x00, 0x1F},     {0x7F, 0x9F},     {0xAD, 0xAD},      {0x034F, 0x034F}, {0x061C, 0x061C},
                  {0x115F, 0x1160}, {0x17B4, 0x17B5}, {0x180B, 0x180F},  {0x200B, 0x200F}, {0x2028, 0x202E},
                  {0x2060, 0x206F}, {0x3164, 0x3164}, {0xFE00, 0xFE0F},  {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0},
                  {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0xE0000, 0xE0FFF}};
    for (size_t i = 0; i < WORDS(ranges); i++)
        if (c >= ranges[i].from && c <= ranges[i].to)
            return true;
    return false;
}

static bool blank(int32_t c) {
    return c == ' ' || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x202F ||
           c == 0x205F || c == 0x2800 || c == 0x3000;
}

bool statement_words(struct view text, size_t most) {
    bool says_something = false;
    if (text.len == 0 || text.len > most || text.at[0] == ' ' || text.at[text.len - 1] == ' ')
        return false;
    while (text.len > 0) {
        int32_t c = next_character(&text);
        if (c < 0 || invisible(c))
            return false;
        says_something = says_something || !blank(c);
    }
    return says_something;
}

/* --- databases --- */

bool databases_contain(const char *list, struct view name) {
    struct view rest = view_text(list), item;
    while (text_next_item(&rest, &item))
        if (view_equal(item, name))
            return true;
    return false;
}

bool databases_within(const char *inner, const char *outer) {
    struct view rest = view_text(inner), item;
    while (text_next_item(&rest, &item))
        if (!databases_contain(outer, item))
            return false;
    return true;
}

bool databases_valid(struct view list) {
    struct view rest = list, item, others, other;
    size_t count = 0, bytes = 0;
    if (list.len == 0 || list.len >= STATEMENT_DATABASES_TEXT)
        return false;
    while (text_next_item(&rest, &item)) {
        if (++count > STATEMENT_DATABASES_MAX || !statement_words(item, DATABASE_NAME_MAX))
            return false;
        bytes += item.len;
        size_t same = 0;
        for (others = list; text_next_item(&others, &other);)
            same += view_equal(item, other);
        if (same != 1)
            return false;
    }
    return count > 0 && bytes + count - 1 == list.len; /* nothing but names and single commas */
}
