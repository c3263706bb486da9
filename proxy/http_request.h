/* SPDX-License-Identifier: ISC
 *
 * The head of an HTTP/1 request (RFC 9112), as far as a page of metrics needs it: method and path. Headers
 * are passed over, a body is not taken. Pure; the bytes come from strangers.
 */
#ifndef SEKISHO_HTTP_REQUEST_H
#define SEKISHO_HTTP_REQUEST_H

#include "bytes.h"

#define HTTP_HEAD_MAX 8192 /* bytes of request line and headers */

enum http_result {
    HTTP_OK,
    HTTP_MORE,      /* the head is not whole yet */
    HTTP_BAD,       /* no request: 400 */
    HTTP_TOO_LONG,  /* 431 */
    HTTP_NOT_METHOD /* neither GET nor HEAD: 405 */
};

struct http_request {
    bool head;        /* HEAD: the answer has no body */
    struct view path; /* without its query; into `bytes` */
};

/* out is set for HTTP_OK. */
enum http_result http_request_read(struct view bytes, struct http_request *out);

#endif
