/* SPDX-License-Identifier: ISC
 *
 * Checks a chain without trusting whoever wrote it: numbers without gaps, links that fit, one JSON object a
 * line. Links alone prove every record but the last: a change of the newest line, or lines cut off at the
 * end, show only against something kept elsewhere (the reported head, compared; signed checkpoints when there
 * are any).
 */
#ifndef SEKISHO_VERIFY_H
#define SEKISHO_VERIFY_H

#include "bytes.h"

struct verify_report {
    uint64_t records; /* the last good one's number */
    uint64_t first;   /* the first one's: over 1 when older files were deleted by retention */
    bool good;
    uint64_t bad_record; /* when not good: the `n` at which the first fault shows (counted from 1) */
    char why[256];       /* a sentence about that record, which it calls "it" */
    uint8_t head[32];    /* SHA-256 of the last good line */
    bool torn; /* the file ends in the middle of a line (a live log may be read in the middle of a write) */
};

/* folder: one tenant's. tenant: its id, which every line must carry; "" for the provider's own. The links
 * only: inspect.h looks at signatures too, and has it. */
void verify_chain(const char *folder, const char *tenant, struct verify_report *out);

/* The pieces: feed whole lines (without the newline) in order. */
struct verify {
    struct verify_report report;
    char tenant[64];
    uint8_t before[32]; /* the head before report.head */
    bool unsettled;     /* a link does not fit; the next line tells which of its two ends was changed */
    uint8_t suspect[32];
    bool
        anchored; /* the chain's beginning was deleted: a ledger.retention record must name where it begins */
    bool anchor_found;
    uint8_t first_prev[32];
};
void verify_begin(struct verify *v, const char *tenant);
/* The first line may have any number and prev. */
void verify_begin_later(struct verify *v, const char *tenant);
/* False from the first bad one on. Give it one line more while `unsettled` is set. */
bool verify_line(struct verify *v, struct view line);

#endif
