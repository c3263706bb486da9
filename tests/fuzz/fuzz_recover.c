/* SPDX-License-Identifier: ISC
 *
 * Fuzzes what the ledger does with the files it finds when it starts. The input is a chain's file; its lines
 * may have "@" where the hash of the line before belongs, which is put in here, so that hashes stop nobody at
 * the door. A form feed begins the next file.
 *
 * A chain that is taken can be appended to and is taken again; when it was one file, the whole of it verifies
 * (of several only the last is read at start). One that is not taken stays as it is, to the byte.
 */
#include "files.h"
#include "journal.h"
#include "text.h"
#include "verify.h"

#include <assert.h>
#include <fcntl.h>
#include <ftw.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LONGEST = 1 << 17, PATH = 128 };

static char top[64];
static struct checkpoint_key *key;
static uint8_t expanded[LONGEST * 4], before[LONGEST * 4], after[LONGEST * 4];

static int remove_one(const char *path, const struct stat *s, int kind, struct FTW *where) {
    return where->level > 0 ? remove(path) : 0;
}

static void tidy(void) {
    checkpoint_key_free(&key);
    nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    rmdir(top);
}

static void begin(void) {
    if (!top[0]) {
        snprintf(top, sizeof top, "%s/sekisho-fuzz.XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        if (!mkdtemp(top) || atexit(tidy) != 0)
            abort();
    }
    nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    char path[PATH];
    snprintf(path, sizeof path, "%s/acme", top);
    if (mkdir(path, 0700) != 0)
        abort();
}

/* One line, with the hash put in. */
static void expand_line(struct writer *w, struct view line, uint8_t head[SHA256_DIGEST_LENGTH]) {
    size_t start = w->len;
    for (size_t i = 0; i < line.len; i++)
        if (line.at[i] == '@')
            text_hex(w, view_of(head, SHA256_DIGEST_LENGTH));
        else
            writer_u8(w, line.at[i]);
    SHA256(w->at + start, w->len - start, head);
}

static size_t expand(struct view all) {
    struct writer w = writer_of(expanded, sizeof expanded);
    uint8_t head[SHA256_DIGEST_LENGTH] = {0};
    while (all.len > 0) {
        size_t len = 0;
        while (len < all.len && all.at[len] != '\n' && all.at[len] != '\f')
            len++;
        expand_line(&w, view_of(all.at, len), head);
        if (len < all.len)
            writer_u8(&w, all.at[len]);
        all = view_from(all, len + 1);
    }
    return w.bad ? 0 : w.len;
}

static void write_files(struct view all) {
    for (unsigned n = 1; all.len > 0; n++) {
        const uint8_t *end = memchr(all.at, '\f', all.len);
        struct view one = view_of(all.at, end ? (size_t)(end - all.at) : all.len);
        char name[FILES_NAME_MAX], path[PATH];
        files_name(n, name);
        snprintf(path, sizeof path, "%s/acme/%s", top, name);
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, one.at ? (const void *)one.at : "", one.len) != (ssize_t)one.len)
            abort();
        close(fd);
        all = view_from(all, one.len + 1);
    }
}

/* All files that a chain has, one behind the other. */
static size_t read_files(uint8_t *out, size_t cap) {
    size_t len = 0;
    for (unsigned n = 1;; n++) {
        char name[FILES_NAME_MAX], path[PATH];
        files_name(n, name);
        snprintf(path, sizeof path, "%s/acme/%s", top, name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return len;
        for (ssize_t got; (got = read(fd, out + len, cap - len)) > 0;)
            len += (size_t)got;
        close(fd);
    }
}

static void on_open_session(void *arg, const char *tenant, uint64_t session, struct view user,
                            int64_t opened_us) {
    assert(strcmp(tenant, "acme") == 0 && user.len < 64);
}

static void on_settled(void *arg, const char *tenant, bool durable) {
    assert(durable);
    ++*(int *)arg;
}

static void check_chain(void) {
    char path[PATH];
    struct verify_report report;
    snprintf(path, sizeof path, "%s/acme", top);
    verify_chain(path, "acme", &report);
    assert(report.good && !report.torn && report.records > 0);
}

static void use(struct journal *j, bool healthy, bool one_file, size_t len) {
    struct record r;
    int settled = 0;
    struct moment now = {1795555800000000, 1000000};
    record_begin(&r, EVENT_SESSION_REFUSED, 0);
    record_text(&r, FIELD_USER, view_text("ann"));
    bool taken = journal_append(j, "acme", &r, now);
    assert(taken == healthy);
    journal_flush(j, on_settled, &settled);
    if (healthy) {
        assert(settled == 1);
        if (one_file)
            check_chain();
    } else {
        assert(read_files(after, sizeof after) == len && memcmp(before, after, len) == 0);
    }
}

/* Opens what is there and uses it. Whether it was taken. */
static bool start(bool one_file, size_t len) {
    static struct journal_rules rules = {.zone = {false, 540}};
    if (!rules.key)
        rules.key = key = checkpoint_key_make();
    char why[256];
    struct journal *j = journal_new(top, &rules, why);
    struct moment now = {1795555800000000, 1000000};
    if (!j || !journal_load(j, on_open_session, NULL, now, why))
        abort();
    bool healthy = journal_healthy(j, why);
    use(j, healthy, one_file, len);
    journal_free(&j);
    return healthy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > LONGEST)
        return 0;
    begin();
    write_files(view_of(expanded, expand(view_of(data, size))));
    size_t len = read_files(before, sizeof before);
    bool one_file = size == 0 || !memchr(data, '\f', size);
    bool healthy = start(one_file, len);
    if (healthy && !start(one_file, len))
        abort();
    return 0;
}
