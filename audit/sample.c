/* SPDX-License-Identifier: ISC
 *
 * See sample.h.
 */
#include "sample.h"

#include <assert.h>

#define SECOND_US 1000000

static void skip(struct sample *s, struct view reason, uint64_t count, int64_t mono_us) {
    uint32_t i = 0;
    if (s->kinds == 0)
        s->skipped_us = mono_us;
    while (i < s->kinds && !view_equal_text(reason, s->kind[i].reason))
        i++;
    if (i == s->kinds || i >= SAMPLE_REASONS) {
        i = i < SAMPLE_REASONS ? i : SAMPLE_REASONS;
        if (i == s->kinds)
            s->kinds++;
        bool fits = i < SAMPLE_REASONS && view_copy_text(reason, s->kind[i].reason, sizeof s->kind[i].reason);
        if (!fits)
            view_copy_text(view_text("other reasons"), s->kind[i].reason, sizeof s->kind[i].reason);
    }
    s->kind[i].count += count;
}

bool sample_takes(struct sample *s, uint32_t a_second, struct view reason, uint64_t count, int64_t mono_us) {
    assert(count > 0);
    if (s->second_us == 0 || mono_us - s->second_us >= SECOND_US) {
        s->second_us = mono_us;
        s->taken = 0;
    }
    if (s->taken < a_second) {
        s->taken++;
        return true;
    }
    skip(s, reason, count, mono_us);
    return false;
}

bool sample_due(const struct sample *s, int64_t mono_us) {
    return s->kinds > 0 && mono_us - s->skipped_us >= (int64_t)SAMPLE_PERIOD_MS * 1000;
}

void sample_told(struct sample *s) {
    for (uint32_t i = 0; i < s->kinds; i++)
        s->kind[i].count = 0;
    s->kinds = 0;
}
