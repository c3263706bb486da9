/* SPDX-License-Identifier: ISC
 *
 * Fuzzes proxy2_parse: `needed` is honest, a good header has no bad beginning, and bytes behind it change
 * nothing.
 */
#include "proxy2.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_good(const uint8_t *data, const struct proxy2 *p) {
    assert(p->needed >= PROXY2_HEADER && p->needed <= PROXY2_MAX && !p->why);
    assert(p->local ? p->family == 0 : p->family == 4 || p->family == 6);
    struct proxy2 alone;
    assert(proxy2_parse(view_of(data, p->needed), &alone) == PROXY2_OK);
    assert(memcmp(alone.source, p->source, 16) == 0 && alone.source_port == p->source_port);
    for (size_t cut = 0; cut < p->needed; cut++) {
        struct proxy2 part;
        assert(proxy2_parse(view_of(data, cut), &part) == PROXY2_MORE);
        assert(part.needed > cut && part.needed <= p->needed);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct proxy2 p;
    switch (proxy2_parse(view_of(data, size), &p)) {
    case PROXY2_OK:
        assert(p.needed <= size);
        check_good(data, &p);
        break;
    case PROXY2_MORE:
        assert(p.needed > size && p.needed <= PROXY2_MAX);
        break;
    case PROXY2_BAD:
        assert(p.why && p.family == 0);
        break;
    }
    return 0;
}
