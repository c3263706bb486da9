/* SPDX-License-Identifier: ISC
 *
 * Authentication codes of the SASL exchange, for the reader and the writer of messages: PostgreSQL protocol,
 * "Message Formats", AuthenticationOk and AuthenticationSASL*. Private to this room.
 */
#ifndef SEKISHO_CODES_H
#define SEKISHO_CODES_H

enum { AUTH_OK = 0, AUTH_SASL = 10, AUTH_SASL_CONTINUE = 11, AUTH_SASL_FINAL = 12 };

#endif
