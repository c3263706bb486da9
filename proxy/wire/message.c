/* SPDX-License-Identifier: ISC
 *
 * See message.h: cuts typed messages out of a buffer, reads the few that the proxy understands. Clients that
 * have not logged in and backends that may be hostile both reach this code in the cell, which is confined to
 * one tenant.
 */
#include "message.h"
#include "codes.h"

#include <string.h>

enum { HEADER = 5, LENGTH_ITSELF = 4, MECHANISM_MAX = 63, SQLSTATE_LENGTH = 5 };

enum message_result message_next(struct view bytes, size_t max, struct message *out, size_t *used) {
    *used = 0;
    *out = (struct message){0, {NULL, 0}};
    if (bytes.len < HEADER)
        return MESSAGE_MORE;
    struct reader r = reader_of(bytes);
    char type = (char)reader_u8(&r);
    uint64_t length = reader_u32(&r);
    if (length < LENGTH_ITSELF || length + 1 > max)
        return MESSAGE_BAD;
    if (bytes.len < length + 1)
        return MESSAGE_MORE;
    *used = (size_t)length + 1;
    *out = (struct message){type, reader_bytes(&r, (size_t)length - LENGTH_ITSELF)};
    return MESSAGE_OK;
}

static bool is_sqlstate(struct view v) {
    if (v.len != SQLSTATE_LENGTH)
        return false;
    for (size_t i = 0; i < v.len; i++)
        if (!(v.at[i] >= '0' && v.at[i] <= '9') && !(v.at[i] >= 'A' && v.at[i] <= 'Z'))
            return false;
    return true;
}

/* Where the field of this type goes, or NULL for those we do not use. */
static struct view *error_field(struct error_fields *fields, uint8_t type) {
    switch (type) {
    case 'C':
        return &fields->sqlstate;
    case 'M':
        return &fields->message;
    case 'D':
        return &fields->detail;
    case 'H':
        return &fields->hint;
    default:
        return NULL;
    }
}

bool message_read_error(struct view body, struct error_fields *out) {
    struct reader r = reader_of(body);
    struct view localized = {NULL, 0}, plain = {NULL, 0};
    memset(out, 0, sizeof *out);
    for (uint8_t type; (type = reader_u8(&r)) != 0;) {
        struct view text = reader_cstr(&r, reader_left(&r));
        struct view *field = type == 'S' ? &localized : type == 'V' ? &plain : error_field(out, type);
        if (field && !field->at)
            *field = text;
    }
    /* 'S' may be in the server's language; 'V', since PostgreSQL 9.6, never is. */
    out->severity = plain.at ? plain : localized;
    if (reader_done(&r) && is_sqlstate(out->sqlstate) && out->message.at)
        return true;
    memset(out, 0, sizeof *out);
    return false;
}

bool message_read_sasl_initial(struct view body, struct view *mechanism, struct view *data) {
    struct reader r = reader_of(body);
    *mechanism = reader_cstr(&r, MECHANISM_MAX);
    uint32_t length = reader_u32(&r);
    *data = length == UINT32_MAX ? view_of(NULL, 0) : reader_bytes(&r, length); /* -1: no data at all */
    if (reader_done(&r) && mechanism->len > 0)
        return true;
    *mechanism = *data = view_of(NULL, 0);
    return false;
}

static const char *unwanted_name(uint32_t code) {
    static const char *const names[] = {
        [1] = "Kerberos V4",
        [2] = "Kerberos V5",
        [3] = "cleartext password",
        [4] = "crypt password",
        [5] = "MD5",
        [6] = "SCM credential",
        [7] = "GSSAPI",
        [8] = "GSSAPI continue",
        [9] = "SSPI",
    };
    return code < sizeof names / sizeof names[0] ? names[code] : NULL;
}

/* A list of mechanism names, then one zero byte. Unknown ones may stand beside ours. */
static bool read_mechanisms(struct reader *r, struct auth *out) {
    size_t count = 0;
    for (struct view name; (name = reader_cstr(r, MECHANISM_MAX)).len > 0; count++) {
        out->scram |= view_equal_text(name, "SCRAM-SHA-256");
        out->plus |= view_equal_text(name, "SCRAM-SHA-256-PLUS");
    }
    return reader_done(r) && count > 0;
}

static enum auth_request read_request(struct reader *r, struct auth *out) {
    uint32_t code = reader_u32(r);
    if (r->bad)
        return AUTH_REQUEST_BAD;
    switch (code) {
    case AUTH_OK:
        return reader_done(r) ? AUTH_REQUEST_OK : AUTH_REQUEST_BAD;
    case AUTH_SASL:
        return read_mechanisms(r, out) ? AUTH_REQUEST_SASL : AUTH_REQUEST_BAD;
    case AUTH_SASL_CONTINUE:
    case AUTH_SASL_FINAL:
        out->data = reader_bytes(r, reader_left(r));
        return code == AUTH_SASL_FINAL ? AUTH_REQUEST_SASL_FINAL : AUTH_REQUEST_SASL_CONTINUE;
    default:
        out->name = unwanted_name(code);
        return out->name ? AUTH_REQUEST_OTHER : AUTH_REQUEST_BAD;
    }
}

void message_read_auth(struct view body, struct auth *out) {
    memset(out, 0, sizeof *out);
    struct reader r = reader_of(body);
    enum auth_request request = read_request(&r, out);
    if (request == AUTH_REQUEST_BAD)
        memset(out, 0, sizeof *out);
    out->request = request;
}

bool message_read_backend_key(struct view body, uint32_t *pid, uint32_t *key) {
    struct reader r = reader_of(body);
    *pid = reader_u32(&r);
    *key = reader_u32(&r);
    return reader_done(&r);
}

bool message_read_parameter(struct view body, struct view *name, struct view *value) {
    struct reader r = reader_of(body);
    *name = reader_cstr(&r, body.len);
    *value = reader_cstr(&r, body.len);
    return reader_done(&r) && name->len > 0;
}
