/* SPDX-License-Identifier: ISC
 *
 * reaper FILE COMMAND...: runs the command as the parent of everything that comes of it. Whatever its
 * processes leave behind becomes this one's child (PR_SET_CHILD_SUBREAPER) and is waited for, so that no
 * process's time is lost: it stands in the accounts of the living, or in `cutime` of who waited for it. TERM
 * and INT are passed on. At the end FILE gets the kernel's sum over all of them, in microseconds: what the
 * accounts can be checked against. Exits as the command did.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t child;

static void pass_on(int sig) {
    if (child > 0)
        kill(child, sig);
}

static void settle_accounts(const char *path) {
    struct rusage used;
    FILE *out = fopen(path, "w");
    if (!out || getrusage(RUSAGE_CHILDREN, &used) < 0)
        return;
    fprintf(out, "%lld\n",
            (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000LL + used.ru_utime.tv_usec +
                used.ru_stime.tv_usec);
    fclose(out);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: reaper FILE COMMAND...\n");
        return 2;
    }
    struct sigaction pass = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &pass, NULL);
    sigaction(SIGINT, &pass, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        execvp(argv[2], argv + 2);
        fprintf(stderr, "reaper: %s: %s\n", argv[2], strerror(errno));
        _exit(127);
    }
    child = pid;
    int status, code = 127;
    pid_t gone;
    while ((gone = wait(&status)) > 0 || errno == EINTR)
        if (gone == pid)
            code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    settle_accounts(argv[1]);
    return code;
}
