/* SPDX-License-Identifier: ISC
 *
 * The only writer of log files: one chain of JSON lines per tenant under <folder>/<tenant>/00000001.jsonl,
 * and the provider's own under <folder>/_provider/. Each line's `prev` is the SHA-256 of the line before it
 * (its bytes without the newline; 32 zero bytes before the first). Append and flush are separate so that the
 * caller can commit in groups: nothing appended is durable before journal_flush says so. Folders are 0700 and
 * files 0600, opened O_APPEND.
 */
#ifndef SEKISHO_JOURNAL_H
#define SEKISHO_JOURNAL_H

#include "clock.h"
#include "record.h"

#define JOURNAL_PROVIDER "_provider" /* the folder of tenant "" */

struct journal;

/* Told, while a chain is opened, of each session that has an open record and no close. */
typedef void journal_open_session_fn(void *arg, const char *tenant, uint64_t session, struct view user,
                                     int64_t opened_wall_us);

/* NULL, with *why a text for the log, when the folder cannot be made or used. */
struct journal *journal_new(const char *folder, int offset_minutes, char why[256]);
void journal_free(struct journal **j);
/* For the times of the records from now on. */
void journal_set_offset(struct journal *j, int offset_minutes);

/* Opens every chain there is in the folder: reads each to its end, checks the links, sets aside a torn last
 * line (to <file>.torn-<n>, then cuts it and appends a ledger.repaired record), and reports open sessions. A
 * chain whose links do not fit is marked broken and gets no more records: journal_append to it fails. */
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

/* Tries failed chains again: opens the file anew, cuts it back to the last line known to be durable (what
 * followed was refused, and after a failed flush nobody knows what of it the disk has), appends a
 * ledger.failed record and flushes that. Returns how many are still failed. */
size_t journal_recover(struct journal *j, struct moment now);
/* False while any chain is failed or broken; why: one of them. */
bool journal_healthy(const struct journal *j, char why[256]);

#endif
