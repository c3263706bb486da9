/* SPDX-License-Identifier: ISC
 *
 * An instance's own words made fit for one line of ours.
 */
#ifndef SEKISHO_PROVISION_TEXT_H
#define SEKISHO_PROVISION_TEXT_H

#include "text.h"

/* Copies text into out as one line: control characters become spaces, ends are trimmed, what does not fit is
 * cut. */
static inline void provision_one_line(struct view text, char *out, size_t cap) {
    text = text_trim(text);
    size_t n = text.len < cap - 1 ? text.len : cap - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = text.at[i] < 0x20 || text.at[i] == 0x7F ? ' ' : (char)text.at[i];
    out[n] = '\0';
}

#endif
