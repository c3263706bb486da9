/* SPDX-License-Identifier: ISC
 *
 * The observer's inside: what observe.c (memory, the line of statements, records), observe_client.c (what is
 * asked), observe_instance.c (what is answered) and observe_text.c (how texts are written down) share.
 */
#ifndef SEKISHO_OBSERVE_PARTS_H
#define SEKISHO_OBSERVE_PARTS_H

#include "observe.h"
#include "query.h"

#include <openssl/evp.h>

#define OBSERVE_TEXT_MAX 4000       /* bytes of one record's part of a text */
#define OBSERVE_PARAMETERS_MAX 4096 /* of the JSON of one Bind, the summary of what did not fit included */
#define OBSERVE_NAME_MAX 63

enum asked_kind {
    ASKED_NOTHING, /* of a message that needs no answer */
    ASKED_QUERY,
    ASKED_PARSE,
    ASKED_BIND,
    ASKED_EXECUTE,
    ASKED_DESCRIBE,
    ASKED_CLOSE,
    ASKED_CALL,
    ASKED_COPY_DONE,
    ASKED_COPY_FAIL,
    ASKED_SYNC
};

/* What the instance was, or will be, asked. Those whose records are durable come first in the line. */
struct asked {
    enum asked_kind kind;
    bool answered; /* but not yet ended by ReadyForQuery */
    bool early;    /* a Sync that no COPY data came before since the last statement */
    uint64_t number, ticket;
    uint64_t start, end; /* its message's place in the client's stream */
    int64_t since_us;    /* allowed to be sent */
    uint64_t bytes;      /* COPY_DONE and COPY_FAIL: the data before it */
    uint8_t sha256[32];
};

/* The data of one COPY, counted and hashed. */
struct tally {
    uint64_t bytes;
    EVP_MD_CTX *sha256; /* NULL while there is none */
};

enum copying { COPYING_NOTHING, COPYING_IN, COPYING_OUT, COPYING_BOTH };

#define OBSERVE_MAGIC 0x0B5E7A31u
#define OBSERVE_ANSWER_KEPT 1024 /* bytes of an error or a tag that are looked at */

struct client_rule;

struct observe {
    uint32_t magic;
    bool refused;
    struct observe_rules rules;
    observe_record_fn *record;
    void *arg;
    uint64_t tickets, durable, numbers;
    struct failure failure; /* when refused */

    /* The client's stream: places in it are counted from its beginning. */
    uint8_t *held;
    size_t held_at, held_len, held_cap;
    uint64_t sent;  /* place of held[held_at] */
    uint64_t taken; /* of the end of what is held */
    uint64_t whole; /* up to which messages are whole and told, or COPY data */
    uint8_t header; /* bytes of the current message's header seen, 0 to 5 */
    uint64_t left;  /* of its body still to come */
    uint32_t length;
    const struct client_rule *rule;
    struct tally in;
    bool copied; /* COPY data or its end came since the last statement */

    /* The line of what was asked, as a ring. */
    struct asked *line;
    size_t line_cap, first, count;
    size_t released; /* of those, how many are durable */

    /* The instance's stream. */
    uint64_t answer_left;
    char answer;
    bool ignoring; /* after an error in the extended protocol it skips everything up to Sync */
    enum copying copying;
    uint64_t rows, row_bytes;
    int64_t answered_us; /* the last result */
    struct tally out;
    size_t kept_len;
    uint8_t kept[OBSERVE_ANSWER_KEPT];
};

/* observe.c */
void observe_tell(struct observe *o, uint64_t number, struct record *r);
enum observe_result observe_refuse(struct observe *o, uint64_t number, const struct failure *f);
bool observe_hold(struct observe *o, struct view bytes);
struct asked *observe_asked(struct observe *o, size_t i);
/* Room for one more. False without memory. */
bool observe_room(struct observe *o);
struct asked *observe_push(struct observe *o, enum asked_kind kind);
void observe_pop(struct observe *o);
/* Takes those from the second to the one at index i out. */
void observe_drop_after_first(struct observe *o, size_t i);
/* What became durable may go; what the instance will skip is told as skipped. */
void observe_release(struct observe *o, int64_t now_us);
bool tally_add(struct tally *t, struct view bytes);
/* Ends it; returns the bytes. */
uint64_t tally_end(struct tally *t, uint8_t sha256[32]);

/* observe_client.c */
/* COPY data that no CopyDone or CopyFail ended. */
void observe_tell_broken_copy(struct observe *o);

/* observe_instance.c */
void observe_skip_to_sync(struct observe *o, int64_t now_us);
/* A result of our own words for the statement. */
void observe_tell_outcome(struct observe *o, const struct asked *a, const char *tag);

/* observe_text.c */
struct parts {
    struct view rest;
    bool hex, first;
};
void parts_begin(struct parts *p, struct view text);
size_t parts_count(struct parts p);
/* Writes the next part, at most OBSERVE_TEXT_MAX bytes. False when there is none left. */
bool parts_next(struct parts *p, struct writer *w);
/* A statement's or portal's name as it is, or in hexadecimal. False when it is too long for a record. */
bool observe_name(struct writer *w, struct view name);
/* JSON arrays; w has room for OBSERVE_PARAMETERS_MAX bytes. */
void observe_parameters(struct writer *w, struct query_values values);
void observe_types(struct writer *w, struct view types);

#endif
