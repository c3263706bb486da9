/* SPDX-License-Identifier: ISC
 *
 * Requests for metrics and health: what is one, and what is not.
 */
#include "http_request.h"

#include <criterion/criterion.h>
#include <string.h>

static struct http_request request;

static enum http_result ask(const char *text) {
    return http_request_read(view_text(text), &request);
}

Test(http_request, prometheus_asks) {
    cr_assert_eq(ask("GET /metrics HTTP/1.1\r\nHost: localhost:9187\r\nAccept: text/plain\r\n\r\n"), HTTP_OK);
    cr_assert(view_equal_text(request.path, "/metrics") && !request.head);
}

Test(http_request, a_query_is_not_part_of_the_path) {
    cr_assert_eq(ask("HEAD /readyz?verbose=1?2 HTTP/1.0\r\n\r\n"), HTTP_OK);
    cr_assert(view_equal_text(request.path, "/readyz") && request.head);
}

Test(http_request, every_beginning_waits_for_more) {
    const char *whole = "GET /healthz HTTP/1.1\r\nA: b\r\n\r\n";
    for (size_t n = 0; n < strlen(whole); n++)
        cr_assert_eq(http_request_read(view_of(whole, n), &request), HTTP_MORE, "%zu", n);
    cr_assert_eq(ask(whole), HTTP_OK);
}

Test(http_request, what_is_no_request) {
    static const char *const bad[] = {"\r\n\r\n",
                                      "GET\r\n\r\n",
                                      "GET /\r\n\r\n",
                                      "GET  / HTTP/1.1\r\n\r\n",
                                      "GET /a b HTTP/1.1\r\n\r\n",
                                      "GET / HTTP/2.0\r\n\r\n",
                                      "GET / HTTP/1.1 \r\n\r\n",
                                      "GET http://x/metrics HTTP/1.1\r\n\r\n",
                                      "GET /\x01 HTTP/1.1\r\n\r\n",
                                      "GET /\xc3\xa9 HTTP/1.1\r\n\r\n",
                                      " / HTTP/1.1\r\n\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_eq(ask(bad[i]), HTTP_BAD, "%zu", i);
}

Test(http_request, only_reading) {
    cr_assert_eq(ask("POST /metrics HTTP/1.1\r\n\r\n"), HTTP_NOT_METHOD);
    cr_assert_eq(ask("get /metrics HTTP/1.1\r\n\r\n"), HTTP_NOT_METHOD);
}

Test(http_request, the_head_is_bounded) {
    static char text[HTTP_HEAD_MAX + 1];
    memset(text, 'x', sizeof text);
    memcpy(text, "GET / HTTP/1.1\r\n", 16);
    cr_assert_eq(http_request_read(view_of(text, HTTP_HEAD_MAX - 1), &request), HTTP_MORE);
    cr_assert_eq(http_request_read(view_of(text, HTTP_HEAD_MAX), &request), HTTP_TOO_LONG);
    memcpy(text + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
    cr_assert_eq(http_request_read(view_of(text, HTTP_HEAD_MAX), &request), HTTP_OK);
    memcpy(text + HTTP_HEAD_MAX - 3, "\r\n\r\n", 4);
    cr_assert_eq(http_request_read(view_of(text, HTTP_HEAD_MAX + 1), &request), HTTP_TOO_LONG);
}
