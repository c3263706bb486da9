/* SPDX-License-Identifier: ISC
 *
 * Fuzzes what a whole process does with what its peers say: PEERS_MAIN (gate_main, broker_main, ...) runs as
 * it is, in here; the supervisor and all the peers are played from the input, each an attacker who took his
 * process over. The process is started once: where it would turn its loop until the supervisor leaves, the
 * fuzzer is called instead, and turns the loop.
 *
 * The input is a play, a byte a move (see `moves`). After each play everybody leaves, and then: the process
 * lives, a bystander's channel was not touched, and no socket is left. Nothing reaches a network: connect
 * is played, too.
 */
#include "peers.h"
#include "channel.h"
#include "packets.h"
#include "role.h"

#include <arpa/inet.h>
#include <assert.h>
#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/stat.h>

enum { CHANNELS = 8, ENDS = 16, TURNS = 3, PATIENCE = 200, SLACK = 4 };

static struct {
    struct event_base *base;
    int argc;
    char **argv;
    int supervisor; /* our end */
    int bystander;  /* -1: the process has no peers of which there are several */
    uint32_t ids;
    size_t
        sockets; /* open before the first play; a few may wait in the process (a gate that came too early) */
    int channel[CHANNELS], end[ENDS]; /* ends: of streams that were passed to the process, or "connected" */
    size_t channels, ends;
} play = {.supervisor = -1, .bystander = -1};

static const struct {
    int from, to;
    bool descriptor;
} table[M_COUNT] = {
#define MESSAGE(code, from, to, most, descriptor) {from, to, descriptor},
#include "messages.def"
#undef MESSAGE
};

static const char *const tenants[] = {"acme", "globex", "", "no-such-tenant"};

/* --- the world outside --- */

/* The further end of a stream that the process got. */
static void keep_end(int fd) {
    if (play.ends < ENDS)
        play.end[play.ends++] = fd;
    else
        close(fd);
}

/* One end of a stream for the process; the other is kept. */
static int new_stream(void) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        abort();
    keep_end(pair[1]);
    return pair[0];
}

/* Nobody is called in earnest. Odd ports refuse. */
int connect(int fd, const struct sockaddr *to, socklen_t len) {
    const struct sockaddr_in *in = (const void *)to;
    if (to->sa_family == AF_UNIX || (ntohs(in->sin_port) & 1)) {
        errno = ECONNREFUSED;
        return -1;
    }
    int stream = new_stream();
    if (dup3(stream, fd, O_CLOEXEC) < 0)
        abort();
    close(stream);
    return 0;
}

static void hear(void) {
    while (packet_read(play.supervisor) == PACKET_READ)
        ;
    for (size_t i = 0; i < play.channels; i++)
        while (packet_read(play.channel[i]) == PACKET_READ)
            ;
    for (size_t i = 0; i < play.ends; i++)
        while (packet_read(play.end[i]) == PACKET_READ)
            ;
    if (play.bystander >= 0)
        for (enum packet p = PACKET_READ; p != PACKET_NONE; p = packet_read(play.bystander))
            assert(p == PACKET_READ); /* nobody ends a channel but who broke a rule on it */
}

static void turn(void) {
    for (int i = 0; i < TURNS; i++) {
        event_base_loop(play.base, EVLOOP_NONBLOCK);
        hear();
    }
}

/* --- moves --- */

static void say(int socket, enum message_code m, struct view body, const int *fds, size_t count) {
    static uint8_t bytes[2 + CHANNEL_BODY_MAX];
    struct writer w = writer_of(bytes, sizeof bytes);
    writer_u8(&w, CHANNEL_VERSION);
    writer_u8(&w, (uint8_t)m);
    writer_bytes(&w, body);
    packet_write(socket, writer_view(&w), fds, count);
}

/* A new channel between the process and somebody of that role; ours of its ends, or -1. */
static int introduce(enum role role, const char *tenant) {
    int pair[2];
    uint8_t room[256];
    struct writer w = writer_of(room, sizeof room);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        abort();
    writer_u16(&w, (uint16_t)role);
    writer_u32(&w, ++play.ids);
    writer_u32(&w, 1000000 + play.ids);
    writer_text16(&w, view_text(tenant));
    say(play.supervisor, M_PEER, writer_view(&w), &pair[1], 1);
    close(pair[1]);
    return pair[0];
}

/* Anybody but the supervisor, who is there already. */
static void arrive(struct reader *r) {
    uint8_t who = reader_u8(r), whose = reader_u8(r);
    if (play.channels == CHANNELS)
        return;
    play.channel[play.channels++] = introduce((enum role)(2u << who % 9), tenants[whose % 4]);
    turn();
}

static void leave(struct reader *r) {
    size_t i = reader_u8(r);
    if (play.channels == 0)
        return;
    i %= play.channels;
    close(play.channel[i]);
    play.channel[i] = play.channel[--play.channels];
    turn();
}

static struct view take_bytes(struct reader *r) {
    size_t len = reader_u16(r);
    return reader_bytes(r, len < reader_left(r) ? len : reader_left(r));
}

