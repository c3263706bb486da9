/* SPDX-License-Identifier: ISC
 *
 * See keeper_names.h.
 */
#include "keeper_names.h"
#include "clock.h"
#include "log.h"
#include "magic.h"

#include <event2/dns.h>
#include <event2/util.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define NAMES_MAGIC 0x4A3E5B07u
#define AGAIN_US 30000000
#define FOUND_MAX 32 /* addresses of one name that are looked at */

struct name {
    UT_hash_handle hh;
    struct names *all;
    char host[TENANT_NAME_MAX + 1];
    bool named;     /* in the directory that is being read */
    bool asked;     /* the answer is still to come */
    bool forgotten; /* no longer in the table: freed when the answer comes */
    bool complained;
    int64_t again_us;
    size_t count;
    struct address address[TENANT_ADDRESSES_MAX];
};

struct names {
    uint32_t magic;
    struct evdns_base *dns;
    struct event *timer;
    struct name *table;
    names_changed_fn *changed;
    void *arg;
};

static int compare(const void *a, const void *b) {
    const struct address *x = a, *y = b;
    return x->family != y->family ? x->family - y->family : memcmp(x->bytes, y->bytes, sizeof x->bytes);
}

/* Sorted, so that a name server that rotates its answer changes nothing. */
static void keep(struct name *e, const struct evutil_addrinfo *found) {
    struct address list[FOUND_MAX];
    size_t n = 0;
    for (; found && n < FOUND_MAX; found = found->ai_next)
        if (address_from_sockaddr(found->ai_addr, &list[n]))
            list[n++].port = 0;
    if (n == 0)
        return;
    qsort(list, n, sizeof list[0], compare);
    n = n < TENANT_ADDRESSES_MAX ? n : TENANT_ADDRESSES_MAX;
    bool same = n == e->count;
    for (size_t i = 0; same && i < n; i++)
        same = address_equal(&list[i], &e->address[i]);
    if (same)
        return;
    memcpy(e->address, list, n * sizeof list[0]);
    e->count = n;
    e->all->changed(e->all->arg);
}

static void on_answer(int error, struct evutil_addrinfo *found, void *arg) {
    struct name *e = arg;
    e->asked = false;
    e->again_us = clock_now().mono_us + AGAIN_US;
    if (error && !e->complained && !e->forgotten)
        log_warning("no address for instance host %s: %s", e->host, evutil_gai_strerror(error));
    e->complained = error != 0;
    if (!error && !e->forgotten)
        keep(e, found);
    if (found)
        evutil_freeaddrinfo(found);
    if (e->forgotten)
        free(e);
}

static void ask(struct name *e) {
    struct evutil_addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = EVUTIL_AI_ADDRCONFIG};
    e->asked = true; /* before the call: it may answer at once */
    evdns_getaddrinfo(e->all->dns, e->host, NULL, &hints, on_answer, e);
}

static void on_timer(evutil_socket_t fd, short what, void *arg) {
    struct names *n = arg;
    MAGIC_CHECK(n, NAMES_MAGIC);
    int64_t now = clock_now().mono_us;
    for (struct name *e = n->table; e; e = e->hh.next)
        if (!e->asked && now >= e->again_us)
            ask(e);
}

struct names *names_new(struct event_base *base, names_changed_fn *changed, void *arg) {
    static const struct timeval second = {1, 0};
    struct names *n = calloc(1, sizeof *n);
    if (!n)
        abort();
    *n = (struct names){.magic = NAMES_MAGIC, .changed = changed, .arg = arg};
    n->dns = evdns_base_new(base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    n->timer = event_new(base, -1, EV_PERSIST, on_timer, n);
    if (!n->dns || !n->timer || event_add(n->timer, &second) < 0)
        abort();
    if (evdns_base_resolv_conf_parse(n->dns, DNS_OPTIONS_ALL, "/etc/resolv.conf"))
        log_warning(
            "/etc/resolv.conf names no name server: instances are reached by address or /etc/hosts only");
    return n;
}

void names_begin(struct names *n) {
    MAGIC_CHECK(n, NAMES_MAGIC);
    for (struct name *e = n->table; e; e = e->hh.next)
        e->named = false;
}

static struct name *new_name(struct names *n, const char *host) {
    struct name *e = calloc(1, sizeof *e);
    if (!e)
        abort();
    e->all = n;
    memcpy(e->host, host, strlen(host));
    HASH_ADD_STR(n->table, host, e);
    return e;
}

size_t names_find(struct names *n, const char *host, uint16_t port,
                  struct address out[TENANT_ADDRESSES_MAX]) {
    MAGIC_CHECK(n, NAMES_MAGIC);
    if (address_parse(view_text(host), &out[0])) {
        out[0].port = port;
        return 1;
    }
    assert(strlen(host) <= TENANT_NAME_MAX);
    struct name *e;
    HASH_FIND_STR(n->table, host, e);
    if (!e) {
        e = new_name(n, host);
        ask(e);
    }
    e->named = true;
    for (size_t i = 0; i < e->count; i++) {
        out[i] = e->address[i];
        out[i].port = port;
    }
    return e->count;
}

void names_end(struct names *n) {
    MAGIC_CHECK(n, NAMES_MAGIC);
    struct name *e, *next;
    HASH_ITER (hh, n->table, e, next) {
        if (e->named)
            continue;
        HASH_DEL(n->table, e);
        e->forgotten = true;
        if (!e->asked)
            free(e);
    }
}
