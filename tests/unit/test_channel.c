/* SPDX-License-Identifier: ISC
 *
 * Channels: what a peer may say, what ends it, and that sending never blocks. The peer here is a bare socket.
 */
#include "channel.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct event_base *base;
static int peer; /* the cell's end, in the hands of whoever took the cell over */
static struct channel *broker_end;
static int heard, descriptors;
static enum message_code last;
static char ended_why[128];

static void on_message(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    heard++;
    last = m;
    if (fd >= 0) {
        descriptors++;
        close(fd);
    }
}

static void on_ended(void *arg, struct channel *c, const char *why) {
    snprintf(ended_why, sizeof ended_why, "%s", why);
    broker_end = NULL;
}

static void between(enum role us, enum role them) {
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    if (base)
        event_base_free(base);
    base = event_base_new();
    peer = pair[0];
    broker_end = channel_new(base, pair[1], us, them, on_message, on_ended, NULL);
}

static void say(const void *bytes, size_t len) {
    cr_assert_eq(send(peer, bytes, len, 0), (ssize_t)len);
}

static void turn(void) {
    event_base_loop(base, EVLOOP_NONBLOCK);
    event_base_loop(base, EVLOOP_NONBLOCK);
}

static void say_with_descriptors(const void *bytes, size_t len, int count) {
    int fds[2] = {STDIN_FILENO, STDIN_FILENO};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    struct iovec io = {(void *)bytes, len};
    struct msghdr m = {.msg_iov = &io,
                       .msg_iovlen = 1,
                       .msg_control = control.space,
                       .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    memcpy(CMSG_DATA(h), fds, (size_t)count * sizeof(int));
    cr_assert_eq(sendmsg(peer, &m, 0), (ssize_t)len);
}

static int open_descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

Test(channel, a_cell_says_what_it_may) {
    between(R_BROKER, R_CELL);
    uint8_t release[10] = {CHANNEL_VERSION, M_RELEASE};
    say(release, sizeof release);
    turn();
    cr_assert_eq(heard, 1);
    cr_assert_eq(last, M_RELEASE);
    cr_assert_not_null(broker_end);
}

Test(channel, a_cell_that_speaks_as_the_keeper_is_ended) {
    between(R_BROKER, R_CELL);
    uint8_t forged[10] = {CHANNEL_VERSION, M_SNAPSHOT_FRESH};
    say(forged, sizeof forged);
    turn();
    cr_assert_eq(heard, 0);
    cr_assert_str_eq(ended_why, "sent a message it may not send");
}

Test(channel, an_unknown_version_or_message_ends_the_peer) {
    between(R_BROKER, R_CELL);
    uint8_t old[10] = {CHANNEL_VERSION + 1, M_RELEASE};
    say(old, sizeof old);
    turn();
    cr_assert_str_eq(ended_why, "sent an unknown message");
    between(R_BROKER, R_CELL);
    uint8_t unknown[2] = {CHANNEL_VERSION, M_COUNT};
    say(unknown, sizeof unknown);
    turn();
    cr_assert_null(broker_end);
    between(R_BROKER, R_CELL);
    say(unknown, 1);
    turn();
    cr_assert_null(broker_end);
    cr_assert_eq(heard, 0);
}

Test(channel, a_message_longer_than_its_rule_ends_the_peer) {
    between(R_BROKER, R_CELL);
    uint8_t longer[2 + 9] = {CHANNEL_VERSION, M_RELEASE};
    say(longer, sizeof longer);
    turn();
    cr_assert_str_eq(ended_why, "sent a message longer than allowed");
}

Test(channel, descriptors_come_only_where_the_table_says_and_never_leak) {
    between(R_BROKER, R_CELL);
    int before = open_descriptors();
    uint8_t release[10] = {CHANNEL_VERSION, M_RELEASE};
    say_with_descriptors(release, sizeof release, 1);
    turn();
    cr_assert_eq(heard, 0);
    cr_assert_str_eq(ended_why, "sent a wrong number of descriptors");
    cr_assert_eq(open_descriptors(), before - 1, "the channel's own end is closed, the sent one too");

    between(R_CELL, R_GATE);
    before = open_descriptors();
    uint8_t handover[40] = {CHANNEL_VERSION, M_HANDOVER};
    say_with_descriptors(handover, sizeof handover, 1);
    turn();
    cr_assert_eq(heard, 1);
    cr_assert_eq(descriptors, 1);
    say_with_descriptors(handover, sizeof handover, 2);
    turn();
    cr_assert_null(broker_end);
    cr_assert_eq(open_descriptors(), before - 1);
    between(R_CELL, R_GATE);
    say(handover, sizeof handover);
    turn();
    cr_assert_null(broker_end, "a hand-over without a socket is none");
}

Test(channel, the_owner_hears_of_the_end_once_everything_said_was_heard) {
    between(R_BROKER, R_CELL);
    uint8_t release[10] = {CHANNEL_VERSION, M_RELEASE};
    for (int i = 0; i < 5; i++)
        say(release, sizeof release);
    close(peer);
    turn();
    cr_assert_eq(heard, 5);
    cr_assert_str_eq(ended_why, "closed");
}

Test(channel, last_words_are_heard_although_the_peer_did_not_hear_ours) {
    between(R_BROKER, R_CELL);
    uint8_t release[10] = {CHANNEL_VERSION, M_RELEASE};
    struct writer w = channel_scratch();
    writer_u64(&w, 1);
    channel_send(broker_end, M_ADMITTED, &w, STDIN_FILENO);
    say(release, sizeof release);
    close(peer);
    channel_send(broker_end, M_ADMITTED, &w, STDIN_FILENO);
    turn();
    cr_assert_eq(heard, 1);
    cr_assert_str_eq(ended_why, "closed");
}

Test(channel, sending_to_a_peer_that_does_not_listen_queues_and_then_ends_it) {
    between(R_BROKER, R_CELL);
    struct writer w = channel_scratch();
    static const uint8_t blob[60000];
    writer_bytes(&w, view_of(blob, sizeof blob));
    for (int i = 0; i < 20; i++)
        channel_send(broker_end, M_IDENTITY, &w, -1);
    cr_assert_gt(channel_backlog(broker_end), sizeof blob);
    /* It listens again: everything arrives, whole and in order. */
    static uint8_t got[65537];
    int arrived = 0;
    for (int i = 0; i < 200 && arrived < 20; i++) {
        ssize_t n = recv(peer, got, sizeof got, MSG_DONTWAIT);
        if (n > 0) {
            cr_assert_eq(n, (ssize_t)sizeof blob + 2);
            arrived++;
        }
        turn();
    }
    cr_assert_eq(arrived, 20);
    cr_assert_eq(channel_backlog(broker_end), 0);
    for (size_t i = 0; i < CHANNEL_QUEUE_MAX / sizeof blob + 40; i++)
        channel_send(broker_end, M_IDENTITY, &w, -1);
    turn();
    cr_assert_str_eq(ended_why, "does not take what it is sent");
}

Test(channel, an_owner_may_free_it_inside_its_own_callback) {
    between(R_BROKER, R_CELL);
    struct channel *c = broker_end;
    channel_offend(c, "did something");
    channel_free(&c);
    turn();
    cr_assert_str_eq(ended_why, "", "who freed it is not told");
}

static size_t all_descriptors(void) {
    size_t count = 0;
    DIR *open_ones = opendir("/proc/self/fd");
    while (readdir(open_ones))
        count++;
    closedir(open_ones);
    return count;
}

/* A cell that asks for sockets and takes none must not use up the broker's descriptors. */
Test(channel, descriptors_for_a_peer_who_does_not_read_are_few) {
    struct rlimit most;
    uint8_t request[8] = {0};
    struct writer body = writer_of(request, sizeof request);
    writer_u64(&body, 1);
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max < 20000 ? most.rlim_max : 20000;
    setrlimit(RLIMIT_NOFILE, &most);
    between(R_BROKER, R_CELL);
    size_t before = all_descriptors(), highest = 0;
    for (int i = 0; i < 10000; i++)
        channel_send(broker_end, M_ADMITTED, &body, STDIN_FILENO);
    highest = all_descriptors();
    cr_assert_lt(highest - before, 3000, "%zu descriptors are held for it", highest - before);
    turn();
    cr_assert_str_eq(ended_why, "does not take what it is sent");
    cr_assert_leq(all_descriptors(), before);
    close(peer);
}

/* It read in the log as if the supervisor had broken a rule. */
Test(channel, out_of_descriptors_is_no_fault_of_the_peer) {
    const uint8_t admitted[10] = {CHANNEL_VERSION, M_ADMITTED};
    struct rlimit most;
    between(R_CELL, R_BROKER);
    getrlimit(RLIMIT_NOFILE, &most);
    int lowest = dup(STDIN_FILENO); /* the next descriptor there would be */
    close(lowest);
    most.rlim_cur = (rlim_t)lowest;
    setrlimit(RLIMIT_NOFILE, &most);
    say_with_descriptors(admitted, sizeof admitted, 1);
    turn();
    cr_assert_str_eq(ended_why, "sent a descriptor, and this process can have no more");
    cr_assert_eq(heard, 0);
    close(peer);
}
