/* SPDX-License-Identifier: ISC
 *
 * See notifier_post.h. How the web server is reached is web.c's; here is what a notice's request looks like.
 */
#include "notifier_post.h"
#include "web.h"

#include <stdio.h>

#define HEADERS_MAX 3
#define HEADER_MAX 160

struct headers {
    char room[HEADERS_MAX][HEADER_MAX];
    const char *line[HEADERS_MAX];
    size_t count;
};

static bool add_header(struct headers *h, const char *name, const char *value) {
    char *line = h->room[h->count];
    int n = snprintf(line, HEADER_MAX, "%s: %s", name, value);
    h->line[h->count++] = line;
    return n > 0 && n < HEADER_MAX;
}

bool post_start(const struct post *p, told_fn *told, void *arg) {
    struct headers h = {.count = 0};
    struct web_wish wish = {.url = p->url,
                            .ca = p->ca,
                            .header = h.line,
                            .post = true,
                            .body = p->body,
                            .limit_ms = TOLD_LIMIT_MS};
    if (!add_header(&h, "Content-Type", "application/json") || !add_header(&h, "Idempotency-Key", p->key) ||
        (p->signature[0] && !add_header(&h, "Sekisho-Signature", p->signature)))
        return false;
    wish.headers = h.count;
    return web_start(&wish, told, arg) != NULL;
}

void posts_end(void) {
    web_end();
}
