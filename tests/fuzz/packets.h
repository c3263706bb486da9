/* SPDX-License-Identifier: ISC
 *
 * For fuzz targets that play a process's peers: packets as somebody writes them who took the other end of a
 * channel over, with any bytes and any number of descriptors.
 */
#ifndef SEKISHO_PACKETS_H
#define SEKISHO_PACKETS_H

#include "bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PACKET_DESCRIPTORS 3

/* False when the socket takes nothing: its other end is gone, or full. */
static inline bool packet_write(int socket, struct view bytes, const int *fds, size_t count) {
    struct iovec io = {(void *)bytes.at, bytes.len};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(PACKET_DESCRIPTORS * sizeof(int))];
    } control = {.space = {0}};
    struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
    if (count > 0) {
        m.msg_control = control.space;
        m.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(h), fds, count * sizeof(int));
    }
    return sendmsg(socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

enum packet { PACKET_NONE, PACKET_READ, PACKET_END };

/* Reads and forgets one packet, or what there is of a stream; its descriptors are closed. */
static inline enum packet packet_read(int socket) {
    static uint8_t bytes[1 << 17];
    struct iovec io = {bytes, sizeof bytes};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(PACKET_DESCRIPTORS * sizeof(int))];
    } control;
    struct msghdr m = {.msg_iov = &io,
                       .msg_iovlen = 1,
                       .msg_control = control.space,
                       .msg_controllen = sizeof control.space};
    ssize_t n = recvmsg(socket, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? PACKET_NONE : PACKET_END;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
        for (size_t i = 0; i < (h->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
            close(fd);
        }
    return n == 0 ? PACKET_END : PACKET_READ;
}

#endif
