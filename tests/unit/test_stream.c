/* SPDX-License-Identifier: ISC
 *
 * Streams: what is reported, and that one busy stream leaves room for everybody else on the loop.
 */
#include "stream.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

static struct event_base *base;
static struct stream stream;
static int peer, notified, notified_at_tick;
static struct event *tick;

static void begin(stream_fn *notify) {
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    peer = pair[0];
    base = event_base_new();
    stream_begin(&stream, base, pair[1], 60, notify, NULL);
}

static void end(void) {
    stream_end(&stream);
    stream_end(&stream);
    close(peer);
    event_base_free(base);
}

static void count(void *arg, int what) {
    notified++;
}

static void go_on(void *arg, int what) {
    static const struct timeval now = {0, 0};
    if (notified == 0)
        event_add(tick, &now);
    if (++notified < 1000)
        stream_again(&stream);
}

static void on_tick(evutil_socket_t fd, short what, void *arg) {
    notified_at_tick = notified;
}

Test(stream, a_busy_one_lets_the_loop_look_at_others) {
    begin(go_on);
    tick = event_new(base, -1, 0, on_tick, NULL);
    stream_again(&stream);
    event_base_loop(base, 0);
    cr_assert_eq(notified, 1000);
    cr_assert_leq(notified_at_tick, 2, "a timer that was due waited for %d turns", notified_at_tick);
    event_free(tick);
    end();
}

Test(stream, notifies_of_what_is_wanted_only) {
    begin(count);
    cr_assert_eq(write(peer, "x", 1), 1);
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    cr_assert_eq(notified, 0);
    stream_want(&stream, true, false);
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    cr_assert_eq(notified, 1);
    stream_want(&stream, false, false);
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    cr_assert_eq(notified, 1);
    end();
}

Test(stream, tells_the_end_from_nothing_yet) {
    uint8_t byte;
    size_t got;
    begin(count);
    cr_assert_eq(stream_read(&stream, &byte, 1, &got), STREAM_AGAIN);
    cr_assert_eq(shutdown(peer, SHUT_WR), 0);
    cr_assert_eq(stream_read(&stream, &byte, 1, &got), STREAM_END);
    end();
}

/* OpenSSL checks no name at all when it is given an empty one. */
Test(stream, never_connects_to_somebody_without_a_name) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    begin(count);
    cr_assert_not(stream_tls_connect(&stream, context, ""));
    cr_assert(stream_tls_connect(&stream, context, "db.internal"));
    end();
    SSL_CTX_free(context);
}

/* As after a pause: what was held is gone, sixteen records are moved, and reading is wanted again. */
Test(stream, going_on_does_not_cost_the_next_wake_up) {
    uint8_t byte;
    size_t got;
    begin(count);
    stream_want(&stream, true, false);
    stream_want(&stream, false, false);
    stream_again(&stream);
    stream_want(&stream, true, false);
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    cr_assert_eq(notified, 1);
    cr_assert_eq(write(peer, "x", 1), 1);
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    cr_assert_eq(notified, 2, "bytes came and nobody was told");
    cr_assert_eq(stream_read(&stream, &byte, 1, &got), STREAM_OK);
    end();
}
