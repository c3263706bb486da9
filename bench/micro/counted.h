/* SPDX-License-Identifier: ISC
 *
 * A driver does its work once to warm up and then as often as it was told, and says how often:
 * "units <count>" on standard output. Only what stands inside COUNTED(...) is counted: instructions by
 * callgrind, started with --collect-atstart=no, and system calls by strace, between two calls of getppid,
 * which nothing else makes.
 */
#ifndef SEKISHO_BENCH_COUNTED_H
#define SEKISHO_BENCH_COUNTED_H

#include <stdbool.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

static bool counting; /* after the warm-up */

static inline void count_begin(void) {
    if (!counting)
        return;
    (void)getppid();
    CALLGRIND_TOGGLE_COLLECT;
}

static inline void count_end(void) {
    if (!counting)
        return;
    CALLGRIND_TOGGLE_COLLECT;
    (void)getppid();
}

#define COUNTED(call)                                                                                        \
    do {                                                                                                     \
        count_begin();                                                                                       \
        call;                                                                                                \
        count_end();                                                                                         \
    } while (0)

#endif
