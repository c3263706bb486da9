/* SPDX-License-Identifier: ISC
 *
 * How far each chain was told to each target, as text: what a restart goes on from. The first line names the
 * targets that count ("sekisho-notify 1 command url"), each further one is "<folder> <target> <file> <offset>
 * <n>". A chain without a line is told from its beginning; a target that the first line lacks begins at the
 * end.
 */
#ifndef SEKISHO_NOTICE_CURSOR_H
#define SEKISHO_NOTICE_CURSOR_H

#include "bytes.h"

enum target { TARGET_COMMAND, TARGET_URL, TARGET_SYSLOG, TARGETS };

struct cursor {
    unsigned file;   /* of the chain, from 1 */
    uint64_t offset; /* in it, behind the last line that was told or passed over */
    uint64_t n;      /* that line's number; 0: not known, or none */
};

#define CURSOR_LINE_MAX 128

const char *target_name(enum target t);
void cursor_write_head(struct writer *w, const bool known[TARGETS]);
bool cursor_read_head(struct view line, bool known[TARGETS]);
/* tenant: "" for the provider. Without and with the newline, respectively: what is read is a line. */
bool cursor_read(struct view line, char tenant[41], enum target *t, struct cursor *out);
void cursor_write(struct writer *w, const char *tenant, enum target t, const struct cursor *c);

#endif
