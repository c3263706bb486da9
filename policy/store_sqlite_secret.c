/* SPDX-License-Identifier: ISC
 *
 * Credentials in the SQLite store: the auth query's role and password, and verifiers kept here. Sealed, each
 * for its tenant, column and user, so that a row copied over another does not open.
 */
#include "admission.h"
#include "secret.h"
#include "store_sqlite.h"
#include "verifier.h"

#include <stdio.h>
#include <string.h>

#define ROLE_MOST 63
#define PASSWORD_MOST 128
#define VERIFIER_MOST 256
#define PURPOSE (TENANT_ID_MAX + ROLE_MOST + 16)

static enum store_result no_tenant(struct sqlite_store *s, const char *id) {
    return sqlite_fail(s, STORE_NOT_FOUND, "there is no tenant \"%s\"", id);
}

/* Copies a name without NUL of 1 to ROLE_MOST bytes. */
static bool name_copy(struct view v, char out[ROLE_MOST + 1]) {
    return view_copy_text(v, out, ROLE_MOST + 1) && v.len > 0;
}

static void verifier_purpose(char purpose[PURPOSE], const char *id, const char *user) {
    snprintf(purpose, PURPOSE, "%s/verifier/%s", id, user);
}

static void password_purpose(char purpose[PURPOSE], const char *id) {
    snprintf(purpose, PURPOSE, "%s/auth_password", id);
}

static enum store_result write_auth(struct sqlite_store *s, const char *id, const char *role,
                                    struct view sealed) {
    struct query q = query_begin(s, "UPDATE tenant SET auth_role = ?, auth_password = ? WHERE id = ?");
    query_text(&q, view_text(role));
    query_text(&q, sealed);
    query_text(&q, view_text(id));
    query_row(&q);
    enum store_result r = query_end(&q);
    return r == STORE_OK && sqlite3_changes(s->db) == 0 ? no_tenant(s, id) : r;
}

enum store_result sqlite_auth_set(struct store *base, const char *id, const char *role, struct view password,
                                  const struct change *why) {
    struct sqlite_store *s = sqlite_store_of(base);
    char name[ROLE_MOST + 1], purpose[PURPOSE], sealed[SEAL_LENGTH(PASSWORD_MOST)];
    if (!name_copy(view_text(role), name))
        return sqlite_fail(s, STORE_INVALID, "the role's name is empty or longer than %d bytes", ROLE_MOST);
    if (password.len == 0 || password.len > PASSWORD_MOST || memchr(password.at, 0, password.len))
        return sqlite_fail(s, STORE_INVALID, "the password is empty, longer than %d bytes or holds a NUL",
                           PASSWORD_MOST);
    struct writer w = writer_of(sealed, sizeof sealed);
    password_purpose(purpose, id);
    seal_close(&w, s->key, purpose, password);
    if (w.bad)
        return sqlite_fail(s, STORE_UNAVAILABLE, "out of memory");
    enum store_result r = transaction_begin(s, true);
    return r == STORE_OK ? change_end(s, write_auth(s, id, name, writer_view(&w)), why) : r;
}

/* Opens the next column into text (cap bytes with its NUL). */
static void take_sealed(struct query *q, const char *purpose, char *text, size_t cap) {
    struct view sealed = query_take(q);
    struct writer w = writer_of(text, cap - 1);
    if (!seal_open(&w, q->store->key, purpose, sealed)) {
        q->damaged = true;
        secret_wipe(text, cap);
    }
    text[q->damaged ? 0 : w.len] = 0;
}

/* Which secret did not open, in words. */
static enum store_result end_sealed(struct query *q, const char *id, const char *what) {
    bool damaged = q->damaged;
    struct sqlite_store *s = q->store;
    enum store_result r = query_end(q);
    return damaged ? sqlite_fail(s, STORE_INVALID, "%s of tenant \"%s\" does not open", what, id) : r;
}

