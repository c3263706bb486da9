/* SPDX-License-Identifier: ISC
 *
 * A file of the trust folder. What reads well composes to the same bytes, counts once, and gives one role at
 * most.
 */
#include "trust.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition) {
    if (!condition)
        abort();
}

static void use(const struct trust_key *k, struct view text) {
    uint8_t room[TRUST_FILE_MAX];
    char why[STATEMENT_WHY];
    struct writer w = writer_of(room, sizeof room);
    struct trust *t = trust_new();
    must(t != NULL);
    must(trust_compose(k, &w) && view_equal(writer_view(&w), text));
    must(trust_add(t, text, why));
    must(!trust_add(t, text, why) && why[0]);
    must(trust_count(t) == 1 && trust_knows(t, k->name, k->id));
    must(trust_roles(t, k->name, k->public, k->tenant, k->not_before) == (unsigned)k->role);
    must(trust_roles(t, k->name, k->public, k->tenant, k->not_after) == 0);
    must(trust_person(t, k->name, k->tenant, k->withdrawn) == 0);
    trust_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct trust_key k;
    char why[STATEMENT_WHY];
    bool good = trust_parse(view_of(data, size), &k, why);
    must(good == !why[0]);
    if (good)
        use(&k, view_of(data, size));
    return 0;
}
