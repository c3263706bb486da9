/* SPDX-License-Identifier: ISC
 *
 * See provision_hello.h. Reads six bytes from the instance and believes nothing else of it.
 */
#include "provision_hello.h"
#include "secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* RFC 4346 section 7.4.1.2: the suites every TLS 1.1 server with an RSA or ECDSA certificate knows, and the
 * curves and point format (RFC 4492) without which it could not use them. */
static void write_hello(struct writer *w) {
    static const uint16_t suites[] = {0xC009, 0xC00A, 0xC013, 0xC014, 0x0033, 0x0039, 0x002F, 0x0035};
    static const uint8_t extensions[] = {0x00, 0x0A, 0x00, 0x08, 0x00, 0x06, 0x00, 0x17, 0x00,
                                         0x18, 0x00, 0x1D, 0x00, 0x0B, 0x00, 0x02, 0x01, 0x00};
    uint8_t random[32];
    secret_random(random, sizeof random);
    uint16_t body = 2 + 32 + 1 + 2 + sizeof suites + 2 + 2 + sizeof extensions;
    writer_u8(w, 0x16); /* handshake */
    writer_u16(w, 0x0301);
    writer_u16(w, (uint16_t)(body + 4));
    writer_u32(w, 0x01000000u | body); /* client_hello and its length */
    writer_u16(w, 0x0302);
    writer_bytes(w, view_of(random, sizeof random));
    writer_u8(w, 0); /* no session */
    writer_u16(w, sizeof suites);
    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++)
        writer_u16(w, suites[i]);
    writer_u16(w, 0x0100); /* one compression method: none */
    writer_u16(w, sizeof extensions);
    writer_bytes(w, view_of(extensions, sizeof extensions));
}

static bool receive(int fd, uint8_t *at, size_t len) {
    for (size_t got = 0; got < len;) {
        ssize_t n = recv(fd, at + got, len - got, 0);
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

static bool say(int fd, const struct writer *w) {
    return !w->bad && send(fd, w->at, w->len, MSG_NOSIGNAL) == (ssize_t)w->len;
}

static enum hello_answer ask(int fd, char why[256]) {
    uint8_t out[256], answer, head[6];
    struct writer request = writer_of(out, sizeof out);
    writer_u32(&request, 8);
    writer_u32(&request, 80877103); /* SSLRequest */
    snprintf(why, 256, "the instance does not speak PostgreSQL's TLS");
    if (!say(fd, &request) || !receive(fd, &answer, 1) || answer != 'S')
        return HELLO_UNKNOWN;
    struct writer hello = writer_of(out, sizeof out);
    write_hello(&hello);
    if (!say(fd, &hello))
        return HELLO_UNKNOWN;
    if (!receive(fd, head, sizeof head))
        return HELLO_REFUSED;
    return head[0] == 0x16 && head[5] == 0x02 ? HELLO_ACCEPTED : HELLO_REFUSED;
}

enum hello_answer provision_hello(const struct address *instance, char why[256]) {
    struct sockaddr_storage to;
    socklen_t len = address_to_sockaddr(instance, &to);
    struct timeval patience = {.tv_sec = 5};
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    enum hello_answer answer = HELLO_UNKNOWN;
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
        connect(fd, (struct sockaddr *)&to, len) == 0)
        answer = ask(fd, why);
    else
        snprintf(why, 256, "cannot connect: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return answer;
}
