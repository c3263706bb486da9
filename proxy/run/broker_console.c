/* SPDX-License-Identifier: ISC
 *
 * The way to the console: a session for the virtual database gets one end of a new socket pair, the console
 * the other, with the word of the broker about who is there. The console believes nobody else about that.
 */
#include "broker.h"
#include "log.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_message(void *arg, struct channel *c, enum message_code m, struct reader *body, int fd) {
    channel_offend(c, "sent what a console does not say to a broker");
}

static void on_ended(void *arg, struct channel *c, const char *why) {
    role_condemn((uint32_t)(uintptr_t)arg, why);
    broker.console = NULL;
}

void console_peer(uint32_t id, int fd) {
    channel_free(&broker.console);
    broker.console =
        channel_new(role_base(), fd, R_BROKER, R_CONSOLE, on_message, on_ended, (void *)(uintptr_t)id);
}

int console_connect(uint64_t session, enum console_kind kind, const char *name, const char *tenant) {
    int pair[2];
    if (!broker.console)
        return -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) {
        log_error("no socket pair for the console: %s", strerror(errno));
        return -1;
    }
    struct writer w = channel_scratch();
    writer_u64(&w, session);
    writer_u8(&w, (uint8_t)kind);
    writer_text16(&w, view_text(name));
    writer_text16(&w, view_text(tenant));
    channel_send(broker.console, M_CONSOLE, &w, pair[1]);
    close(pair[1]);
    return pair[0];
}
