/* SPDX-License-Identifier: ISC
 *
 * See journal.h: going on after a crash or a failure. What follows the last durable line of a file stays
 * where it is and is declared void by the file that begins then. Only a file that never held a durable record
 * is emptied and used again, where the folder allows it.
 */
#include "files.h"
#include "journal.h"
#include "journal_file.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool add_void(struct chain *c, uint64_t bytes) {
    if (c->void_count > 0 && c->voids[c->void_count - 1].file == c->file)
        c->void_count--; /* from an earlier try */
    if (c->void_count == JOURNAL_VOIDS_MAX) {
        errno = EIO;
        chain_break(c, "%d files in a row could not be written", JOURNAL_VOIDS_MAX);
        return false;
    }
    c->voids[c->void_count++] = (struct chain_void){c->file, bytes};
    return true;
}

/* The hash that the next file will name must be that of what the disk has, not of what memory holds. */
static bool settle_tail(int fd) {
    return fdatasync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0;
}

/* The file holds no durable record. */
static bool use_again(struct chain *c, uint64_t size, bool may_empty) {
    if (size == 0 || (may_empty && ftruncate(c->fd, 0) == 0)) {
        c->anew = true;
        return true;
    }
    if (may_empty && errno != EPERM && errno != EACCES)
        return false;
    /* Append-only, or found at start: it stays, void from end to end. */
    c->finished = settle_tail(c->fd) && add_void(c, size);
    return c->finished;
}

bool chain_ready(struct journal *j, struct chain *c, bool may_empty) {
    struct stat s;
    chain_close(j, c);
    c->end = c->durable;
    if (c->file == 0)
        return true;
    if (!chain_open(j, c) || fstat(c->fd, &s) != 0) {
        chain_fail(c, "the file cannot be opened: %s", strerror(errno));
        return false;
    }
    uint64_t size = (uint64_t)s.st_size;
    if (size < c->durable.size) {
        errno = EIO;
        chain_break(c, "the file lost %ju durable bytes", (uintmax_t)(c->durable.size - size));
        return false;
    }
    bool good = true;
    if (c->durable.size == 0)
        good = use_again(c, size, may_empty);
    else if (size > c->durable.size) {
        good = settle_tail(c->fd) && add_void(c, size - c->durable.size);
        c->finished = c->finished || good;
    }
    if (!good)
        chain_fail(c, "the file's end cannot be set aside: %s", strerror(errno));
    return good;
}

static bool recover_chain(struct journal *j, struct chain *c, struct moment now) {
    uint64_t lost = c->end.n - c->durable.n + c->refused;
    char why[sizeof c->why];
    snprintf(why, sizeof why, "%s", c->why);
    c->refused = lost;
    if (!chain_ready(j, c, true))
        return false;
    struct record r;
    record_begin(&r, EVENT_LEDGER_FAILED, 0);
    record_text(&r, FIELD_CAUSE, view_text(why));
    record_number(&r, FIELD_TIMES, lost);
    if (!chain_append(j, c, &r, now) || !chain_sync(j, c)) {
        c->end = c->durable;
        return false;
    }
    c->failed = false;
    c->refused = 0;
    log_info("the log of %s is written again", files_folder(c->tenant));
    return true;
}

size_t journal_recover(struct journal *j, struct moment now) {
    size_t failed = 0;
    for (struct chain *c = j->chains; c; c = c->hh.next)
        if (c->failed && !c->broken && !c->erasing && !recover_chain(j, c, now))
            failed += c->broken ? 0 : 1;
    return failed;
}
