/* SPDX-License-Identifier: ISC
 *
 * See journal.h: appending and flushing. Reading what is there is recover.c's.
 */
#include "journal.h"
#include "files.h"
#include "journal_file.h"
#include "magic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL_MAGIC 0x3F78D21Bu
#define FILES_OPEN_MAX 512 /* kept open between flushes */

/* The folder's descriptor, locked against a second writer; -1 with why. */
static int take_folder(const char *folder, char why[256]) {
    if (mkdir(folder, FILES_FOLDER_MODE) != 0 && errno != EEXIST) {
        snprintf(why, 256, "%.180s cannot be made: %s", folder, strerror(errno));
        return -1;
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        snprintf(why, 256, "%.180s cannot be opened: %s", folder, strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        snprintf(why, 256, "%.180s is written by another process", folder);
        close(fd);
        return -1;
    }
    return fd;
}

struct journal *journal_new(const char *folder, const struct journal_rules *rules, char why[256]) {
    int fd = take_folder(folder, why);
    if (fd < 0)
        return NULL;
    struct journal *j = calloc(1, sizeof *j);
    if (!j) {
        snprintf(why, 256, "out of memory");
        close(fd);
        return NULL;
    }
    j->magic = JOURNAL_MAGIC;
    j->folder = fd;
    j->rules = *rules;
    return j;
}

void journal_free(struct journal **j) {
    if (!*j)
        return;
    MAGIC_CHECK(*j, JOURNAL_MAGIC);
    struct chain *c, *next;
    HASH_ITER (hh, (*j)->chains, c, next) {
        HASH_DEL((*j)->chains, c);
        chain_close(*j, c);
        c->magic = 0;
        free(c);
    }
    close((*j)->folder);
    (*j)->magic = 0;
    free(*j);
    *j = NULL;
}

void journal_set_rules(struct journal *j, const struct journal_rules *rules) {
    MAGIC_CHECK(j, JOURNAL_MAGIC);
    j->rules = *rules;
}

void journal_set_carry(struct journal *j, journal_carry_fn *carry, void *arg) {
    MAGIC_CHECK(j, JOURNAL_MAGIC);
    j->carry = carry;
    j->carry_arg = arg;
}

static void touch(struct journal *j, struct chain *c) {
    if (c->touched)
        return;
    c->touched = true;
    c->next_touched = j->touched;
    j->touched = c;
}

bool journal_append(struct journal *j, const char *tenant, const struct record *r, struct moment now) {
    MAGIC_CHECK(j, JOURNAL_MAGIC);
    assert(tenant[0] == 0 || files_tenant_valid(tenant));
    struct chain *c = chain_get(j, tenant);
    if (!c)
        return false;
    j->now = now;
    if (c->erasing) {
        errno = EACCES;
        return false;
    }
    if (!c->failed && !c->broken) {
        touch(j, c);
        if (chain_append(j, c, r, now))
            return true;
    } else {
        errno = EIO;
    }
    c->refused++;
    return false;
}

void journal_flush(struct journal *j, journal_settled_fn *settled, void *arg) {
    MAGIC_CHECK(j, JOURNAL_MAGIC);
    struct chain *c = j->touched;
    j->touched = NULL;
    while (c) {
        struct chain *next = c->next_touched;
        c->next_touched = NULL;
        c->touched = false;
        bool durable = !c->failed && chain_settle(j, c);
        if (j->open_files > FILES_OPEN_MAX)
            chain_close(j, c);
        settled(arg, c->tenant, durable);
        c = next;
    }
}

bool journal_healthy(const struct journal *j, char why[256]) {
    MAGIC_CHECK(j, JOURNAL_MAGIC);
    why[0] = 0;
    for (const struct chain *c = j->chains; c; c = c->hh.next)
        if ((c->failed || c->broken) && !c->erasing) {
            snprintf(why, 256, "%s: %s", files_folder(c->tenant), c->why);
            return false;
        }
    return true;
}