/* With the descriptors that the table wants, unless `odd` says otherwise. */
static void say_with(int socket, enum message_code m, struct view body, uint8_t odd) {
    int fds[PACKET_DESCRIPTORS] = {-1, -1, -1};
    size_t count = m < M_COUNT && table[m].descriptor;
    if (odd > 252)
        count = odd - 252u;
    for (size_t i = 0; i < count; i++)
        fds[i] = new_stream();
    say(socket, m, body, fds, count);
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static void peer_says(struct reader *r) {
    size_t i = reader_u8(r);
    uint8_t m = reader_u8(r), odd = reader_u8(r);
    struct view body = take_bytes(r);
    if (play.channels > 0)
        say_with(play.channel[i % play.channels], m, body, odd);
}

/* The supervisor is no attacker: what it says is well formed (peers.h), in any order. */
static void supervisor_says(struct reader *r) {
    static uint8_t room[CHANNEL_BODY_MAX];
    struct writer w = writer_of(room, sizeof room);
    enum message_code m = peers_supervisor(reader_u8(r), &w);
    if (m == M_IDENTITY && PEERS_ROLE != R_LOBBY)
        return; /* a cell gets its own from the broker */
    if (m != M_COUNT && (table[m].to & PEERS_ROLE))
        say_with(play.supervisor, m, writer_view(&w), 0);
    turn();
}

/* What a broker or a supervisor tells a cell so that it can serve: certificates and keys that are good. */
static void furnish(struct reader *r) {
    static uint8_t room[CHANNEL_BODY_MAX];
    size_t i = reader_u8(r);
    uint8_t what = reader_u8(r);
    struct writer w = writer_of(room, sizeof room);
    enum message_code m = peers_furniture(what, &w);
    if (play.channels > 0)
        say_with(play.channel[i % play.channels], m, writer_view(&w), 0);
}

static void stream_says(struct reader *r) {
    size_t i = reader_u8(r);
    struct view bytes = take_bytes(r);
    if (play.ends > 0 && bytes.len > 0)
        packet_write(play.end[i % play.ends], bytes, NULL, 0);
    turn();
}

static void stream_ends(struct reader *r) {
    size_t i = reader_u8(r);
    if (play.ends == 0)
        return;
    i %= play.ends;
    close(play.end[i]);
    play.end[i] = play.end[--play.ends];
    turn();
}

static void just_turn(struct reader *r) {
    turn();
}

static void (*const moves[])(struct reader *) = {arrive,  peer_says,   leave,       supervisor_says,
                                                 furnish, stream_says, stream_ends, just_turn};

/* --- the end of a play --- */

/* Files are the ledger's and the store's own business. */
static size_t open_sockets(void) {
    size_t count = 0;
    DIR *d = opendir("/proc/self/fd");
    if (!d)
        abort();
    for (struct dirent *e; (e = readdir(d));) {
        struct stat s;
        count +=
            e->d_name[0] != '.' && fstat((int)strtol(e->d_name, NULL, 10), &s) == 0 && S_ISSOCK(s.st_mode);
    }
    closedir(d);
    return count;
}

static void everybody_leaves(void) {
    while (play.channels > 0)
        close(play.channel[--play.channels]);
    while (play.ends > 0)
        close(play.end[--play.ends]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct reader r = reader_of(view_of(data, size));
    while (reader_left(&r) > 0)
        moves[reader_u8(&r) % (sizeof moves / sizeof moves[0])](&r);
    turn();
    everybody_leaves();
    for (int i = 0; i < 2 || open_sockets() > play.sockets + SLACK; i++) {
        if (i == PATIENCE) {
            fprintf(stderr, "sockets: %zu at first, %zu now\n", play.sockets, open_sockets());
            abort();
        }
        if (i > TURNS)
            usleep(5000);
        turn();
        everybody_leaves(); /* what was "connected" meanwhile */
    }
    peers_tidy();
    return 0;
}

/* --- the frame --- */

static int drive(void) {
#ifdef PEERS_FUZZ
    return LLVMFuzzerRunDriver(&play.argc, &play.argv, LLVMFuzzerTestOneInput);
#else
    return replay_main(play.argc, play.argv);
#endif
}

/* Before it knows the directory a broker lets cells wait. */
static void fill_directory(void) {
    static const uint8_t zero[8];
    int keeper = introduce(R_KEEPER, "");
    say(keeper, M_SNAPSHOT_BEGIN, view_of(zero, 8), NULL, 0);
    say(keeper, M_STATEMENTS_END, view_of(zero, 8), NULL, 0);
    say(keeper, M_SNAPSHOT_END, view_of(zero, 4), NULL, 0);
    turn();
    close(keeper);
    turn();
}

static void set_up(void) {
    static uint8_t room[CHANNEL_BODY_MAX];
    struct writer w = writer_of(room, sizeof room);
    peers_settings(&w);
    say(play.supervisor, M_SETTINGS, writer_view(&w), NULL, 0);
    if (PEERS_ROLE & (R_BROKER | R_GATE | R_LEDGER))
        play.bystander = introduce(R_CELL, "bystander");
    say(play.supervisor, M_GO, view_of("\1", 1), NULL, 0);
    turn();
    if (PEERS_ROLE == R_BROKER)
        fill_directory();
    play.sockets = open_sockets();
}

/* Instead of libevent's: role_run believes that its loop runs. */
int event_base_dispatch(struct event_base *base) {
    play.base = base;
    set_up();
    int code = drive();
    peers_end();
    exit(code);
}

int main(int argc, char **argv) {
    int pair[2];
    play.argc = argc;
    play.argv = argv;
    peers_begin();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        abort();
    /* The process expects its supervisor at 3. */
    play.supervisor = fcntl(pair[0], F_DUPFD_CLOEXEC, 10);
    int other = fcntl(pair[1], F_DUPFD_CLOEXEC, 10);
    close(pair[0]);
    close(pair[1]);
    if (play.supervisor < 0 || dup2(other, 3) != 3)
        abort();
    close(other);
    return PEERS_MAIN();
}
