/* SPDX-License-Identifier: ISC
 *
 * A statement as anybody hands it in. What reads well composes to the same bytes; the broker, which trusts no
 * key here, takes nothing and lets nobody in.
 */
#include "grants.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition) {
    if (!condition)
        abort();
}

static void compose_again(const struct statement *st, struct view text) {
    uint8_t room[STATEMENT_MAX];
    char why[STATEMENT_WHY];
    struct writer w = writer_of(room, sizeof room);
    must(statement_compose(st, &w, why));
    must(view_equal(writer_view(&w), text));
    must(!memchr(st->reason, '\n', strlen(st->reason)));
}

static void hand_in(struct view text, int64_t now) {
    static const uint8_t signature[STATEMENT_SIGNATURE];
    static const struct grants_limits limits = {.ticket_pattern = ".*", .max = {1, 1, 1, 1}};
    struct trust *t = trust_new();
    struct grants *g = grants_new("production", &limits, t);
    struct statement st;
    struct failure f;
    struct grant_verdict v;
    char why[STATEMENT_WHY];
    must(t && g);
    must(!grants_check(g, text, view_of(signature, sizeof signature), now, &st, &f));
    must(grants_add(g, text, view_of(signature, sizeof signature), 1, now, NULL, NULL, why) ==
         GRANTS_TAMPERING);
    grants_decide(g, "alice", "acme", "shop", now, &v);
    must(!v.allowed && v.failure.sqlstate[0]);
    grants_free(&g);
    trust_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view text = view_of(data, size);
    struct statement st;
    char why[STATEMENT_WHY];
    bool good = statement_parse(text, &st, why);
    must(good == !why[0]);
    if (good)
        compose_again(&st, text);
    hand_in(text, good ? st.at : 0);
    return 0;
}
