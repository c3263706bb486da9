/* SPDX-License-Identifier: ISC
 *
 * gate COUNT: a unit is a connection through the gate: accepted, its SSLRequest answered, its ClientHello
 * looked at, its socket handed to the tenant's cell. The gate is the real one but for role.c, whose calls are
 * played here: the loop turns when the driver says so. Broker and cell are the other ends of its channels.
 */
#include "counted.h"
#include "criterion/criterion.h"
#include "role.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#define TENANT "acme"
#define NAME "acme.db.example.com"
#define TURNS 1000 /* of the loop, after which what is waited for will not come */

static struct event_base *base;
static struct channel *supervisor;
static struct settings settings;
static struct sockaddr_in door;
static int broker, cell; /* our ends */
static uint8_t hello[4096];
static int hello_len;

/* --- role.h, as the gate sees it --- */

struct event_base *role_base(void) {
    return base;
}

struct channel *role_supervisor(void) {
    return supervisor;
}

const struct settings *role_settings(void) {
    return &settings;
}

void role_condemn(uint32_t id, const char *why) {
    cr_assert_null(why);
}

void role_leave(void) {
    abort();
}

struct event *role_timer(uint32_t ms, bool repeat, event_callback_fn fn, void *arg) {
    struct event *timer = event_new(base, -1, repeat ? EV_PERSIST : 0, fn, arg);
    struct timeval after = {ms / 1000, (ms % 1000) * 1000};
    cr_assert(timer && event_add(timer, &after) == 0);
    return timer;
}

/* --- the others --- */

static void turn(void) {
    COUNTED(event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK));
}

/* Packets that came to our end of a channel, the first descriptor of them in *fd: the code of the last; -1
 * when there was none. */
static int take_packet(int end, int *fd) {
    uint8_t bytes[4096];
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec io = {bytes, sizeof bytes};
    struct msghdr m = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(end, &m, MSG_DONTWAIT);
    struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    if (h && h->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(h), sizeof *fd);
    return n >= 2 ? bytes[1] : -1;
}

static void say(int end, enum message_code m, const struct writer *body) {
    uint8_t bytes[512] = {CHANNEL_VERSION, (uint8_t)m};
    cr_assert_lt(body->len, sizeof bytes - 2);
    if (body->len > 0)
        memcpy(bytes + 2, body->at, body->len);
    cr_assert_eq(send(end, bytes, 2 + body->len, 0), (ssize_t)(2 + body->len));
    turn();
}

static int introduce(const struct role_hooks *hooks, void *arg, enum role role, const char *tenant) {
    struct role_peer peer = {.role = role, .id = (uint32_t)role, .pid = 1};
    int pair[2];
    snprintf(peer.tenant, sizeof peer.tenant, "%s", tenant);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    hooks->peer(arg, &peer, pair[1]);
    return pair[0];
}

static void tell_routes(void) {
    uint8_t room[128];
    struct writer empty = writer_of(NULL, 0), tenant = writer_of(room, sizeof room);
    say(broker, M_ROUTES_BEGIN, &empty);
    writer_text16(&tenant, view_text(TENANT));
    writer_u32(&tenant, 1);
    say(broker, M_ROUTE_TENANT, &tenant);
    tenant = writer_of(room, sizeof room);
    writer_text16(&tenant, view_text(NAME));
    say(broker, M_ROUTE_NAME, &tenant);
    say(broker, M_ROUTES_END, &empty);
}

static void open_door(const struct role_hooks *hooks, void *arg) {
    struct address at;
    uint8_t room[64];
    struct writer w = writer_of(room, sizeof room);
    struct reader nothing = reader_of(view_of(NULL, 0));
    socklen_t len = sizeof door;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    door = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cr_assert(bind(fd, (struct sockaddr *)&door, sizeof door) == 0 && listen(fd, 16) == 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&door, &len), 0);
    cr_assert(address_from_sockaddr((struct sockaddr *)&door, &at));
    writer_u8(&w, 0);
    address_write(&w, &at);
    struct reader body = reader_of(writer_view(&w));
    hooks->message(arg, NULL, M_LISTENERS_BEGIN, &nothing, -1);
    hooks->message(arg, NULL, M_LISTENER, &body, fd);
    hooks->message(arg, NULL, M_LISTENERS_END, &nothing, -1);
}

static void make_hello(void) {
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);
    SSL_set_tlsext_host_name(ssl, NAME);
    SSL_connect(ssl);
    hello_len = BIO_read(out, hello, sizeof hello);
    cr_assert_lt(0, hello_len);
    SSL_free(ssl);
    SSL_CTX_free(context);
}

/* --- the unit --- */

static void one(void) {
    static const uint8_t ssl_request[8] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};
    char answer = 0;
    int turns = 0, handed = -1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&door, sizeof door), 0);
    cr_assert_eq(send(fd, ssl_request, sizeof ssl_request, 0), (ssize_t)sizeof ssl_request);
    for (; recv(fd, &answer, 1, MSG_DONTWAIT) != 1; turns++) {
        cr_assert_lt(turns, TURNS);
        turn();
    }
    cr_assert_eq(answer, 'S');
    cr_assert_eq(send(fd, hello, (size_t)hello_len, 0), (ssize_t)hello_len);
    for (; take_packet(cell, &handed) != M_HANDOVER; turns++) {
        cr_assert_lt(turns, TURNS);
        turn();
    }
    cr_assert_lt(0, handed);
    close(handed);
    close(fd);
}

static uint64_t count;

int role_run(enum role us, const struct role_hooks *hooks, void *arg) {
    struct settings_error error;
    int pair[2];
    signal(SIGPIPE, SIG_IGN);
    cr_assert(settings_parse(view_of(NULL, 0), "none", &settings, &error));
    base = event_base_new();
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    supervisor = channel_new(base, pair[0], R_GATE, R_SUPERVISOR, hooks->message, NULL, arg);
    hooks->settings(arg, &settings);
    broker = introduce(hooks, arg, R_BROKER, "");
    cell = introduce(hooks, arg, R_CELL, TENANT);
    tell_routes();
    open_door(hooks, arg);
    make_hello();
    one();
    counting = true;
    for (uint64_t i = 0; i < count; i++)
        one();
    counting = false;
    return 0;
}

int main(int argc, char **argv) {
    char *end;
    cr_assert_eq(argc, 2);
    count = strtoull(argv[1], &end, 10);
    cr_assert(!*end && count > 0);
    gate_main();
    printf("units %lu\n", count);
    return 0;
}
