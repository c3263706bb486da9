/* SPDX-License-Identifier: ISC
 *
 * See page.h.
 */
#include "page.h"
#include "stats.h"
#include "supervisor_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_FD 10

static void *map(int fd, int protection) {
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    if (fstat(fd, &st) < 0 || st.st_size != STATS_PAGE || seals < 0 || !(seals & F_SEAL_SHRINK))
        return NULL;
    void *at = mmap(NULL, STATS_PAGE, protection, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

bool page_new(int *fd, uint64_t **words) {
    int low = memfd_create("sekisho statistics", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    *fd = low >= 0 ? fcntl(low, F_DUPFD_CLOEXEC, FIRST_FD) : -1;
    if (low >= 0)
        close(low);
    *words = NULL;
    if (*fd >= 0 && ftruncate(*fd, STATS_PAGE) == 0 &&
        fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        *words = map(*fd, PROT_READ | PROT_WRITE);
    if (*words)
        return true;
    int error = errno;
    page_end(fd, words);
    errno = error;
    return false;
}

void page_end(int *fd, uint64_t **words) {
    if (*words)
        munmap(*words, STATS_PAGE);
    *words = NULL;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

int page_reader(int fd) {
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC);
}

const uint64_t *page_map(int fd) {
    const uint64_t *words = map(fd, PROT_READ);
    close(fd);
    return words;
}

void page_unmap(const uint64_t **words) {
    if (*words)
        munmap((void *)(uintptr_t)*words, STATS_PAGE);
    *words = NULL;
}

void page_take(void) {
    uint64_t *words = map(SPAWN_PAGE_FD, PROT_READ | PROT_WRITE);
    if (!words)
        return;
    close(SPAWN_PAGE_FD); /* the mapping stays, and nobody can pass it on */
    stats_begin(words);
}
