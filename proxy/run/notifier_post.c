/* SPDX-License-Identifier: ISC
 *
 * See notifier_post.h. libcurl's multi interface on our loop: it names the sockets to watch and the time to
 * wake it. It answers to no proxy of the environment and follows nobody to another address. Reached by
 * whoever runs the web hook: what it answers is counted, never kept. (Debian's libcurl asks name servers in a
 * thread of its own: the only thread there is in any of our processes; it runs none of our code.)
 */
#include "notifier_post.h"
#include "magic.h"
#include "notice_url.h"
#include "role.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define TRANSFER_MAGIC 0xF7406E2Du
#define HEADER_MAX 160

struct transfer {
    uint32_t magic;
    CURL *easy;
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
    told_fn *told;
    void *arg;
    LIST_ENTRY(transfer) next;
};

static LIST_HEAD(, transfer) transfers = LIST_HEAD_INITIALIZER(transfers);
static CURLM *multi;
static struct event *wake;

static void transfer_free(struct transfer **t) {
    if (!*t)
        return;
    MAGIC_CHECK(*t, TRANSFER_MAGIC);
    LIST_REMOVE(*t, next);
    if ((*t)->easy)
        curl_multi_remove_handle(multi, (*t)->easy);
    curl_easy_cleanup((*t)->easy);
    curl_slist_free_all((*t)->headers);
    (*t)->magic = 0;
    free(*t);
    *t = NULL;
}

static void finished(CURL *easy, CURLcode result) {
    struct transfer *t = NULL;
    long status = 0;
    char why[TOLD_WHY] = "";
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    MAGIC_CHECK(t, TRANSFER_MAGIC);
    bool good = result == CURLE_OK && status >= 200 && status < 300;
    if (result != CURLE_OK)
        snprintf(why, sizeof why, "cannot be reached: %.120s",
                 t->error[0] ? t->error : curl_easy_strerror(result));
    else if (!good)
        snprintf(why, sizeof why, "answered with status %ld", status);
    told_fn *told = t->told;
    void *arg = t->arg;
    transfer_free(&t);
    told(arg, good, why);
}

static void act(curl_socket_t fd, int events) {
    int running, left;
    curl_multi_socket_action(multi, fd, events, &running);
    for (CURLMsg *m; (m = curl_multi_info_read(multi, &left));)
        if (m->msg == CURLMSG_DONE)
            finished(m->easy_handle, m->data.result);
}

static void on_socket(evutil_socket_t fd, short what, void *arg) {
    act(fd, (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void on_wake(evutil_socket_t fd, short what, void *arg) {
    act(CURL_SOCKET_TIMEOUT, 0);
}

/* libcurl: from now on tell me of that about this socket. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket) {
    struct event *e = of_socket;
    if (e)
        event_free(e);
    e = NULL;
    if (what != CURL_POLL_REMOVE) {
        short events =
            (short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
        e = event_new(role_base(), fd, events, on_socket, NULL);
        if (!e || event_add(e, NULL) < 0)
            abort();
    }
    curl_multi_assign(multi, fd, e);
    return 0;
}

/* libcurl: wake me then; never from inside this call. */
static int set_wake(CURLM *m, long ms, void *arg) {
    struct timeval after = {ms / 1000, ms % 1000 * 1000};
    if (ms < 0)
        evtimer_del(wake);
    else
        evtimer_add(wake, &after);
    return 0;
}

static bool begin(void) {
    if (multi)
        return true;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return false;
    wake = evtimer_new(role_base(), on_wake, NULL);
    multi = curl_multi_init();
    if (!wake || !multi)
        abort();
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_wake);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)POSTS_MAX);
    return true;
}

static size_t forget(char *at, size_t size, size_t count, void *arg) {
    return size * count;
}

static bool add_header(struct transfer *t, const char *name, const char *value) {
    char line[HEADER_MAX];
    int n = snprintf(line, sizeof line, "%s: %s", name, value);
    struct curl_slist *more = n > 0 && (size_t)n < sizeof line ? curl_slist_append(t->headers, line) : NULL;
    if (more)
        t->headers = more;
    return more;
}

/* Nothing but what is asked for: no redirect, no proxy, no other protocol. */
static bool set_manners(struct transfer *t, const struct post *p) {
    CURL *e = t->easy;
    bool plain = strncasecmp(p->url, "http:", 5) == 0; /* to loopback: notice_url_good */
    bool good = curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https") == CURLE_OK &&
                curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
                curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK &&
                curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
                curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
                curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
                curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
                curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)TOLD_LIMIT_MS) == CURLE_OK;
    if (p->ca[0])
        good = good && curl_easy_setopt(e, CURLOPT_CAINFO, p->ca) == CURLE_OK &&
               curl_easy_setopt(e, CURLOPT_CAPATH, NULL) == CURLE_OK;
    return good;
}

static bool set_request(struct transfer *t, const struct post *p) {
    CURL *e = t->easy;
    return curl_easy_setopt(e, CURLOPT_URL, p->url) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)p->body.len) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_COPYPOSTFIELDS, p->body.at) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_USERAGENT, "sekisho/" SEKISHO_VERSION) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, forget) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PRIVATE, t) == CURLE_OK;
}

bool post_start(const struct post *p, told_fn *told, void *arg) {
    const char *why;
    if (!notice_url_good(p->url, &why) || !begin())
        return false;
    struct transfer *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    *t = (struct transfer){.magic = TRANSFER_MAGIC, .told = told, .arg = arg, .easy = curl_easy_init()};
    LIST_INSERT_HEAD(&transfers, t, next);
    bool good = t->easy && add_header(t, "Content-Type", "application/json") &&
                add_header(t, "Idempotency-Key", p->key) &&
                (!p->signature[0] || add_header(t, "Sekisho-Signature", p->signature)) && set_manners(t, p) &&
                set_request(t, p) && curl_multi_add_handle(multi, t->easy) == CURLM_OK;
    if (!good)
        transfer_free(&t);
    return good;
}

void posts_end(void) {
    if (!multi)
        return;
    while (!LIST_EMPTY(&transfers)) {
        struct transfer *t = LIST_FIRST(&transfers);
        transfer_free(&t);
    }
    curl_multi_cleanup(multi);
    multi = NULL;
    event_free(wake);
    wake = NULL;
    curl_global_cleanup();
}
