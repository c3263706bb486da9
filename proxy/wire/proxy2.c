/* SPDX-License-Identifier: ISC
 *
 * See proxy2.h. The gate calls this only for peers that the configuration lists, but a listed load balancer
 * may pass on what strangers say: everything is checked before it is believed. TLVs are skipped.
 */
#include "proxy2.h"

#include <string.h>

static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

enum { VERSION_2 = 2, COMMAND_LOCAL = 0, COMMAND_PROXY = 1, TCP_OVER_IPV4 = 0x11, TCP_OVER_IPV6 = 0x21 };

static enum proxy2_result bad(struct proxy2 *out, const char *why) {
    memset(out, 0, sizeof *out);
    out->why = why;
    return PROXY2_BAD;
}

static void read_address(struct reader *r, uint8_t address[16], size_t size) {
    struct view v = reader_bytes(r, size);
    if (v.len > 0)
        memcpy(address, v.at, v.len);
}

/* The part behind the fixed header with the PROXY command: both addresses, both ports, then TLVs. */
static enum proxy2_result read_addresses(struct view rest, uint8_t transport, struct proxy2 *out) {
    if (transport != TCP_OVER_IPV4 && transport != TCP_OVER_IPV6)
        return bad(out, "PROXY header is not for TCP over IPv4 or IPv6");
    out->family = transport == TCP_OVER_IPV4 ? 4 : 6;
    size_t size = out->family == 4 ? 4 : 16;
    struct reader r = reader_of(rest);
    read_address(&r, out->source, size);
    read_address(&r, out->destination, size);
    out->source_port = reader_u16(&r);
    out->destination_port = reader_u16(&r);
    return r.bad ? bad(out, "PROXY header is too short for its addresses") : PROXY2_OK;
}

enum proxy2_result proxy2_parse(struct view bytes, struct proxy2 *out) {
    memset(out, 0, sizeof *out);
    size_t look = bytes.len < sizeof signature ? bytes.len : sizeof signature;
    if (look > 0 && memcmp(bytes.at, signature, look) != 0)
        return bad(out, "no PROXY header");
    out->needed = PROXY2_HEADER;
    if (bytes.len < PROXY2_HEADER)
        return PROXY2_MORE;
    struct reader r = reader_of(view_from(bytes, sizeof signature));
    uint8_t version_command = reader_u8(&r), transport = reader_u8(&r);
    size_t length = reader_u16(&r);
    uint8_t command = version_command & 0x0f;
    if (version_command >> 4 != VERSION_2 || command > COMMAND_PROXY)
        return bad(out, "unknown PROXY version or command");
    if (length > PROXY2_MAX - PROXY2_HEADER)
        return bad(out, "PROXY header is too long");
    out->needed = PROXY2_HEADER + length;
    if (bytes.len < out->needed)
        return PROXY2_MORE;
    out->local = command == COMMAND_LOCAL;
    return out->local ? PROXY2_OK : read_addresses(reader_bytes(&r, length), transport, out);
}