enum store_result sqlite_auth_get(struct store *base, const char *id, char role[64], char password[129]) {
    struct sqlite_store *s = sqlite_store_of(base);
    char purpose[PURPOSE];
    role[0] = password[0] = 0;
    struct query q =
        query_begin(s, "SELECT auth_role, auth_password FROM tenant WHERE id = ? AND auth_role <> ''");
    query_text(&q, view_text(id));
    bool found = query_row(&q);
    if (found) {
        query_take_text(&q, role, ROLE_MOST + 1);
        password_purpose(purpose, id);
        take_sealed(&q, purpose, password, PASSWORD_MOST + 1);
    }
    enum store_result r = end_sealed(&q, id, "the auth password");
    if (r == STORE_OK && !found)
        return sqlite_fail(s, STORE_NOT_FOUND, "tenant \"%s\" has no auth role", id);
    return r;
}

static enum store_result remove_verifier(struct sqlite_store *s, const char *id, const char *user) {
    struct query q = query_begin(s, "DELETE FROM verifier WHERE tenant = ? AND user = ?");
    query_text(&q, view_text(id));
    query_text(&q, view_text(user));
    query_row(&q);
    enum store_result r = query_end(&q);
    if (r == STORE_OK && sqlite3_changes(s->db) == 0)
        return sqlite_fail(s, STORE_NOT_FOUND, "tenant \"%s\" has no verifier for this user", id);
    return r;
}

static enum store_result write_verifier(struct sqlite_store *s, const char *id, const char *user,
                                        struct view text) {
    char purpose[PURPOSE], sealed[SEAL_LENGTH(VERIFIER_MOST)];
    struct writer w = writer_of(sealed, sizeof sealed);
    verifier_purpose(purpose, id, user);
    seal_close(&w, s->key, purpose, text);
    if (w.bad)
        return sqlite_fail(s, STORE_UNAVAILABLE, "out of memory");
    struct query q = query_begin(s, "INSERT INTO verifier (tenant, user, verifier) VALUES (?, ?, ?) "
                                    "ON CONFLICT (tenant, user) DO UPDATE SET verifier = excluded.verifier");
    query_text(&q, view_text(id));
    query_text(&q, view_text(user));
    query_text(&q, writer_view(&w));
    query_row(&q);
    enum store_result r = query_end(&q);
    return r == STORE_CONFLICT ? no_tenant(s, id) : r; /* the only rule left to break is the reference */
}

enum store_result sqlite_verifier_set(struct store *base, const char *id, struct view user, struct view text,
                                      const struct change *why) {
    struct sqlite_store *s = sqlite_store_of(base);
    char name[ROLE_MOST + 1];
    struct verifier parsed;
    if (!name_copy(user, name) || role_reserved(user))
        return sqlite_fail(s, STORE_INVALID, "the user's name is empty, too long or reserved");
    if (text.len > VERIFIER_MOST || (text.len > 0 && !verifier_parse(text, &parsed)))
        return sqlite_fail(s, STORE_INVALID, "the text is not a SCRAM-SHA-256 verifier");
    secret_wipe(&parsed, sizeof parsed);
    enum store_result r = transaction_begin(s, true);
    if (r != STORE_OK)
        return r;
    return change_end(s, text.len ? write_verifier(s, id, name, text) : remove_verifier(s, id, name), why);
}

enum store_result sqlite_verifier_get(struct store *base, const char *id, struct view user, char text[257]) {
    struct sqlite_store *s = sqlite_store_of(base);
    char name[ROLE_MOST + 1], purpose[PURPOSE];
    text[0] = 0;
    if (!name_copy(user, name))
        return sqlite_fail(s, STORE_NOT_FOUND, "no user has such a name");
    struct query q = query_begin(s, "SELECT verifier FROM verifier WHERE tenant = ? AND user = ?");
    query_text(&q, view_text(id));
    query_text(&q, view_text(name));
    bool found = query_row(&q);
    if (found) {
        verifier_purpose(purpose, id, name);
        take_sealed(&q, purpose, text, VERIFIER_MOST + 1);
    }
    enum store_result r = end_sealed(&q, id, "a verifier");
    return r == STORE_OK && !found ? sqlite_fail(s, STORE_NOT_FOUND, "there is no such verifier") : r;
}
