/* SPDX-License-Identifier: ISC
 *
 * See vouched.h.
 */
#include "vouched.h"
#include "magic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VOUCHED_MAGIC 0x5ec10020u

struct vouched *vouched_new(void) {
    struct vouched *v = calloc(1, sizeof *v);
    if (v)
        v->magic = VOUCHED_MAGIC;
    return v;
}

void vouched_free(struct vouched **v) {
    if (!*v)
        return;
    MAGIC_CHECK(*v, VOUCHED_MAGIC);
    (*v)->magic = 0;
    free(*v);
    *v = NULL;
}

void vouched_keep(struct vouched *v, const uint8_t leaf[VOUCHED_DIGEST], const char *name, int64_t wall_us,
                  int64_t ends_us) {
    MAGIC_CHECK(v, VOUCHED_MAGIC);
    v->name[0] = 0;
    if (strlen(name) >= sizeof v->name)
        return;
    snprintf(v->name, sizeof v->name, "%s", name);
    memcpy(v->leaf, leaf, VOUCHED_DIGEST);
    v->from_us = wall_us;
    v->until_us = ends_us < wall_us + VOUCHED_US ? ends_us : wall_us + VOUCHED_US;
}

bool vouched_knows(const struct vouched *v, const uint8_t leaf[VOUCHED_DIGEST], const char *name,
                   int64_t wall_us) {
    MAGIC_CHECK(v, VOUCHED_MAGIC);
    return v->name[0] && strcmp(v->name, name) == 0 && memcmp(v->leaf, leaf, VOUCHED_DIGEST) == 0 &&
           wall_us >= v->from_us && wall_us < v->until_us;
}
