/* SPDX-License-Identifier: ISC
 *
 * A clock that a test can turn, for test builds of the daemon only: the linker puts it in the place of
 * clock_now. The file `clock` beside the program holds two numbers of 64 bits, microseconds that are added to
 * the wall clock and to the clock that never goes back (a machine that slept adds to both). Mapped before
 * anything else runs, so that it works in a process that may open no file.
 */
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct turn {
    _Atomic int64_t wall_us, mono_us;
};

struct moment __real_clock_now(void);
struct moment __wrap_clock_now(void);

static const struct turn *turn;

__attribute__((constructor)) static void find_clock(void) {
    char path[PATH_MAX + sizeof "clock"];
    ssize_t len = readlink("/proc/self/exe", path, PATH_MAX);
    char *slash = len > 0 ? memrchr(path, '/', (size_t)len) : NULL;
    if (!slash)
        abort();
    memcpy(slash + 1, "clock", sizeof "clock");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *turn, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        if (errno == EMFILE || errno == ENFILE)
            raise(SIGKILL); /* a test took the descriptors: its doing, told as its other kills are */
        perror(path);
        exit(1);
    }
    close(fd);
    turn = at;
}

struct moment __wrap_clock_now(void) {
    struct moment now = __real_clock_now();
    now.wall_us += turn->wall_us;
    now.mono_us += turn->mono_us;
    return now;
}
