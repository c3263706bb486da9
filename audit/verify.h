/* SPDX-License-Identifier: ISC
 *
 * Checks a chain without trusting whoever wrote it: numbers without gaps, links that fit, one JSON object a line.
 */
#ifndef SEKISHO_VERIFY_H
#define SEKISHO_VERIFY_H

#include "bytes.h"

struct verify_report {
    uint64_t records;    /* good ones, from the start */
    bool good;
    uint64_t bad_record; /* when not good: the `n` at which the first fault shows (counted from 1) */
    char why[256];
    uint8_t head[32];    /* SHA-256 of the last good line */
    bool torn;           /* the file ends in the middle of a line (a live log may be read in the middle of a write) */
};

/* folder: one tenant's (its files are read in the order of their names). tenant: its id, which every line must carry;
 * "" for the provider's own. */
void verify_chain(const char *folder, const char *tenant, struct verify_report *out);

/* The pieces: feed whole lines (without the newline) in order. */
struct verify {
    struct verify_report report;
    char tenant[64];
};
void verify_begin(struct verify *v, const char *tenant);
bool verify_line(struct verify *v, struct view line); /* false from the first bad one on */

#endif
