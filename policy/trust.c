/* SPDX-License-Identifier: ISC
 *
 * Whose signatures count, as a value: key files' texts in, answers out. Reading the folder is trust_load.c's.
 * Pure.
 */
#include "trust.h"
#include "magic.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRUST_MAGIC 0x7D057A2Cu
#define FIRST_LINE "sekisho-key 1"

struct entry {
    struct trust_key key;
    bool shared; /* somebody of another name has the same key: neither can be told from the other */
};

struct trust {
    uint32_t magic;
    size_t count, cap;
    struct entry *entry;
};

static const struct {
    enum trust_role role;
    const char *name;
} roles[] = {{TRUST_OPERATOR, "operator"},
             {TRUST_PROVIDER_APPROVER, "provider-approver"},
             {TRUST_TENANT_APPROVER, "tenant-approver"}};
#define ROLES (sizeof roles / sizeof roles[0])

const char *trust_role_name(enum trust_role role) {
    for (size_t i = 0; i < ROLES; i++)
        if (roles[i].role == role)
            return roles[i].name;
    assert(!"a role");
    return "";
}

bool trust_role_by_name(struct view name, enum trust_role *out) {
    for (size_t i = 0; i < ROLES; i++)
        if (view_equal_text(name, roles[i].name)) {
            *out = roles[i].role;
            return true;
        }
    return false;
}

struct trust *trust_new(void) {
    struct trust *t = calloc(1, sizeof *t);
    if (t)
        t->magic = TRUST_MAGIC;
    return t;
}

void trust_free(struct trust **t) {
    if (!*t)
        return;
    MAGIC_CHECK(*t, TRUST_MAGIC);
    (*t)->magic = 0;
    free((*t)->entry);
    free(*t);
    *t = NULL;
}

/* --- one file's text --- */

static bool refuse(char why[STATEMENT_WHY], const char *what) {
    snprintf(why, STATEMENT_WHY, "%s", what);
    return false;
}

/* The value of the next line, which must be `name: value`. An empty view for anything else. */
static struct view next_value(struct view *rest, const char *name) {
    const uint8_t *end = rest->len ? memchr(rest->at, '\n', rest->len) : NULL;
    size_t n = strlen(name);
    if (!end)
        return view_of(NULL, 0);
    struct view line = view_of(rest->at, (size_t)(end - rest->at));
    *rest = view_from(*rest, line.len + 1);
    return view_starts(line, name) && view_starts(view_from(line, n), ": ") ? view_from(line, n + 2)
                                                                            : view_of(NULL, 0);
}

static bool read_tenant(struct view v, struct trust_key *k) {
    if (k->role != TRUST_TENANT_APPROVER)
        return view_equal_text(v, "-");
    return tenant_id_valid(v) && view_copy_text(v, k->tenant, sizeof k->tenant);
}

static bool read_withdrawn(struct view v, struct trust_key *k) {
    k->withdrawn = TRUST_NEVER;
    return view_equal_text(v, "-") || instant_parse(v, &k->withdrawn);
}

static bool read_public(struct view v, struct trust_key *k) {
    struct writer w = writer_of(k->public, sizeof k->public);
    return text_unbase64(&w, v) && w.len == sizeof k->public;
}

bool trust_parse(struct view text, struct trust_key *out, char why[STATEMENT_WHY]) {
    static const char first[] = FIRST_LINE "\n";
    memset(out, 0, sizeof *out);
    why[0] = 0;
    if (text.len > TRUST_FILE_MAX || !view_starts(text, first))
        return refuse(why, "the first line is not " FIRST_LINE);
    struct view rest = view_from(text, sizeof first - 1), v = next_value(&rest, "name");
    if (!person_valid(v) || !view_copy_text(v, out->name, sizeof out->name))
        return refuse(why, "missing or not good: name");
    if (!trust_role_by_name(next_value(&rest, "role"), &out->role))
        return refuse(why, "missing or not good: role");
    if (!read_tenant(next_value(&rest, "tenant"), out))
        return refuse(why, "missing or not good: tenant (a tenant approver's own; - for the others)");
    if (!instant_parse(next_value(&rest, "not-before"), &out->not_before))
        return refuse(why, "missing or not good: not-before");
    if (!instant_parse(next_value(&rest, "not-after"), &out->not_after) || out->not_after <= out->not_before)
        return refuse(why, "missing or not good: not-after");
    if (!read_withdrawn(next_value(&rest, "withdrawn"), out))
        return refuse(why, "missing or not good: withdrawn (- or a time)");
    if (!read_public(next_value(&rest, "public"), out))
        return refuse(why, "missing or not good: public (base64 of 32 bytes)");
    if (rest.len)
        return refuse(why, "there is more behind the last line");
    statement_key_id(out->public, out->id);
    return true;
}

