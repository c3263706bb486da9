/* SPDX-License-Identifier: ISC
 *
 * A chain's folder and files by name, and its lines one by one in bounded memory. What journal, recovery,
 * verification and the viewers share; nothing here writes.
 *
 * A file may end in bytes that are no records: a line torn by a crash, or lines whose flush failed, so that
 * whoever waited for them was refused. Nothing is ever cut from a file; a later file begins with a
 * `ledger.repaired` record that names the file, how many bytes at its end are void, and their SHA-256.
 */
#ifndef SEKISHO_FILES_H
#define SEKISHO_FILES_H

#include "bytes.h"

#define FILES_NAME_MAX 16 /* "00000001.jsonl" and its NUL */
/* Less what the umask takes: whether a group reads the log, the ledger's start decides. */
#define FILES_MODE 0640
#define FILES_FOLDER_MODE 0750
#define FILES_NUMBER_MAX 99999999u

/* A tenant's id as a folder may be named: [a-z0-9][a-z0-9-]{0,39}; so it is no path. */
bool files_tenant_valid(const char *tenant);
/* The folder of a tenant ("" for the provider) and back; files_tenant gives NULL for any other name. */
const char *files_folder(const char *tenant);
const char *files_tenant(const char *folder);

void files_name(unsigned number, char out[FILES_NAME_MAX]);

/* Which files a chain has, by number; 0 and 0: none. first > 1: older ones were deleted by retention. */
struct files_span {
    unsigned first, last;
};
/* False, with why, when there is a gap, a name is wrong or the folder cannot be read. Names that do not end
 * in .jsonl are no business of ours. */
bool files_span(int folder_fd, struct files_span *span, char why[256]);

/* What of a file's end is void. bytes 0: nothing. */
struct files_void {
    uint64_t bytes;
    char sha256[65];
};
/* As the files behind it, up to number `last`, say. */
void files_void(int folder_fd, unsigned number, unsigned last, struct files_void *out);
/* The last whole record of a file, in a buffer of more than RECORD_LINE_MAX bytes; empty when it has none.
 * False with errno. */
bool files_last_line(int folder_fd, unsigned number, unsigned last, uint8_t *buffer, size_t cap,
                     struct view *line);
/* SHA-256 of the last `bytes` of a file, as text. False when it is shorter or cannot be read. */
bool files_hash(int folder_fd, unsigned number, uint64_t bytes, char sha256[65]);
/* Whether the file still ends in exactly those bytes. */
bool files_void_fits(int folder_fd, unsigned number, const struct files_void *v);

enum lines_state {
    LINES_ONE,   /* *line is a whole line without its newline, until the next call */
    LINES_END,   /* no whole line more at the moment; ask again when the file may have grown */
    LINES_LONG,  /* a line longer than RECORD_LINE_MAX */
    LINES_FAILED /* errno */
};

struct lines;
/* Takes over fd, positioned at the start of a file. NULL without memory. */
struct lines *lines_new(int fd);
/* A file of a chain whose last one has number `last`, to be read up to where its records end. NULL with
 * errno; EBADMSG when it is shorter than what of it is void. */
struct lines *files_lines(int folder_fd, unsigned number, unsigned last);
/* At most so many bytes more are read. */
void lines_limit(struct lines *l, uint64_t bytes);
void lines_free(struct lines **l);
enum lines_state lines_next(struct lines *l, struct view *line);
/* After LINES_END: what follows the last newline; empty when the file ends with one. */
struct view lines_tail(const struct lines *l);
/* The offset in the file behind the last whole line that was given out. */
uint64_t lines_offset(const struct lines *l);

#endif
