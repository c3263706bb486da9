/* SPDX-License-Identifier: ISC
 *
 * A statement: a text that a person signed with Ed25519 (RFC 8032). One form for every kind, one text for
 * every meaning: what parses composes to the same bytes again. Which kinds there are and which lines each
 * has: statements.def. Composed and signed by sekishoctl, parsed and verified by the broker. Pure: no file,
 * no clock.
 *
 *   sekisho-statement 1
 *   kind: approve
 *   environment: production
 *   tenant: acme
 *   signer: bob
 *   key: 0123456789abcdef
 *   at: 2026-11-24T21:30:00Z
 *   request: <64 hexadecimal digits>
 *   ...
 */
#ifndef SEKISHO_STATEMENT_H
#define SEKISHO_STATEMENT_H

#include "directory.h"

#define STATEMENT_MAGIC 0x57A7E4E1u
#define STATEMENT_MAX 4096 /* bytes of a text */
#define STATEMENT_SIGNATURE 64
#define STATEMENT_PUBLIC 32
#define STATEMENT_DIGEST 32
#define STATEMENT_KEY_ID 16 /* hexadecimal digits of SHA-256 of the raw public key */
#define GRANT_ID 16         /* the same of the request's digest */
#define STATEMENT_TICKET_MAX 128
#define STATEMENT_REASON_MAX 512
#define STATEMENT_DATABASES_MAX 16
#define STATEMENT_DATABASES_TEXT 1024
#define STATEMENT_WHY 160

enum statement_key {
#define STATEMENT_KEY(code, name) KEY_##code,
#include "statements.def"
    KEY_COUNT
};

enum statement_kind {
    STATEMENT_NONE,
#define STATEMENT(code, name, signers, ...) STATEMENT_##code,
#include "statements.def"
    STATEMENT_KINDS
};

enum grant_class { CLASS_NONE, CLASS_SUPPORT, CLASS_MAINTENANCE, CLASS_EMERGENCY };
enum reason_code {
    REASON_NONE,
    REASON_CUSTOMER_CASE,
    REASON_PROVIDER_FAULT,
    REASON_PLANNED_MAINTENANCE,
    REASON_SECURITY_INCIDENT,
    REASON_LEGAL_DEMAND
};
enum consent { CONSENT_NONE, CONSENT_REQUIRED, CONSENT_NOTIFY, CONSENT_STANDING };
enum review_verdict { REVIEW_NONE, REVIEW_REVIEWED, REVIEW_DISPUTED };
enum lock_object { LOCK_NONE, LOCK_OPERATOR, LOCK_TENANT, LOCK_GRANT };

/* Members that the kind has no line for are zero. Times are seconds since 1970-01-01 UTC. */
struct statement {
    uint32_t magic;
    enum statement_kind kind;
    char environment[64];
    char tenant[TENANT_ID_MAX + 1]; /* "": the whole provider, printed "-" */
    char signer[PERSON_MAX + 1];
    char key[STATEMENT_KEY_ID + 1]; /* lower case */
    int64_t at;

    char ticket[STATEMENT_TICKET_MAX + 1];
    char reason[STATEMENT_REASON_MAX + 1];
    enum reason_code reason_code;
    enum grant_class class;
    enum scope scope;
    char databases[STATEMENT_DATABASES_TEXT]; /* separated by commas, no spaces, none twice */
    int64_t not_before;
    int64_t not_after;
    uint8_t about[STATEMENT_DIGEST]; /* digest of the request, standing or lock */
    enum review_verdict verdict;
    char comment[STATEMENT_REASON_MAX + 1];
    uint8_t days;          /* bit 0 is Monday */
    uint16_t from, to;     /* minutes of the day; to <= from: the window passes midnight */
    int zone;              /* minutes east of UTC */
    uint32_t max_duration; /* seconds */
    enum consent consent;
    uint32_t provider_approvals;
    enum scope emergency_scope;
    enum lock_object object;
    char name[PERSON_MAX + 1]; /* of the locked operator, tenant or grant (its id) */
};

