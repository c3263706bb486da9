/* SPDX-License-Identifier: ISC
 *
 * See notifier_command.h. How the program runs is program.c's; here it gets its document, and an environment
 * of nothing but PATH and TZ.
 */
#include "notifier_command.h"
#include "magic.h"
#include "program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMMAND_MAGIC 0xC2D7150Bu

struct command {
    uint32_t magic;
    told_fn *told;
    void *arg;
    LIST_ENTRY(command) next;
};

static LIST_HEAD(, command) commands = LIST_HEAD_INITIALIZER(commands);

static void command_free(struct command **c) {
    MAGIC_CHECK(*c, COMMAND_MAGIC);
    LIST_REMOVE(*c, next);
    (*c)->magic = 0;
    free(*c);
    *c = NULL;
}

static void on_ended(void *arg, const struct program_end *e) {
    struct command *c = arg;
    MAGIC_CHECK(c, COMMAND_MAGIC);
    char why[TOLD_WHY] = "";
    bool good = !e->late && WIFEXITED(e->status) && WEXITSTATUS(e->status) == 0;
    if (e->late)
        snprintf(why, sizeof why, "did not end within %d s", TOLD_LIMIT_MS / 1000);
    else if (WIFSIGNALED(e->status))
        snprintf(why, sizeof why, "was ended by signal SIG%s", sigabbrev_np(WTERMSIG(e->status)));
    else if (!good)
        snprintf(why, sizeof why, "ended with status %d", WEXITSTATUS(e->status));
    told_fn *told = c->told;
    void *to = c->arg;
    command_free(&c);
    told(to, good, why);
}

static int document(struct view body) {
    int fd = memfd_create("notice", MFD_CLOEXEC);
    if (fd >= 0 && (write(fd, body.at, body.len) != (ssize_t)body.len || lseek(fd, 0, SEEK_SET) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void variable(char out[4200], const char *name) {
    const char *value = getenv(name);
    snprintf(out, 4200, "%s=%s", name, value ? value : "");
}

static struct program *start(const char *path, int input, struct command *c) {
    char name[256], where[4200], zone[4200];
    snprintf(name, sizeof name, "%s", path);
    variable(where, "PATH");
    variable(zone, "TZ");
    char *argv[] = {name, NULL};
    char *environment[] = {where, getenv("TZ") ? zone : NULL, NULL};
    struct program_wish wish = {
        .argv = argv, .environment = environment, .input = input, .limit_ms = TOLD_LIMIT_MS};
    return program_start(&wish, on_ended, c);
}

bool command_start(const char *path, struct view body, told_fn *told, void *arg) {
    int input = document(body);
    if (input < 0)
        return false;
    struct command *c = calloc(1, sizeof *c);
    if (!c)
        abort();
    *c = (struct command){.magic = COMMAND_MAGIC, .told = told, .arg = arg};
    LIST_INSERT_HEAD(&commands, c, next);
    bool good = start(path, input, c) != NULL;
    int error = errno;
    close(input);
    if (!good)
        command_free(&c);
    errno = error;
    return good;
}

void commands_end(void) {
    programs_end();
    while (!LIST_EMPTY(&commands)) {
        struct command *c = LIST_FIRST(&commands);
        command_free(&c);
    }
}
