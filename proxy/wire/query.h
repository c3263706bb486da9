/* SPDX-License-Identifier: ISC
 *
 * What is inside the messages of the simple and the extended query protocol, COPY and function call
 * (PostgreSQL protocol 3.0, "Message Formats"), for whoever has to write down what was asked and answered.
 * Pure readers: a body in, views into it out. Client and instance may both be hostile. Frontend messages are
 * read strictly: a byte missing or too many is false, and everything empty then.
 */
#ifndef SEKISHO_QUERY_H
#define SEKISHO_QUERY_H

#include "bytes.h"

/* Values with their formats, as in Bind and FunctionCall. */
struct query_values {
    struct view formats; /* of two bytes each: none (all text), one for all, or one for each */
    size_t count;        /* values still to be read */
    struct view bytes;   /* of each a 32-bit length (-1: NULL) and that many bytes; nothing behind the last */
};

struct query_value {
    bool null, binary;
    struct view bytes;
    struct view wire; /* with its length, as sent */
};

struct query_parse {
    struct view name, sql;
    struct view types; /* object ids of four bytes each */
};

struct query_bind {
    struct view portal, name;
    struct query_values values;
};

struct query_call {
    uint32_t function; /* object id */
    struct query_values values;
};

bool query_read_query(struct view body, struct view *sql);
bool query_read_parse(struct view body, struct query_parse *out);
bool query_read_bind(struct view body, struct query_bind *out);
/* rows: the most to be returned; 0 for all. */
bool query_read_execute(struct view body, struct view *portal, uint32_t *rows);
/* Describe and Close. what: 'S', a prepared statement, or 'P', a portal. */
bool query_read_target(struct view body, char *what, struct view *name);
bool query_read_call(struct view body, struct query_call *out);
bool query_read_copy_fail(struct view body, struct view *message);

/* Takes the next one. index: how many were taken before. False when none is left. */
bool query_next_value(struct query_values *v, size_t index, struct query_value *out);

/* CommandComplete's tag, up to the first zero byte or the end of what is there. */
struct view query_read_tag(struct view body);
/* The number at the end of a tag: "INSERT 0 5" has five rows. */
bool query_tag_rows(struct view tag, uint64_t *rows);
/* ErrorResponse, of which only a beginning may be there: SQLSTATE and message, the last perhaps cut. False
 * when there is no SQLSTATE of five digits and capital letters. */
bool query_read_error(struct view body, struct view *sqlstate, struct view *message);

#endif
