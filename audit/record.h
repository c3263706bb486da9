/* SPDX-License-Identifier: ISC
 *
 * One thing that happened, as a value: composed by the process that saw it, carried over a channel, printed
 * by the ledger as one canonical JSON line. Texts are views: whoever composes keeps them alive.
 */
#ifndef SEKISHO_RECORD_H
#define SEKISHO_RECORD_H

#include "bytes.h"

/* Who may say an event; a bit each. */
enum audit_source {
    AUDIT_SUPERVISOR = 1,
    AUDIT_GATE = 2,
    AUDIT_CELL = 4,
    AUDIT_LOBBY = 8,
    AUDIT_BROKER = 16,
    AUDIT_KEEPER = 32,
    AUDIT_LEDGER = 64,
    AUDIT_OPERATOR = 128, /* the cell of one operator session */
    AUDIT_CONSOLE = 256,
    AUDIT_NOTIFIER = 512
};

enum audit_event {
#define EVENT(code, name, sources, meaning) EVENT_##code,
#include "events.def"
#undef EVENT
    EVENT_COUNT
};

enum field {
#define FIELD(code, name, kind, most) FIELD_##code,
#include "fields.def"
#undef FIELD
    FIELD_COUNT
};

#define RECORD_MAGIC 0x4D0B72E9u
#define RECORD_FIELDS_MAX 24
#define RECORD_BINARY_MAX 14336 /* bytes of record_write's output at most */
#define RECORD_LINE_MAX 81920   /* bytes of a printed line with its newline at most */
/* Readers of JSON keep integers in 64 signed bits: a larger one would make its line, and so its chain,
 * unreadable. */
#define RECORD_NUMBER_MAX INT64_MAX

struct record {
    uint32_t magic;
    enum audit_event event;
    uint64_t session; /* 0: none */
    size_t count;
    struct {
        enum field field;
        uint64_t number;
        struct view text;
    } item[RECORD_FIELDS_MAX];
};

const char *event_name(enum audit_event e);
bool event_by_name(struct view name, enum audit_event *out);
bool event_allowed(enum audit_event e, enum audit_source source);
const char *field_name(enum field f);

void record_begin(struct record *r, enum audit_event event, uint64_t session);
/* Asserts that the field is of that kind and not set before. Empty texts are left out. A text that is too
 * long is cut where it is written or printed; a number over RECORD_NUMBER_MAX becomes that. */
void record_text(struct record *r, enum field field, struct view text);
void record_number(struct record *r, enum field field, uint64_t number);

/* To and from a channel message. record_read checks everything: unknown codes, a field twice, too many, too
 * long. */
void record_write(struct writer *w, const struct record *r);
bool record_read(struct reader *r, struct record *out);

/* The line without its newline: {"n":1,"time":"...","tenant":"acme","event":"session.open","session":"<16
 * hex>", <fields in fields.def's order>,"prev":"<64 hex>"}. tenant "" is the provider's own chain, printed as
 * "tenant":null. */
void record_json(struct writer *w, const struct record *r, const char *tenant, uint64_t n, int64_t wall_us,
                 int offset_minutes, const uint8_t prev[32]);

#endif
