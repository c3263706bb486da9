/* SPDX-License-Identifier: ISC
 *
 * See hello.h. Two steps: gather the handshake message out of its records (RFC 8446 5.1), then walk it. Any
 * stranger reaches this code in the gate, which reads no secret and opens no backend. The cell's TLS library
 * reads the same bytes again: where it would refuse, we refuse too, so that both never see different names.
 */
#include "hello.h"
#include "text.h"

#include <string.h>

enum { RECORD_HEADER = 5, RECORD_HANDSHAKE = 22, RECORD_LONGEST = 1 << 14 };
enum { HANDSHAKE_HEADER = 4, HANDSHAKE_CLIENT_HELLO = 1 };
enum { VERSION_MAJOR = 3, RANDOM_LENGTH = 32, SESSION_ID_MAX = 32 };
enum { EXTENSION_SERVER_NAME = 0, EXTENSION_ALPN = 16, NAME_TYPE_HOST = 0 };

static enum hello_result bad(struct hello *out, const char *why) {
    out->why = why;
    return HELLO_BAD;
}

static enum hello_result more(struct hello *out, size_t needed) {
    if (needed > HELLO_MAX)
        return bad(out, "ClientHello is too long");
    out->needed = needed;
    return HELLO_MORE;
}

/* Appends the fragment of the record at *offset to the message. At least `missing` bytes of the message are
 * still to come, so a total without room for them is not worth a try. */
static enum hello_result take_record(struct view bytes, size_t missing, size_t *offset,
                                     struct writer *message, struct hello *out) {
    struct view rest = view_from(bytes, *offset);
    if (rest.len > 0 && rest.at[0] != RECORD_HANDSHAKE)
        return bad(out, "not a TLS handshake record");
    if (rest.len > 1 && rest.at[1] != VERSION_MAJOR)
        return bad(out, "unknown TLS record version");
    if (rest.len < RECORD_HEADER)
        return more(out, *offset + RECORD_HEADER + missing);
    size_t length = (size_t)rest.at[3] << 8 | rest.at[4];
    if (length == 0)
        return bad(out, "empty TLS record");
    if (length > RECORD_LONGEST)
        return bad(out, "TLS record is too long");
    if (rest.len - RECORD_HEADER < length)
        return more(out, *offset + RECORD_HEADER + length);
    writer_bytes(message, view_of(rest.at + RECORD_HEADER, length));
    *offset += RECORD_HEADER + length;
    return HELLO_OK;
}

/* How many bytes the message lacks at least. */
static enum hello_result count_missing(struct view message, size_t *missing, struct hello *out) {
    if (message.len > 0 && message.at[0] != HANDSHAKE_CLIENT_HELLO)
        return bad(out, "not a ClientHello");
    if (message.len < HANDSHAKE_HEADER) {
        *missing = HANDSHAKE_HEADER - message.len;
        return HELLO_OK;
    }
    struct reader r = reader_of(view_from(message, 1));
    size_t whole = HANDSHAKE_HEADER + (size_t)reader_u24(&r);
    /* RFC 8446 5.1: a ClientHello ends at the end of its record; before TLS 1.3 nothing could follow it
     * either. */
    if (message.len > whole)
        return bad(out, "bytes behind the ClientHello in its record");
    *missing = whole - message.len;
    return HELLO_OK;
}

/* Collects the handshake message, header included, until it is whole. */
static enum hello_result gather(struct view bytes, struct writer *message, struct hello *out) {
    size_t offset = 0, missing = 0;
    for (;;) {
        enum hello_result result = count_missing(writer_view(message), &missing, out);
        if (result != HELLO_OK || missing == 0)
            return result;
        result = take_record(bytes, missing, &offset, message, out);
        if (result != HELLO_OK)
            return result;
    }
}

static bool is_host_character(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Letters, digits, '-' and '_' in labels that are not empty; so neither a leading nor a trailing dot. */
static bool is_host_name(struct view name) {
    bool in_label = false;
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] == '.' && !in_label)
            return false;
        if (name.at[i] != '.' && !is_host_character(name.at[i]))
            return false;
        in_label = name.at[i] != '.';
    }
    return in_label;
}