bool trust_compose(const struct trust_key *k, struct writer *w) {
    writer_format(w, FIRST_LINE "\nname: %s\nrole: %s\ntenant: %s\nnot-before: ", k->name,
                  trust_role_name(k->role), k->tenant[0] ? k->tenant : "-");
    instant_write(w, k->not_before);
    writer_text(w, "\nnot-after: ");
    instant_write(w, k->not_after);
    writer_text(w, "\nwithdrawn: ");
    if (k->withdrawn == TRUST_NEVER)
        writer_text(w, "-");
    else
        instant_write(w, k->withdrawn);
    writer_text(w, "\npublic: ");
    text_base64(w, view_of(k->public, sizeof k->public));
    writer_text(w, "\n");
    return !w->bad;
}

/* --- all of them --- */

static bool same_public(const struct trust_key *a, const uint8_t public[STATEMENT_PUBLIC]) {
    return memcmp(a->public, public, STATEMENT_PUBLIC) == 0; /* public: nothing leaks by its time */
}

static bool room_for_one(struct trust *t) {
    if (t->count < t->cap)
        return true;
    size_t cap = t->cap ? 2 * t->cap : 16;
    struct entry *entry = t->count < TRUST_KEYS_MAX ? realloc(t->entry, cap * sizeof *entry) : NULL;
    if (!entry)
        return false;
    t->entry = entry;
    t->cap = cap;
    return true;
}

bool trust_add(struct trust *t, struct view text, char why[STATEMENT_WHY]) {
    MAGIC_CHECK(t, TRUST_MAGIC);
    struct entry e = {.shared = false};
    if (!trust_parse(text, &e.key, why))
        return false;
    for (size_t i = 0; i < t->count; i++) {
        struct entry *other = &t->entry[i];
        if (!same_public(&other->key, e.key.public))
            continue;
        if (strcmp(other->key.name, e.key.name) != 0) {
            e.shared = other->shared = true;
            snprintf(why, STATEMENT_WHY, "%s and %s have the same key: it counts for neither", e.key.name,
                     other->key.name);
        } else if (other->key.role == e.key.role && strcmp(other->key.tenant, e.key.tenant) == 0) {
            return refuse(why, "the same key of the same person in the same role is there already");
        } else if (other->shared) {
            e.shared = true;
            snprintf(why, STATEMENT_WHY, "a person of another name has the same key: it counts for neither");
        }
    }
    if (!room_for_one(t))
        return refuse(why, "there are too many keys, or no memory");
    t->entry[t->count++] = e;
    return !e.shared;
}

size_t trust_count(const struct trust *t) {
    MAGIC_CHECK(t, TRUST_MAGIC);
    return t->count;
}

const struct trust_key *trust_at(const struct trust *t, size_t index) {
    MAGIC_CHECK(t, TRUST_MAGIC);
    assert(index < t->count);
    return &t->entry[index].key;
}

bool trust_knows(const struct trust *t, const char *name, const char *key) {
    MAGIC_CHECK(t, TRUST_MAGIC);
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->entry[i].key.name, name) == 0 && strcmp(t->entry[i].key.id, key) == 0)
            return true;
    return false;
}

/* Has the entry a say about that tenant? A tenant's approver has one about their own alone. */
static bool concerns(const struct entry *e, const char *name, const char *tenant) {
    return !e->shared && strcmp(e->key.name, name) == 0 &&
           (e->key.role != TRUST_TENANT_APPROVER || strcmp(e->key.tenant, tenant) == 0);
}

unsigned trust_roles(const struct trust *t, const char *name, const uint8_t public[STATEMENT_PUBLIC],
                     const char *tenant, int64_t at) {
    MAGIC_CHECK(t, TRUST_MAGIC);
    unsigned found = 0;
    for (size_t i = 0; i < t->count; i++) {
        const struct entry *e = &t->entry[i];
        if (concerns(e, name, tenant) && same_public(&e->key, public) && at >= e->key.not_before &&
            at < e->key.not_after)
            found |= e->key.role;
    }
    return found;
}

int64_t trust_withdrawn(const struct trust *t, const char *name, const uint8_t public[STATEMENT_PUBLIC]) {
    MAGIC_CHECK(t, TRUST_MAGIC);
    int64_t earliest = TRUST_NEVER;
    for (size_t i = 0; i < t->count; i++) {
        const struct trust_key *k = &t->entry[i].key;
        if (strcmp(k->name, name) == 0 && same_public(k, public) && k->withdrawn < earliest)
            earliest = k->withdrawn;
    }
    return earliest;
}

unsigned trust_person(const struct trust *t, const char *name, const char *tenant, int64_t now) {
    MAGIC_CHECK(t, TRUST_MAGIC);
    unsigned found = 0;
    for (size_t i = 0; i < t->count; i++) {
        const struct entry *e = &t->entry[i];
        if (concerns(e, name, tenant) && now >= e->key.not_before && now < e->key.not_after &&
            now < trust_withdrawn(t, name, e->key.public))
            found |= e->key.role;
    }
    return found;
}
