/* SPDX-License-Identifier: ISC
 *
 * See book.h: refusals are sampled for each chain, operators' and everybody else's apart, so that no flood of
 * strangers pushes out what is said of an operator.
 */
#include "book_parts.h"
#include "magic.h"

static struct view reason_of(const struct record *r, uint64_t *count) {
    struct view reason = view_of(NULL, 0);
    *count = 1;
    for (size_t i = 0; i < r->count; i++)
        if (r->item[i].field == FIELD_REASON)
            reason = r->item[i].text;
        else if (r->item[i].field == FIELD_TIMES && r->item[i].number > 0)
            *count = r->item[i].number;
    return reason;
}

bool book_samples(struct book *b, const char *tenant, bool operators, const struct record *r,
                  struct moment now) {
    uint64_t count;
    struct view reason = reason_of(r, &count);
    struct book_tenant *t = book_tenant_get(b, tenant);
    return sample_takes(&t->refusals[operators], b->refusals_a_second, reason, count, now.mono_us);
}

static void tell(struct book *b, const char *tenant, const struct sample *s, struct moment now) {
    for (uint32_t i = 0; i < s->kinds; i++) {
        struct record r;
        record_begin(&r, EVENT_SESSION_REFUSED, 0);
        record_text(&r, FIELD_REASON, view_text(s->kind[i].reason));
        record_number(&r, FIELD_TIMES, s->kind[i].count);
        record_number(&r, FIELD_PERIOD_MS, (uint64_t)(now.mono_us - s->skipped_us) / 1000);
        book_post(b, NULL, 0, tenant, &r, true, now);
    }
}

bool book_tell_samples(struct book *b, bool all, struct moment now) {
    bool told = false;
    struct book_tenant *t, *next;
    HASH_ITER (hh, b->tenants, t, next)
        for (size_t i = 0; i < 2; i++) {
            if (!sample_due(&t->refusals[i], now.mono_us) && !(all && t->refusals[i].kinds > 0))
                continue;
            struct sample s = t->refusals[i];
            sample_told(&t->refusals[i]);
            tell(b, t->tenant, &s, now);
            told = true;
        }
    return told;
}

void book_set_sampling(struct book *b, uint32_t a_second) {
    b->refusals_a_second = a_second;
}