/* RFC 6066 3. No name type but host_name was ever defined; the TLS library takes exactly one name, too.
 * These three return why the extension is bad, or NULL. */
static const char *read_server_name(struct view data, struct hello *out) {
    struct reader list = reader_of(data);
    struct reader r = reader_of(reader_text16(&list, UINT16_MAX));
    if (!reader_done(&list) || reader_left(&r) == 0)
        return "malformed server name list";
    uint8_t type = reader_u8(&r);
    struct view name = reader_text16(&r, UINT16_MAX);
    if (!r.bad && type != NAME_TYPE_HOST)
        return "server name of an unknown type";
    if (!r.bad && reader_left(&r) > 0)
        return "more than one server name";
    if (r.bad)
        return "malformed server name list";
    if (name.len > HELLO_NAME_MAX || !is_host_name(name))
        return "server name is not a host name";
    return text_lower_into(name, out->server_name, sizeof out->server_name) ? NULL
                                                                            : "server name is too long";
}

/* RFC 7301 3.1. */
static const char *read_alpn(struct view data, struct hello *out) {
    struct reader list = reader_of(data);
    struct reader r = reader_of(reader_text16(&list, UINT16_MAX));
    bool some = false;
    while (reader_left(&r) > 0) {
        struct view protocol = reader_bytes(&r, reader_u8(&r));
        some = protocol.len > 0;
        if (!some)
            break;
        if (view_equal_text(protocol, "postgresql"))
            out->alpn_postgresql = true;
    }
    return reader_done(&list) && reader_done(&r) && some ? NULL : "malformed ALPN list";
}

static const char *read_extensions(struct view extensions, struct hello *out) {
    struct reader r = reader_of(extensions);
    bool seen_name = false, seen_alpn = false;
    while (reader_left(&r) > 0) {
        uint16_t type = reader_u16(&r);
        struct view data = reader_text16(&r, UINT16_MAX);
        if (r.bad)
            break;
        bool *seen = type == EXTENSION_SERVER_NAME ? &seen_name : type == EXTENSION_ALPN ? &seen_alpn : NULL;
        if (!seen)
            continue;
        if (*seen)
            return "extension sent twice";
        *seen = true;
        const char *why = type == EXTENSION_ALPN ? read_alpn(data, out) : read_server_name(data, out);
        if (why)
            return why;
    }
    return r.bad ? "malformed extensions" : NULL;
}

/* The body of a ClientHello, RFC 8446 4.1.2; before TLS 1.3 the extensions may be missing altogether. */
static const char *read_body(struct view body, struct hello *out) {
    struct reader r = reader_of(body);
    uint16_t version = reader_u16(&r);
    reader_bytes(&r, RANDOM_LENGTH);
    struct view session_id = reader_bytes(&r, reader_u8(&r));
    struct view ciphers = reader_text16(&r, UINT16_MAX);
    struct view compressions = reader_bytes(&r, reader_u8(&r));
    if (r.bad)
        return "truncated ClientHello";
    if (version >> 8 != VERSION_MAJOR)
        return "unknown TLS version";
    if (session_id.len > SESSION_ID_MAX || ciphers.len == 0 || ciphers.len % 2 != 0 || compressions.len == 0)
        return "malformed ClientHello";
    if (reader_done(&r))
        return NULL;
    struct view extensions = reader_text16(&r, UINT16_MAX);
    return reader_done(&r) ? read_extensions(extensions, out) : "malformed extensions";
}

enum hello_result hello_parse(struct view bytes, struct hello *out) {
    memset(out, 0, sizeof *out);
    if (bytes.len > HELLO_MAX)
        bytes.len = HELLO_MAX; /* a peek may have caught more than the hello */
    uint8_t room[HELLO_MAX];
    struct writer message = writer_of(room, sizeof room);
    enum hello_result result = gather(bytes, &message, out);
    if (result != HELLO_OK)
        return result;
    const char *why = read_body(view_from(writer_view(&message), HANDSHAKE_HEADER), out);
    if (!why)
        return HELLO_OK;
    memset(out, 0, sizeof *out);
    return bad(out, why);
}
