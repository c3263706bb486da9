/* SPDX-License-Identifier: ISC
 *
 * The only writer of log files: one chain of JSON lines per tenant under <folder>/<tenant>/00000001.jsonl and
 * on, and the provider's own under <folder>/_provider/. Each line's `prev` is the SHA-256 of the line before
 * it (its bytes without the newline; 32 zero bytes before the first), over all files. Append and flush are
 * separate so that the caller can commit in groups: nothing appended is durable before journal_flush says so.
 * Folders are 0700 and files 0600, opened O_APPEND; a file with a durable record is never cut, renamed or
 * overwritten, so the folders may be append-only (chattr +a).
 *
 * A file ends, with a checkpoint, when it is large enough and at midnight; the next one begins with
 * ledger.rotated and the sessions that are open, so that only the last file has to be read at start.
 */
#ifndef SEKISHO_JOURNAL_H
#define SEKISHO_JOURNAL_H

#include "checkpoint.h"
#include "clock.h"
#include "record.h"
#include "zone.h"

#define JOURNAL_PROVIDER "_provider" /* the folder of tenant "" */

struct journal_rules {
    struct zone zone;                 /* of the records' times, and whose midnight ends a file */
    const struct checkpoint_key *key; /* the caller's; NULL: no checkpoints */
    uint32_t checkpoint_records;      /* a checkpoint after so many records; 0: not by number */
    int64_t checkpoint_us;            /* and so long after the first that has none; 0: not by time */
    uint64_t rotate_bytes;            /* a file ends when it has so many; 0: not by size */
    uint32_t retention_days;          /* finished files are deleted so long after they ended; 0: never */
};

struct journal;

/* Told, while a chain is opened, of each session that has an open record and no close. */
typedef void journal_open_session_fn(void *arg, const char *tenant, uint64_t session, struct view user,
                                     int64_t opened_wall_us);
/* Asked, when a file begins, for the tenant's sessions that are open by durable records: calls `each` (when
 * it is not NULL) for every one, returns how many there are. */
typedef void journal_carried_fn(void *each_arg, uint64_t session, struct view user, int64_t opened_wall_us);
typedef size_t journal_carry_fn(void *arg, const char *tenant, journal_carried_fn *each, void *each_arg);

/* NULL, with *why a text for the log, when the folder cannot be made or used. */
struct journal *journal_new(const char *folder, const struct journal_rules *rules, char why[256]);
void journal_free(struct journal **j);
/* From now on. */
void journal_set_rules(struct journal *j, const struct journal_rules *rules);
void journal_set_carry(struct journal *j, journal_carry_fn *carry, void *arg);

/* Opens every chain there is in the folder: reads its last file (and older ones only when that one's
 * beginning is not whole), checks the links, declares a torn end void in a new file, and reports open
 * sessions. A chain whose links do not fit is marked broken and gets no more records: journal_append to it
 * fails. */
bool journal_load(struct journal *j, journal_open_session_fn *open_session, void *arg, struct moment now,
                  char why[256]);

/* Appends one record to a tenant's chain (made when new; tenant: a tenant id, or ""). False, with errno, when
 * the write failed: the chain is then failed, and so is every record appended to it since the last flush. */
bool journal_append(struct journal *j, const char *tenant, const struct record *r, struct moment now);

/* Makes everything appended since the last flush durable (fdatasync of the touched files; of a new file's
 * folder too). Calls `settled` once for every touched tenant with the outcome. A failed flush is never
 * retried as if nothing had been lost: the chain stays failed until journal_recover. */
typedef void journal_settled_fn(void *arg, const char *tenant, bool durable);
void journal_flush(struct journal *j, journal_settled_fn *settled, void *arg);

/* Deletes a tenant's log for good, right after a flush; before that, the provider's log says so, signed and
 * on disk: whose, how many files, the last record's number and hash, who wanted it. From then on, until the
 * next start, nothing is appended for that tenant: journal_append fails. True when there is no log of its any
 * more (or never was one); false with errno, to be tried again. */
bool journal_erase(struct journal *j, const char *tenant, const char *who, struct moment now);

/* To be called every second or so, right after a flush: checkpoints that are due, files that end at midnight,
 * files that are old enough to be deleted. A few chains a time. */
void journal_tick(struct journal *j, struct moment now);
/* A checkpoint for every chain that has records without: when the ledger leaves in order, after a flush. */
void journal_stop(struct journal *j, struct moment now);

/* Tries failed chains again. What follows the last line known to be durable was refused, and after a failed
 * flush nobody knows what of it the disk has: it is declared void, in a new file that also gets a
 * ledger.failed record. Returns how many are still failed. */
size_t journal_recover(struct journal *j, struct moment now);
/* False while any chain is failed or broken; why: one of them. */
bool journal_healthy(const struct journal *j, char why[256]);

#endif
