/* SPDX-License-Identifier: ISC
 *
 * Text from strangers made harmless, and the few encodings everybody needs: JSON strings (RFC 8259),
 * hexadecimal, base64 (RFC 4648, strict: no white space, canonical padding), decimal numbers, durations.
 */
#ifndef SEKISHO_TEXT_H
#define SEKISHO_TEXT_H

#include "bytes.h"

/* The length of the valid UTF-8 sequence (RFC 3629) at the start of v, or 0. */
size_t text_utf8(struct view v);
/* Writes v as a JSON string with its quotes. Control characters, DEL, and U+0080..U+009F are escaped as
 * \u00XX; bytes that are not valid UTF-8 become U+FFFD each; so any viewer may show the line. */
void text_json(struct writer *w, struct view v);

/* Lower-case hexadecimal, two digits a byte. */
void text_hex(struct writer *w, struct view v);
/* Reads exactly 2 * len digits, either case, into out. False on anything else. */
bool text_unhex(struct view v, uint8_t *out, size_t len);
/* 16 digits, as session ids are printed. out has room for 17 bytes. */
void text_hex64(uint64_t v, char out[17]);
bool text_unhex64(struct view v, uint64_t *out);

void text_base64(struct writer *w, struct view v);
/* Decodes into w. False (w bad) for anything that is not canonical base64. */
bool text_unbase64(struct writer *w, struct view v);

/* A decimal number of digits only, without sign or leading zeros (but "0"), in [min, max]. */
bool text_number(struct view v, uint64_t min, uint64_t max, uint64_t *out);
/* "250ms", "30s", "5min", "2h", "7d" or "0" into milliseconds; a number without unit (but 0) is an error. */
bool text_duration(struct view v, uint64_t *out_ms);

/* ASCII only: the rest is compared as it is. */
bool text_equal_nocase(struct view a, struct view b);
/* Copies v lower-cased (ASCII) with a NUL; false as view_copy_text. */
bool text_lower_into(struct view v, char *dst, size_t cap);
/* v without ASCII white space at both ends. */
struct view text_trim(struct view v);
/* Takes the next element of a comma-separated list from *rest, trimmed. False at the end of the list. */
bool text_next_item(struct view *rest, struct view *item);

#endif
