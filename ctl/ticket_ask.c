/* SPDX-License-Identifier: ISC
 *
 * See ticket_ask.h.
 */
#include "ticket_ask.h"
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a group of its own, so that what it started ends with it. */
static _Noreturn void child(int out, const char *program, const char *ticket, const char *tenant,
                            const char *operator) {
    char *const argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)ticket, (char *)(uintptr_t)tenant,
                          (char *)(uintptr_t) operator, NULL };
    char path[] = TICKET_ENVIRONMENT;
    char *const environment[] = {path, NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    setpgid(0, 0);
    if (null >= 0 && dup2(null, 0) >= 0 && dup2(out, 1) >= 0 && dup2(out, 2) >= 0)
        execve(program, argv, environment);
    _exit(127);
}

/* Reads until the program has closed its end, or the time is over. False for that. */
static bool listen_to(int fd, int64_t deadline_us, char *said, size_t cap) {
    size_t len = 0;
    char rest[512];
    for (;;) {
        int64_t left = deadline_us - clock_now().mono_us;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left <= 0)
            return false;
        int ready = poll(&p, 1, (int)(left / 1000) + 1);
        if (ready <= 0) {
            if (ready < 0 && errno != EINTR)
                return false;
            continue;
        }
        bool full = len + 1 >= cap;
        ssize_t n = read(fd, full ? rest : said + len, full ? sizeof rest : cap - 1 - len);
        if (n <= 0)
            return n == 0;
        if (!full)
            len += (size_t)n;
        said[len] = '\0';
    }
}

/* It may close its output and go on: it has the rest of the time to end. */
static bool ends(pid_t pid, int64_t deadline_us, int *status) {
    for (;;) {
        pid_t gone = waitpid(pid, status, WNOHANG);
        if (gone == pid)
            return true;
        if ((gone < 0 && errno != EINTR) || clock_now().mono_us >= deadline_us)
            return false;
        poll(NULL, 0, 10);
    }
}

static bool ask_program(const struct settings *s, const char *ticket, const char *tenant,
                        const char *operator, char why[TICKET_WHY]) {
    int pipe_fd[2], status = 0;
    char said[256] = "";
    if (access(s->ticket_checker, X_OK) != 0 || pipe2(pipe_fd, O_CLOEXEC) != 0) {
        snprintf(why, TICKET_WHY, "ticket_checker cannot be executed: %.60s", strerror(errno));
        return false;
    }
    int64_t deadline = clock_now().mono_us + (int64_t)s->ticket_timeout * 1000;
    pid_t pid = fork();
    if (pid == 0)
        child(pipe_fd[1], s->ticket_checker, ticket, tenant, operator);
    close(pipe_fd[1]);
    bool in_time =
        pid > 0 && listen_to(pipe_fd[0], deadline, said, sizeof said) && ends(pid, deadline, &status);
    close(pipe_fd[0]);
    if (pid > 0 && !in_time) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    bool denied = ticket_denied(!in_time, status, view_text(said), s->ticket_timeout, why);
    if (denied && in_time && WIFEXITED(status) && WEXITSTATUS(status) == 127 && !said[0])
        snprintf(why, TICKET_WHY, "ticket_checker cannot be executed");
    return !denied;
}

bool ticket_ask(const struct settings *s, const char *ticket, const char *tenant, const char *operator,
                char why[TICKET_WHY]) {
    return (!s->ticket_checker[0] || ask_program(s, ticket, tenant, operator, why)) &&
           (!s->ticket_url[0] || ticket_ask_url(s, ticket, tenant, operator, why));
}
