/* SPDX-License-Identifier: ISC
 *
 * See audit_crew.h. A child says over its own pipe how many bytes it has read, and at the end what it found;
 * it holds no other.
 */
#include "audit_crew.h"
#include "clock.h"
#include "files.h"
#include "verify_object.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CREW_MAX 256
#define BAR_EVERY_US 200000
#define BAR_CELLS 24

struct message {
    uint64_t bytes; /* read since the last one */
    bool done;
    struct inspect_report report; /* when done */
};

struct worker {
    pid_t pid; /* 0: nobody */
    int from;
    struct crew_task *task;
};

struct crew {
    struct worker worker[CREW_MAX];
    unsigned jobs, running;
    bool bar;
    uint64_t read, all; /* bytes */
    int64_t begun_us, drawn_us;
};

/* --- a child --- */

static void put(int to, const struct message *m) {
    ssize_t n;
    do
        n = write(to, m, sizeof *m);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof *m)
        _exit(1); /* nobody listens */
}

static void on_progress(void *arg, uint64_t bytes) {
    put(*(const int *)arg, &(struct message){.bytes = bytes});
}

static void inspect_folder(struct crew_task *t, struct inspect_report *out) {
    int folder = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        struct verify v;
        verify_begin(&v, t->wish.tenant);
        verify_fault(&v, "%s", errno == ENOENT ? "there is no such log" : strerror(errno));
        v.report.bad_record = 0;
        *out = (struct inspect_report){.chain = v.report};
        return;
    }
    inspect_chain(folder, &t->wish, out);
    close(folder);
}

static _Noreturn void work(struct crew_task *t, int to) {
    struct message m = {.done = true};
    t->wish.progress = on_progress;
    t->wish.arg = &to;
    inspect_folder(t, &m.report);
    put(to, &m);
    _exit(0);
}

/* --- the parent --- */

static bool start(struct crew *c, struct worker *w, struct crew_task *t) {
    int pair[2];
    if (pipe2(pair, O_CLOEXEC) < 0)
        return false;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        for (unsigned i = 0; i < c->jobs; i++)
            if (c->worker[i].pid > 0)
                close(c->worker[i].from);
        close(pair[0]);
        work(t, pair[1]);
    }
    int error = errno;
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        errno = error;
        return false;
    }
    *w = (struct worker){pid, pair[0], t};
    c->running++;
    return true;
}

/* It ended without a word: whatever it read is not good. */
static void give_up(struct crew_task *t, int status) {
    memset(&t->report, 0, sizeof t->report);
    if (WIFSIGNALED(status))
        snprintf(t->report.chain.why, sizeof t->report.chain.why,
                 "the process that looked at it was ended by SIG%s", sigabbrev_np(WTERMSIG(status)));
    else
        snprintf(t->report.chain.why, sizeof t->report.chain.why,
                 "the process that looked at it ended with %d", WEXITSTATUS(status));
}

static void finish(struct crew *c, struct worker *w) {
    int status = 0;
    close(w->from);
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!w->task->done)
        give_up(w->task, status);
    w->task->done = true;
    w->pid = 0;
    c->running--;
}

static void hear(struct crew *c, struct worker *w) {
    struct message m;
    ssize_t n;
    do
        n = read(w->from, &m, sizeof m);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof m) {
        finish(c, w);
        return;
    }
    c->read += m.bytes;
    if (m.done) {
        w->task->report = m.report;
        w->task->report.chain.why[sizeof m.report.chain.why - 1] = 0;
        w->task->done = true;
    }
}

/* --- the bar --- */

static uint64_t size_of(const char *path) {
    uint64_t all = 0;
    DIR *folder = opendir(path);
    struct stat s;
    for (struct dirent *e; folder && (e = readdir(folder));)
        if (strstr(e->d_name, ".jsonl") && fstatat(dirfd(folder), e->d_name, &s, AT_SYMLINK_NOFOLLOW) == 0)
            all += (uint64_t)s.st_size;
    if (folder)
        closedir(folder);
    return all;
}

static void draw(struct crew *c) {
    char cells[BAR_CELLS + 1];
    int64_t now = clock_now().mono_us;
    if (!c->bar || now - c->drawn_us < BAR_EVERY_US)
        return;
    c->drawn_us = now;
    double seconds = (double)(now - c->begun_us) / 1e6, rate = (double)c->read / seconds;
    double part = c->all > 0 && c->read < c->all ? (double)c->read / (double)c->all : 1;
    double left = rate > 0 && part < 1 ? (double)(c->all - c->read) / rate : 0;
    size_t full = (size_t)(part * BAR_CELLS);
    memset(cells, '.', BAR_CELLS);
    memset(cells, '#', full);
    cells[BAR_CELLS] = 0;
    fprintf(stderr, "\r[%s] %3.0f%%  %.1f of %.1f MB  %.1f MB/s  %.0f s left \033[K", cells, part * 100,
            (double)c->read / 1e6, (double)c->all / 1e6, rate / 1e6, left);
}

static void erase(const struct crew *c) {
    if (c->bar)
        fputs("\r\033[K", stderr);
}

/* --- all of it --- */

static void wait_and_hear(struct crew *c) {
    struct pollfd fds[CREW_MAX];
    struct worker *who[CREW_MAX];
    nfds_t count = 0;
    for (unsigned i = 0; i < c->jobs; i++) {
        if (c->worker[i].pid == 0)
            continue;
        who[count] = &c->worker[i];
        fds[count++] = (struct pollfd){.fd = c->worker[i].from, .events = POLLIN};
    }
    int ready = poll(fds, count, BAR_EVERY_US / 1000);
    for (nfds_t i = 0; ready > 0 && i < count; i++)
        if (fds[i].revents)
            hear(c, who[i]);
    draw(c);
}

/* As many as may and can run. False when none can. */
static bool start_more(struct crew *c, struct crew_task *task, size_t count, size_t *next) {
    for (unsigned i = 0; i < c->jobs && *next < count; i++)
        if (c->worker[i].pid == 0) {
            if (!start(c, &c->worker[i], &task[*next]))
                return c->running > 0;
            ++*next;
        }
    return true;
}

bool crew_run(struct crew_task *task, size_t count, unsigned jobs, bool bar,
              void (*told)(void *arg, const struct crew_task *t), void *arg) {
    static struct crew c;
    size_t next = 0, said = 0;
    c = (struct crew){.jobs = jobs < CREW_MAX ? jobs : CREW_MAX, .bar = bar, .begun_us = clock_now().mono_us};
    c.drawn_us = c.begun_us;
    for (size_t i = 0; bar && i < count; i++)
        c.all += size_of(task[i].path);
    while (said < count) {
        if (!start_more(&c, task, count, &next))
            return false;
        wait_and_hear(&c);
        for (; said < count && task[said].done; said++) {
            erase(&c);
            told(arg, &task[said]);
        }
    }
    while (c.running > 0)
        wait_and_hear(&c);
    erase(&c);
    return true;
}
