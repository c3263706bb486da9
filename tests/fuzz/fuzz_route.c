/* SPDX-License-Identifier: ISC
 *
 * Fuzzes the table of names and addresses. The input is lines: "n NAME TENANT" and "a ADDRESS TENANT" fill
 * it, "q NAME ADDRESS" asks ("-": neither). A plain list, searched from its start, must give the same
 * answers.
 */
#include "route.h"
#include "text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINES = 256 };

struct row {
    char name[300]; /* "" : an address */
    struct address address;
    char tenant[64];
};

static struct row rows[LINES];
static size_t count;

static struct view take(struct view *rest, char end) {
    const uint8_t *found = rest->len > 0 ? memchr(rest->at, end, rest->len) : NULL;
    struct view word = view_of(rest->at, found ? (size_t)(found - rest->at) : rest->len);
    *rest = view_from(*rest, found ? word.len + 1 : word.len);
    return word;
}

static void remember(struct row *r, bool taken) {
    bool others = false, valid = tenant_id_valid(view_text(r->tenant)) &&
                                 (r->name[0] ? host_name_valid(view_text(r->name))
                                             : r->address.family != 0 && r->address.port != 0);
    for (size_t i = 0; i < count; i++) {
        bool same = r->name[0] ? strcmp(rows[i].name, r->name) == 0
                               : !rows[i].name[0] && address_equal(&rows[i].address, &r->address);
        others |= same && strcmp(rows[i].tenant, r->tenant) != 0;
    }
    assert(taken == (valid && !others));
    if (taken)
        rows[count++] = *r;
}

static void fill(struct routes *routes, bool by_name, struct view line) {
    struct row r = {.name = ""};
    struct view what = take(&line, ' ');
    if (count == LINES || !view_copy_text(line, r.tenant, sizeof r.tenant))
        return;
    if (by_name) {
        if (!view_copy_text(what, r.name, sizeof r.name) || !r.name[0])
            return;
        remember(&r, routes_add_name(routes, r.name, r.tenant));
    } else if (address_parse_port(what, true, &r.address)) {
        remember(&r, routes_add_address(routes, &r.address, r.tenant));
    }
}

static const char *slow_name(const char *name) {
    for (size_t i = 0; i < count; i++)
        if (name[0] && strcmp(rows[i].name, name) == 0)
            return rows[i].tenant;
    return NULL;
}

static const char *slow_address(const struct address *a) {
    const struct address tries[] = {
        *a, {.family = a->family, .port = a->port}, {.family = 6, .port = a->port}};
    for (size_t t = 0; t < 3 && a->family != 0; t++)
        for (size_t i = 0; i < count; i++)
            if (!rows[i].name[0] && address_equal(&rows[i].address, &tries[t]))
                return rows[i].tenant;
    return NULL;
}

static void ask(const struct routes *routes, struct view line) {
    char name[300] = "";
    struct address a = {0};
    const char *tenant;
    struct view first = take(&line, ' ');
    if ((!view_equal_text(first, "-") && !view_copy_text(first, name, sizeof name)) ||
        (!view_equal_text(line, "-") && !address_parse_port(line, true, &a)))
        return;
    const char *by_name = slow_name(name), *by_address = slow_address(&a);
    enum route_result result = routes_find(routes, name, &a, &tenant);
    assert((result == ROUTE_FOUND) == (tenant != NULL));
    if (result == ROUTE_FOUND)
        assert(strcmp(tenant, name[0] ? by_name : by_address) == 0 &&
               (!by_address || strcmp(tenant, by_address) == 0));
    assert((result == ROUTE_NO_SIGNAL) == (!name[0] && !by_address));
    assert((result == ROUTE_UNKNOWN) == (name[0] && !by_name));
    assert((result == ROUTE_DISAGREE) == (by_name && by_address && strcmp(by_name, by_address) != 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct routes *routes = routes_new();
    struct view rest = view_of(data, size);
    count = 0;
    if (!routes)
        abort();
    while (rest.len > 0) {
        struct view line = take(&rest, '\n'), move = take(&line, ' ');
        if (view_equal_text(move, "n") || view_equal_text(move, "a"))
            fill(routes, move.at[0] == 'n', line);
        else if (view_equal_text(move, "q"))
            ask(routes, line);
    }
    routes_free(&routes);
    return 0;
}
