/* SPDX-License-Identifier: ISC
 *
 * Fuzzes the head of an HTTP request: the path lies in the input, begins with a slash and has no query, and
 * what is read from a head does not depend on what follows it.
 */
#include "http_request.h"
#include "inside.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct http_request request, again;
    struct view bytes = view_of(data, size);
    if (http_request_read(bytes, &request) != HTTP_OK)
        return 0;
    assert(view_inside(request.path, bytes) && request.path.len > 0 && request.path.at[0] == '/');
    assert(!memchr(request.path.at, '?', request.path.len) &&
           !memchr(request.path.at, ' ', request.path.len));
    size_t head = (size_t)((const uint8_t *)memmem(data, size, "\r\n\r\n", 4) - data) + 4;
    assert(head <= HTTP_HEAD_MAX && http_request_read(view_of(data, head), &again) == HTTP_OK);
    assert(view_equal(again.path, request.path) && again.head == request.head);
    return 0;
}
