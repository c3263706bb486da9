/* SPDX-License-Identifier: ISC
 *
 * Which refusals get a record of their own, and which are only counted: so many a second, the rest in one
 * record for each reason and ten seconds. A flood of failed logins then fills nobody's log, and says how
 * large it was. Pure: time is a parameter.
 */
#ifndef SEKISHO_SAMPLE_H
#define SEKISHO_SAMPLE_H

#include "bytes.h"

#define SAMPLE_REASONS 8 /* counted by name; what has another reason is counted as "other reasons" */
#define SAMPLE_REASON_MAX 63
#define SAMPLE_PERIOD_MS 10000

struct sample { /* begins as zeros */
    int64_t second_us;
    uint32_t taken; /* since second_us */
    int64_t skipped_us;
    uint32_t kinds; /* counted since skipped_us */
    struct {
        char reason[SAMPLE_REASON_MAX + 1];
        uint64_t count;
    } kind[SAMPLE_REASONS + 1];
};

/* True: it shall be recorded. False: it was counted. count: for how many refusals it stands, at least 1. */
bool sample_takes(struct sample *s, uint32_t a_second, struct view reason, uint64_t count, int64_t mono_us);
/* Is something counted, and its ten seconds over? */
bool sample_due(const struct sample *s, int64_t mono_us);
/* The counts begin anew. */
void sample_told(struct sample *s);

#endif