/* Writes the text. False, with why, when a member is not what its line may hold. */
bool statement_compose(const struct statement *s, struct writer *w, char why[STATEMENT_WHY]);
/* False, with why, for anything that statement_compose would not have written byte by byte. */
bool statement_parse(struct view text, struct statement *out, char why[STATEMENT_WHY]);
void statement_digest(struct view text, uint8_t out[STATEMENT_DIGEST]);
/* The first 16 digits of a digest: a grant's id from its request's digest. */
void statement_short(const uint8_t digest[STATEMENT_DIGEST], char out[GRANT_ID + 1]);
/* 64 hexadecimal digits and a NUL. */
void statement_digest_text(const uint8_t digest[STATEMENT_DIGEST], char out[2 * STATEMENT_DIGEST + 1]);

/* The roles (trust.h) that may sign this kind, and its name: "revoke-standing". */
unsigned statement_signers(enum statement_kind kind);
const char *statement_kind_name(enum statement_kind kind);
bool statement_kind_by_name(struct view name, enum statement_kind *out);
bool statement_has(enum statement_kind kind, enum statement_key key);

/* Words of the lines. By name: false for an unknown word. */
const char *scope_name(enum scope scope);
bool scope_by_name(struct view name, enum scope *out);
const char *class_name(enum grant_class c);
bool class_by_name(struct view name, enum grant_class *out);
const char *reason_code_name(enum reason_code c); /* "customer-case", "provider-fault", "planned-maintenance",
                                                     "security-incident", "legal-demand" */
bool reason_code_by_name(struct view name, enum reason_code *out);
const char *consent_name(enum consent c);
bool consent_by_name(struct view name, enum consent *out);
const char *verdict_name(enum review_verdict v);
bool verdict_by_name(struct view name, enum review_verdict *out);
const char *lock_object_name(enum lock_object o);
bool lock_object_by_name(struct view name, enum lock_object *out);
bool days_parse(struct view text, uint8_t *out);    /* "mon,tue,sun", in the week's order */
bool minute_parse(struct view text, uint16_t *out); /* "22:30" */
/* "2026-11-24T21:30:00Z", years 1970 to 9999. */
bool instant_parse(struct view text, int64_t *out);
void instant_write(struct writer *w, int64_t seconds);
#define INSTANT_TEXT 21
void instant_text(int64_t seconds, char out[INSTANT_TEXT]);

/* The names in a list of databases as a statement has it. */
bool databases_contain(const char *list, struct view name);
bool databases_within(const char *inner, const char *outer);
bool databases_valid(struct view list);
/* A text of 1 to `most` bytes that is not blank, is valid UTF-8, and has no control or invisible formatting
 * characters. */
bool statement_words(struct view text, size_t most);

/* --- Ed25519 --- */

void statement_key_id(const uint8_t public[STATEMENT_PUBLIC], char out[STATEMENT_KEY_ID + 1]);
bool statement_verify(const uint8_t public[STATEMENT_PUBLIC], struct view text, struct view signature);

/* A private key; it stays with its person. */
struct signing_key;
/* New. NULL without memory. */
struct signing_key *signing_key_make(void);
/* From PEM (PKCS#8). password: for an encrypted one; empty: none (never asks). NULL, with why. */
struct signing_key *signing_key_read(struct view pem, struct view password, char why[STATEMENT_WHY]);
/* Writes PEM (PKCS#8); encrypted (AES-256) when password isn't empty. False without room or memory. */
bool signing_key_write(const struct signing_key *k, struct view password, struct writer *pem);
void signing_key_public(const struct signing_key *k, uint8_t out[STATEMENT_PUBLIC]);
void signing_key_free(struct signing_key **k);
bool statement_sign(const struct signing_key *k, struct view text, uint8_t signature[STATEMENT_SIGNATURE]);

#endif
