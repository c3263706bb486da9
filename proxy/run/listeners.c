/* SPDX-License-Identifier: ISC
 *
 * See listeners.h.
 */
#include "listeners.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int find(const struct listeners *in, const struct address *address) {
    for (size_t i = 0; in && i < in->count; i++)
        if (address_equal(&in->item[i].address, address))
            return in->item[i].fd;
    return -1;
}

static int open_one(const struct address *address) {
    struct sockaddr_storage sa;
    socklen_t len = address_to_sockaddr(address, &sa);
    int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    bool good = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
    /* [::] means IPv6 only: whoever wants both lists both, and sees both in the log. */
    if (good && sa.ss_family == AF_INET6)
        good = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0;
    if (good && bind(fd, (struct sockaddr *)&sa, len) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

bool listeners_open(struct listeners *out, const struct addresses *wanted, const struct listeners *old,
                    uint32_t backlog, char why[LISTENERS_WHY], int *error) {
    out->count = 0;
    for (size_t i = 0; i < wanted->count; i++) {
        const struct address *address = &wanted->address[i];
        int kept = find(old, address);
        int fd = find(out, address) >= 0 ? -1 : kept >= 0 ? kept : open_one(address);
        if (find(out, address) >= 0)
            errno = EEXIST; /* listed twice */
        /* Listening again on a kept one only changes its backlog. */
        if (fd >= 0 && listen(fd, (int)backlog) == 0) {
            out->item[out->count].address = *address;
            out->item[out->count++].fd = fd;
            continue;
        }
        *error = errno;
        char text[ADDRESS_TEXT];
        address_text_port(address, text);
        snprintf(why, LISTENERS_WHY, "cannot listen on %s: %s", text, strerror(*error));
        if (fd >= 0 && kept < 0)
            close(fd);
        listeners_close(out, old);
        return false;
    }
    return true;
}

void listeners_close(struct listeners *old, const struct listeners *kept) {
    for (size_t i = 0; i < old->count; i++)
        if (find(kept, &old->item[i].address) < 0)
            close(old->item[i].fd);
    old->count = 0;
}

bool listeners_open_all(struct listeners out[PLANES], const struct settings *s,
                        const struct listeners old[PLANES], char why[LISTENERS_WHY], int *error) {
    const struct addresses *wanted[PLANES] = {&s->listen, &s->operator_listen, &s->metrics_listen};
    for (int i = 0; i < PLANES; i++) {
        if (listeners_open(&out[i], wanted[i], old ? &old[i] : NULL, s->listen_backlog, why, error))
            continue;
        while (i-- > 0)
            listeners_close(&out[i], old ? &old[i] : NULL);
        return false;
    }
    return true;
}
