/* SPDX-License-Identifier: ISC
 *
 * A chain's folder and files by name, and its lines one by one in bounded memory. What journal, recovery,
 * verification and the viewer share; nothing here writes.
 */
#ifndef SEKISHO_FILES_H
#define SEKISHO_FILES_H

#include "bytes.h"

#define FILES_NAME_MAX 16 /* "00000001.jsonl" and its NUL */

/* A tenant's id as a folder may be named: [a-z0-9][a-z0-9-]{0,39}; so it is no path. */
bool files_tenant_valid(const char *tenant);
/* The folder of a tenant ("" for the provider) and back; files_tenant gives NULL for any other name. */
const char *files_folder(const char *tenant);
const char *files_tenant(const char *folder);

void files_name(unsigned number, char out[FILES_NAME_MAX]);
/* How many files a chain has: 00000001.jsonl and on without a gap. False, with why, when a name is missing or
 * wrong or the folder cannot be read. Names that do not end in .jsonl are no business of ours. */
bool files_count(int folder_fd, unsigned *count, char why[256]);

enum lines_state {
    LINES_ONE,   /* *line is a whole line without its newline, until the next call */
    LINES_END,   /* no whole line more at the moment; ask again when the file may have grown */
    LINES_LONG,  /* a line longer than RECORD_LINE_MAX */
    LINES_FAILED /* errno */
};

struct lines;
/* Takes over fd, positioned at the start of a file. NULL without memory. */
struct lines *lines_new(int fd);
void lines_free(struct lines **l);
enum lines_state lines_next(struct lines *l, struct view *line);
/* After LINES_END: what follows the last newline; empty when the file ends with one. */
struct view lines_tail(const struct lines *l);
/* The offset in the file behind the last whole line that was given out. */
uint64_t lines_offset(const struct lines *l);

#endif
