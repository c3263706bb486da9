/* SPDX-License-Identifier: ISC
 *
 * verify_line for whoever also wants to read the line: the journal at start.
 */
#ifndef SEKISHO_VERIFY_OBJECT_H
#define SEKISHO_VERIFY_OBJECT_H

#include "verify.h"

#include <jansson.h>

/* As verify_line; NULL for false, else the line's object, the caller's to json_decref. */
json_t *verify_object(struct verify *v, struct view line);
/* A fault found around the lines (a file name, a line too long) at the next expected record. */
void verify_fault(struct verify *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* SHA-256 of a line, as the next one's `prev` carries it. */
void verify_hash(struct view line, uint8_t out[32]);

#endif
