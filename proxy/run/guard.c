/* SPDX-License-Identifier: ISC
 *
 * See guard.h. A dead supervisor's children leave by themselves, as their channels end; the new one starts
 * afresh.
 */
#include "guard.h"
#include "clock.h"
#include "log.h"
#include "supervisor_spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

#define BACKOFF_FIRST_MS 50
#define BACKOFF_MOST_MS 5000
#define SETTLED_US 60000000 /* alive for this long: the next crash is the first again */

struct watch {
    sigset_t signals;
    bool told_to_stop;
};

/* The supervisor's wait status. */
static int watch_over(struct watch *w, pid_t pid) {
    for (;;) {
        int status;
        if (waitpid(pid, &status, WNOHANG) == pid)
            return status;
        int sig = sigwaitinfo(&w->signals, NULL);
        if (sig == SIGTERM || sig == SIGINT)
            w->told_to_stop = true;
        if (sig > 0 && sig != SIGCHLD)
            kill(pid, sig == SIGINT ? SIGTERM : sig);
    }
}

/* False when told to stop meanwhile. */
static bool rest(struct watch *w, uint32_t ms) {
    int64_t until_us = clock_now().mono_us + (int64_t)ms * 1000, left_us;
    while (!w->told_to_stop && (left_us = until_us - clock_now().mono_us) > 0) {
        struct timespec t = {left_us / 1000000, left_us % 1000000 * 1000};
        int sig = sigtimedwait(&w->signals, NULL, &t);
        w->told_to_stop = sig == SIGTERM || sig == SIGINT;
    }
    return !w->told_to_stop;
}

static void say_why(int status) {
    if (WIFSIGNALED(status))
        log_error("the supervisor was ended by signal SIG%s: starting another",
                  sigabbrev_np(WTERMSIG(status)));
    else
        log_error("the supervisor ended with status %d: starting another", WEXITSTATUS(status));
}

static uint32_t next_backoff(uint32_t backoff_ms, int64_t lived_us) {
    if (lived_us >= SETTLED_US || backoff_ms == 0)
        return BACKOFF_FIRST_MS;
    return backoff_ms * 2 < BACKOFF_MOST_MS ? backoff_ms * 2 : BACKOFF_MOST_MS;
}

int guard_run(const char *config_path) {
    struct watch w = {.told_to_stop = false};
    sigemptyset(&w.signals);
    static const int signals[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaddset(&w.signals, signals[i]);
    sigprocmask(SIG_BLOCK, &w.signals, NULL);
    log_open("guard", LOG_LEVEL_INFO);
    int program = spawn_open_session();
    if (program < 0) {
        log_error("cannot open sekisho-session, the program of gate and cells: %s", strerror(errno));
        return 1;
    }
    uint32_t backoff_ms = 0;
    for (bool first = true;; first = false) {
        int64_t started_us = clock_now().mono_us;
        pid_t pid = spawn(&(struct spawn){.role = "supervisor",
                                          .config = config_path,
                                          .channel = program,
                                          .program = -1,
                                          .own_group = true,
                                          .notify = true});
        if (pid < 0) {
            log_error("cannot start the supervisor: %s", strerror(errno));
            if (first)
                return 1;
        } else {
            int status = watch_over(&w, pid);
            if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return 0;
            if (w.told_to_stop || (first && WIFEXITED(status) && WEXITSTATUS(status) == 2))
                return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
            say_why(status);
        }
        backoff_ms = next_backoff(backoff_ms, clock_now().mono_us - started_us);
        if (!rest(&w, backoff_ms))
            return 0;
    }
}
