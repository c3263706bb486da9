/* SPDX-License-Identifier: ISC
 *
 * Fuzzes a channel's receiver with raw packets. Input: who we are and who the peer is (a bit number each),
 * then packets: a byte with how many descriptors come with it, u16 length, the bytes (version, code, body).
 * What reaches the owner must be what messages.def allows, looked up here by other code; the first packet
 * that breaks a rule is the last that is heard; no descriptor stays open.
 */
#include "channel.h"
#include "packets.h"

#include <assert.h>
#include <event2/event.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct hearing {
    struct event_base *base;
    enum role us, them;
    int sent; /* the packet just sent: its descriptors */
    struct view packet;
    unsigned heard, ended;
    bool gone;
};

static bool allowed(const struct hearing *h) {
    static const struct {
        int from, to;
        size_t most;
        int descriptors;
    } table[] = {
#define MESSAGE(code, from, to, most, descriptor) {from, to, most, descriptor},
#include "messages.def"
#undef MESSAGE
    };
    struct view p = h->packet;
    if (p.len < 2 || p.at[0] != CHANNEL_VERSION || p.at[1] >= sizeof table / sizeof table[0])
        return false;
    return (table[p.at[1]].from & (int)h->them) && (table[p.at[1]].to & (int)h->us) &&
           p.len - 2 <= table[p.at[1]].most && h->sent == table[p.at[1]].descriptors;
}

static void on_message(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    struct hearing *h = arg;
    assert(!h->gone && allowed(h) && m == h->packet.at[1] && (fd >= 0) == (h->sent == 1));
    assert(view_equal(view_of(body->at, reader_left(body)), view_from(h->packet, 2)));
    h->heard++;
    if (fd >= 0)
        close(fd);
}

static void on_ended(void *arg, struct channel *c, const char *why) {
    struct hearing *h = arg;
    assert(!h->gone && why && why[0]);
    h->gone = true;
}

static void one_packet(struct hearing *h, int peer, struct reader *r) {
    static const int fds[PACKET_DESCRIPTORS] = {STDIN_FILENO, STDIN_FILENO, STDIN_FILENO};
    h->sent = reader_u8(r) % (PACKET_DESCRIPTORS + 1);
    size_t len = reader_u16(r);
    h->packet = reader_bytes(r, len < reader_left(r) ? len : reader_left(r));
    unsigned before = h->heard;
    if (h->packet.len == 0 && h->sent == 0)
        return; /* the kernel makes no difference between that and an end */
    if (!packet_write(peer, h->packet, fds, (size_t)h->sent))
        return;
    event_base_loop(h->base, EVLOOP_NONBLOCK);
    event_base_loop(h->base, EVLOOP_NONBLOCK); /* a broken channel ends in the next turn */
    assert(h->heard == before + allowed(h) && h->gone == !allowed(h));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reader r = reader_of(view_of(data, size));
    struct hearing h = {.us = (enum role)(1u << reader_u8(&r) % 10)};
    int pair[2], lowest = dup(STDIN_FILENO);
    h.them = (enum role)(1u << reader_u8(&r) % 10);
    h.base = event_base_new();
    if (!h.base || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        abort();
    struct channel *c = channel_new(h.base, pair[1], h.us, h.them, on_message, on_ended, &h);
    while (reader_left(&r) > 3 && !h.gone)
        one_packet(&h, pair[0], &r);
    if (!h.gone)
        channel_free(&c);
    close(pair[0]);
    event_base_free(h.base);
    close(lowest);
    int again = dup(STDIN_FILENO);
    assert(again == lowest);
    close(again);
    return 0;
}
