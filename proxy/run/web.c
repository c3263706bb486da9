/* SPDX-License-Identifier: ISC
 *
 * See web.h. libcurl's multi interface on our loop: it names the sockets to watch and the time to wake it.
 * Reached by whoever runs the web server that the configuration names: what it answers is counted, never
 * kept. (Debian's libcurl asks name servers in a thread of its own: the only thread there is in any of our
 * processes; it runs none of our code.)
 */
#include "web.h"
#include "magic.h"
#include "role.h"
#include "web_manners.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <sys/queue.h>

#define WEB_MAGIC 0xF7406E2Du
#define KEPT_MOST 16 /* connections */

struct web {
    uint32_t magic;
    CURL *easy;
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
    web_answered_fn *answered;
    void *arg;
    bool bare; /* a connection without a request */
    LIST_ENTRY(web) next;
};

static LIST_HEAD(, web) all = LIST_HEAD_INITIALIZER(all);
static CURLM *multi;
static struct event *wake;

void web_stop(struct web **w) {
    if (!*w)
        return;
    MAGIC_CHECK(*w, WEB_MAGIC);
    LIST_REMOVE(*w, next);
    if ((*w)->easy)
        curl_multi_remove_handle(multi, (*w)->easy);
    curl_easy_cleanup((*w)->easy);
    curl_slist_free_all((*w)->headers);
    (*w)->magic = 0;
    free(*w);
    *w = NULL;
}

static void finished(CURL *easy, CURLcode result) {
    struct web *w = NULL;
    char why[WEB_WHY];
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&w);
    MAGIC_CHECK(w, WEB_MAGIC);
    if (w->bare && result == CURLE_OK) {
        w->answered(w->arg, true, ""); /* libcurl keeps the connection while it knows the handle */
        return;
    }
    bool good = web_agrees(easy, (int)result, w->error, why);
    web_answered_fn *answered = w->answered;
    void *arg = w->arg;
    web_stop(&w);
    answered(arg, good, why);
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
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)KEPT_MOST);
    return true;
}

static bool add_headers(struct web *w, const struct web_wish *wish) {
    for (size_t i = 0; i < wish->headers; i++) {
        struct curl_slist *more = curl_slist_append(w->headers, wish->header[i]);
        if (!more)
            return false;
        w->headers = more;
    }
    return true;
}

static bool set_body(CURL *e, struct view body) {
    return curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_COPYPOSTFIELDS, body.at) == CURLE_OK;
}

static bool set_request(struct web *w, const struct web_wish *wish) {
    CURL *e = w->easy;
    return web_manners(e, wish->url, wish->ca, wish->limit_ms) && add_headers(w, wish) &&
           (!wish->post || set_body(e, wish->body)) &&
           curl_easy_setopt(e, CURLOPT_HTTPHEADER, w->headers) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_ERRORBUFFER, w->error) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PRIVATE, w) == CURLE_OK;
}

struct web *web_start(const struct web_wish *wish, web_answered_fn *answered, void *arg) {
    const char *why;
    if (!web_url_good(wish->url, &why) || !begin())
        return NULL;
    struct web *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    *w = (struct web){.magic = WEB_MAGIC, .answered = answered, .arg = arg, .easy = curl_easy_init()};
    LIST_INSERT_HEAD(&all, w, next);
    if (!w->easy || !set_request(w, wish) || curl_multi_add_handle(multi, w->easy) != CURLM_OK)
        web_stop(&w);
    return w;
}

static bool set_bare(struct web *w, const char *url, const char *ca, uint32_t limit_ms) {
    CURL *e = w->easy;
    return web_manners(e, url, ca, limit_ms) && curl_easy_setopt(e, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_SSL_ENABLE_ALPN, 0L) == CURLE_OK && /* it is no HTTP */
           curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_ERRORBUFFER, w->error) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PRIVATE, w) == CURLE_OK;
}

struct web *web_connect(const char *url, const char *ca, uint32_t limit_ms, web_answered_fn *connected,
                        void *arg) {
    const char *why;
    if (!web_url_good(url, &why) || !begin())
        return NULL;
    struct web *w = calloc(1, sizeof *w);
    if (!w)
        abort();
    *w = (struct web){.magic = WEB_MAGIC, .answered = connected, .arg = arg, .bare = true};
    w->easy = curl_easy_init();
    LIST_INSERT_HEAD(&all, w, next);
    if (!w->easy || !set_bare(w, url, ca, limit_ms) || curl_multi_add_handle(multi, w->easy) != CURLM_OK)
        web_stop(&w);
    return w;
}

int web_socket(const struct web *w) {
    curl_socket_t fd = CURL_SOCKET_BAD;
    MAGIC_CHECK(w, WEB_MAGIC);
    assert(w->bare);
    return curl_easy_getinfo(w->easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK ? (int)fd : -1;
}

ssize_t web_write(struct web *w, struct view bytes) {
    size_t sent = 0;
    MAGIC_CHECK(w, WEB_MAGIC);
    assert(w->bare);
    CURLcode code = curl_easy_send(w->easy, bytes.at, bytes.len, &sent);
    if (code == CURLE_OK)
        return (ssize_t)sent;
    return code == CURLE_AGAIN ? 0 : -1;
}

bool web_listen(struct web *w) {
    uint8_t heard[512];
    size_t n = 0;
    MAGIC_CHECK(w, WEB_MAGIC);
    assert(w->bare);
    CURLcode code = curl_easy_recv(w->easy, heard, sizeof heard, &n);
    return code == CURLE_AGAIN || (code == CURLE_OK && n > 0);
}

void web_end(void) {
    if (!multi)
        return;
    while (!LIST_EMPTY(&all)) {
        struct web *w = LIST_FIRST(&all);
        web_stop(&w);
    }
    curl_multi_cleanup(multi);
    multi = NULL;
    event_free(wake);
    wake = NULL;
    curl_global_cleanup();
}
