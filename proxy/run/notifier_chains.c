/* SPDX-License-Identifier: ISC
 *
 * See notifier_chains.h. Owns notify.cursor in the state folder, the only thing the notifier writes; the log
 * is only read.
 */
#include "notifier_chains.h"
#include "files.h"
#include "log.h"
#include "magic.h"
#include "notifier_tail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHAINS_MAGIC 0x6C1F84B7u
#define TALE_MAGIC 0x2E97D05Au
#define CURSOR_FILE "notify.cursor"

static struct tale *tale_new(struct chains *c, const char *tenant) {
    struct tale *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    t->magic = TALE_MAGIC;
    snprintf(t->tenant, sizeof t->tenant, "%s", tenant);
    for (int i = 0; i < TARGETS; i++)
        t->errand[i] =
            (struct errand){.magic = ERRAND_MAGIC, .tale = t, .target = (enum target)i, .cursor = {1, 0, 0}};
    HASH_ADD_STR(c->by_tenant, tenant, t);
    TAILQ_INSERT_TAIL(&c->order, t, next);
    return t;
}

static struct tale *tale_find(struct chains *c, const char *tenant) {
    struct tale *t;
    HASH_FIND_STR(c->by_tenant, tenant, t);
    return t;
}

static void tale_free(struct chains *c, struct tale **t) {
    MAGIC_CHECK(*t, TALE_MAGIC);
    HASH_DEL(c->by_tenant, *t);
    TAILQ_REMOVE(&c->order, *t, next);
    (*t)->magic = 0;
    free(*t);
    *t = NULL;
}

/* --- the cursors' file --- */

static void load_line(struct chains *c, struct view line) {
    char tenant[41];
    enum target target;
    struct cursor cursor;
    if (!cursor_read(line, tenant, &target, &cursor)) {
        log_warning("a line of " CURSOR_FILE " is not understood");
        return;
    }
    struct tale *t = tale_find(c, tenant);
    if (!t)
        t = tale_new(c, tenant);
    t->errand[target].cursor = cursor;
}

static void load_lines(struct chains *c, struct lines *l) {
    struct view line;
    if (lines_next(l, &line) != LINES_ONE || !cursor_read_head(line, c->known)) {
        log_error(CURSOR_FILE " is not understood: notices begin at the present end of the log");
        return;
    }
    while (lines_next(l, &line) == LINES_ONE)
        load_line(c, line);
}

static void load(struct chains *c) {
    char path[300];
    snprintf(path, sizeof path, "%s/" CURSOR_FILE, c->state_dir);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct lines *l = fd >= 0 ? lines_new(fd) : NULL;
    if (l)
        load_lines(c, l);
    else if (errno != ENOENT)
        log_error("%s: %s: notices begin at the present end of the log", path, strerror(errno));
    if (!l && fd >= 0)
        close(fd);
    lines_free(&l);
}

static void save_lines(const struct chains *c, FILE *f) {
    char text[CURSOR_LINE_MAX];
    struct writer w = writer_of(text, sizeof text);
    cursor_write_head(&w, c->known);
    fwrite(text, 1, w.len, f);
    const struct tale *t;
    TAILQ_FOREACH(t, &c->order, next) {
        for (int i = 0; i < TARGETS; i++) {
            if (!c->known[i])
                continue;
            w = writer_of(text, sizeof text);
            cursor_write(&w, t->tenant, (enum target)i, &t->errand[i].cursor);
            assert(!w.bad);
            fwrite(text, 1, w.len, f);
        }
    }
}

static bool write_new(const struct chains *c, int folder) {
    int fd = openat(folder, CURSOR_FILE ".new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    save_lines(c, f);
    bool good = fflush(f) == 0 && !ferror(f) && fsync(fd) == 0;
    return fclose(f) == 0 && good;
}

bool chains_save(const struct chains *c) {
    MAGIC_CHECK(c, CHAINS_MAGIC);
    int folder = open(c->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = folder >= 0 && write_new(c, folder) &&
                renameat(folder, CURSOR_FILE ".new", folder, CURSOR_FILE) == 0 && fsync(folder) == 0;
    int error = errno;
    if (folder >= 0)
        close(folder);
    errno = error;
    return good;
}

/* --- the chains --- */

void chains_begin(struct chains *c, const char *ledger_dir, const char *state_dir) {
    *c = (struct chains){.magic = CHAINS_MAGIC, .ledger = -1};
    TAILQ_INIT(&c->order);
    snprintf(c->ledger_dir, sizeof c->ledger_dir, "%s", ledger_dir);
    snprintf(c->state_dir, sizeof c->state_dir, "%s", state_dir);
    load(c);
}

void chains_end(struct chains *c) {
    MAGIC_CHECK(c, CHAINS_MAGIC);
    while (!TAILQ_EMPTY(&c->order)) {
        struct tale *t = TAILQ_FIRST(&c->order);
        tale_free(c, &t);
    }
    if (c->ledger >= 0)
        close(c->ledger);
    c->magic = 0;
}

static bool is_busy(const struct tale *t) {
    for (int i = 0; i < TARGETS; i++)
        if (t->errand[i].busy)
            return true;
    return false;
}

static void drop_gone(struct chains *c) {
    struct tale *t, *next;
    for (t = TAILQ_FIRST(&c->order); t; t = next) {
        next = TAILQ_NEXT(t, next);
        if (t->seen != c->looks && !is_busy(t))
            tale_free(c, &t);
    }
}

void chains_look(struct chains *c) {
    MAGIC_CHECK(c, CHAINS_MAGIC);
    if (c->ledger < 0)
        c->ledger = open(c->ledger_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = c->ledger < 0 ? -1 : openat(c->ledger, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (!folder) {
        if (fd >= 0)
            close(fd);
        return;
    }
    c->looks++;
    errno = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        const char *tenant = files_tenant(entry->d_name);
        if (!tenant)
            continue;
        struct tale *t = tale_find(c, tenant);
        if (!t)
            t = tale_new(c, tenant);
        t->seen = c->looks;
    }
    bool whole = errno == 0;
    closedir(folder);
    if (whole)
        drop_gone(c);
}

static void begin_at_end(struct chains *c, enum target target) {
    struct tale *t;
    TAILQ_FOREACH(t, &c->order, next) {
        struct errand *e = &t->errand[target];
        tail_end(c->ledger, t->tenant, &e->cursor);
        e->moved = e->busy;
    }
}

bool chains_targets(struct chains *c, const bool wanted[TARGETS]) {
    MAGIC_CHECK(c, CHAINS_MAGIC);
    bool changed = false;
    chains_look(c);
    for (int i = 0; i < TARGETS; i++) {
        if (wanted[i] && !c->known[i])
            begin_at_end(c, (enum target)i);
        changed |= wanted[i] != c->known[i];
        c->known[i] = wanted[i];
    }
    return changed;
}
