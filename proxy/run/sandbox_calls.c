/* SPDX-License-Identifier: ISC
 *
 * seccomp: the system calls of a process are a list; the kernel stops it at any other. The parent cannot see
 * in the wait status which call that was, so the kernel first raises SIGSYS here, whose handler tells the
 * supervisor the number and then asks for what is forbidden a second time: a SIGSYS while it is blocked
 * cannot be caught, and ends the process. Who took the process over can lie about the number, not live on:
 * the handler cannot be replaced, as SIGSYS is not among the signals whose action may be set.
 */
#include "channel.h"
#include "log.h"
#include "sandbox_parts.h"
#include "supervisor_spawn.h"

#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define SANDBOX_SELF ((scmp_datum_t)-1) /* stands for our own process id */

static const struct limit {
    const char *label, *call;
    int argument; /* -1: whatever the arguments */
    enum scmp_compare compare;
    scmp_datum_t a, b;
    uint32_t action;
} limits[] = {
#define LIMIT(label, call, argument, compare, a, b, action) {label, #call, argument, compare, a, b, action},
#include "sandbox.def"
};

static const struct set {
    const char *name, *calls;
} sets[] = {
#define CALLS(set, names) {set, names},
#include "sandbox.def"
};

static bool reports; /* the supervisor hears of it on its channel */

/* Async-signal-safe: two write(2) at most. */
static void on_forbidden(int number, siginfo_t *info, void *context) {
    uint32_t call = (uint32_t)info->si_syscall;
    if (reports) {
        uint8_t packet[] = {CHANNEL_VERSION,       M_FORBIDDEN,          (uint8_t)(call >> 24),
                            (uint8_t)(call >> 16), (uint8_t)(call >> 8), (uint8_t)call};
        ssize_t ignored = write(SPAWN_CHANNEL_FD, packet, sizeof packet);
        (void)ignored;
    } else {
        static const char said[] = "sekisho: a forbidden system call of the supervisor's or guard's\n";
        ssize_t ignored = write(STDERR_FILENO, said, sizeof said - 1);
        (void)ignored;
    }
    /* Forbidden where SIGSYS is: that is the end. Guard and supervisor, who may, end themselves. */
    signal(SIGSYS, SIG_DFL);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    kill(getpid(), SIGSYS);
    _exit(1);
}

/* True when the word is a label. */
static bool add_limits(scmp_filter_ctx filter, const char *word, int *error) {
    bool found = false;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        const struct limit *l = &limits[i];
        if (strcmp(l->label, word) != 0)
            continue;
        found = true;
        scmp_datum_t a = l->a == SANDBOX_SELF ? (scmp_datum_t)getpid() : l->a;
        struct scmp_arg_cmp condition = {(unsigned)(l->argument < 0 ? 0 : l->argument), l->compare, a, l->b};
        int e = seccomp_rule_add_array(filter, l->action, seccomp_syscall_resolve_name(l->call),
                                       l->argument >= 0, &condition);
        *error = e < 0 ? e : *error;
    }
    return found;
}

/* Only calls that this machine has: the others cannot be made either. */
static void add_calls(scmp_filter_ctx filter, const char *calls, int *error) {
    char word[32];
    while (sandbox_word(&calls, word)) {
        if (add_limits(filter, word, error))
            continue;
        int call = seccomp_syscall_resolve_name(word);
        int e = call == __NR_SCMP_ERROR ? -EINVAL
                : call < 0              ? 0
                                        : seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
        /* A label of the same call has allowed a part of it, and this all of it: both stand. */
        if (e < 0 && e != -EEXIST) {
            log_error("the system call %s cannot be allowed: %s", word, strerror(-e));
            *error = e;
        }
    }
}

static const char *set_of(const char *name) {
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        if (strcmp(sets[i].name, name) == 0)
            return sets[i].calls;
    return name;
}

static int add_row(scmp_filter_ctx filter, const char *words) {
    int error = 0;
    char word[32];
    while (sandbox_word(&words, word))
        add_calls(filter, set_of(word), &error);
#ifdef SEKISHO_SANITIZE
    add_calls(filter, set_of("sanitizers"), &error);
#endif
    return error;
}

bool sandbox_calls(const struct sandbox_row *row, bool reporter) {
    reports = reporter;
    struct sigaction forbidden = {.sa_sigaction = on_forbidden, .sa_flags = SA_SIGINFO};
    sigfillset(&forbidden.sa_mask);
    sigaction(SIGSYS, &forbidden, NULL);
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
    if (!filter)
        abort();
    /* Calls of another architecture's numbering: no program of ours makes one. */
    seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1); /* the kernel's own errors */
    /* Old kernels would slow down every branch of a process with a filter. */
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    int error = add_row(filter, row->calls);
    if (error == 0)
        error = seccomp_load(filter);
    seccomp_release(filter);
    if (error == -EINVAL || error == -ENOSYS || error == -EOPNOTSUPP)
        return false;
    if (error < 0) {
        log_error("the system calls cannot be limited: %s", strerror(-error));
        _exit(1);
    }
    return true;
}

void sandbox_call_name(uint32_t number, char out[32]) {
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)number);
    if (name)
        snprintf(out, 32, "%s", name);
    else
        snprintf(out, 32, "%u", number);
    free(name);
}
