/* SPDX-License-Identifier: ISC
 *
 * A notice: one line of the session log that somebody should hear of now, and the document that tells it.
 * Pure: a line in, a decision or bytes out. Which events count is notices.def's.
 */
#ifndef SEKISHO_NOTICE_H
#define SEKISHO_NOTICE_H

#include "record.h"

/* The document: the line and what stands around it. */
#define NOTICE_BODY_MAX (RECORD_LINE_MAX + 256)
#define NOTICE_SIGNATURE 72 /* "sha256=", 64 digits and a NUL */

/* The number at the line's head; 0 when it does not begin as a line of a chain does. */
uint64_t notice_number(struct view line);
/* Whether the line, in that chain (tenant "": the provider's own), is told; then also whether it is urgent.
 */
bool notice_wanted(struct view line, const char *tenant, bool *urgent);
/* {"sekisho":1,"tenant":"acme","urgency":"normal","record":<the line, byte by byte>,"line_sha256":"<64 hex>"}
 */
void notice_write(struct writer *w, const char *tenant, bool urgent, struct view line);
/* "sha256=" and the hexadecimal HMAC-SHA-256 (RFC 2104) of the body. */
void notice_sign(struct view secret, struct view body, char out[NOTICE_SIGNATURE]);

#endif
