/* SPDX-License-Identifier: ISC
 *
 * See http_request.h.
 */
#include "http_request.h"

#include <string.h>

/* What stands before `stop`, which is taken too; false without one. */
static bool cut(struct view *rest, char stop, struct view *out) {
    const uint8_t *at = rest->len > 0 ? memchr(rest->at, stop, rest->len) : NULL;
    if (!at)
        return false;
    *out = view_of(rest->at, (size_t)(at - rest->at));
    *rest = view_from(*rest, out->len + 1);
    return true;
}

static bool is_graphic(struct view v) {
    for (size_t i = 0; i < v.len; i++)
        if (v.at[i] <= 0x20 || v.at[i] >= 0x7f)
            return false;
    return v.len > 0;
}

enum http_result http_request_read(struct view bytes, struct http_request *out) {
    struct view line, method, target;
    const uint8_t *end = bytes.len > 0 ? memmem(bytes.at, bytes.len, "\r\n\r\n", 4) : NULL;
    size_t head = end ? (size_t)(end - bytes.at) + 4 : bytes.len;
    if (head > HTTP_HEAD_MAX || (!end && head == HTTP_HEAD_MAX))
        return HTTP_TOO_LONG;
    if (!end)
        return HTTP_MORE;
    struct view rest = view_of(bytes.at, head);
    if (!cut(&rest, '\r', &line) || !cut(&line, ' ', &method) || !cut(&line, ' ', &target))
        return HTTP_BAD;
    if (!is_graphic(method) || !is_graphic(target) || target.at[0] != '/')
        return HTTP_BAD;
    if (!view_equal_text(line, "HTTP/1.1") && !view_equal_text(line, "HTTP/1.0"))
        return HTTP_BAD;
    out->head = view_equal_text(method, "HEAD");
    if (!out->head && !view_equal_text(method, "GET"))
        return HTTP_NOT_METHOD;
    out->path = target;
    cut(&target, '?', &out->path);
    return HTTP_OK;
}
