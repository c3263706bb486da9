/* SPDX-License-Identifier: ISC
 *
 * What tests/unit/session_fixture.h needs of Criterion, as plain checks: the drivers walk the same people
 * through the same doors, but in one process without a test runner, so that callgrind counts only what is
 * asked.
 */
#ifndef SEKISHO_BENCH_CRITERION_H
#define SEKISHO_BENCH_CRITERION_H

#include <stdio.h>
#include <stdlib.h>

#define must_be(condition)                                                                                   \
    ((condition) ? (void)0                                                                                   \
                 : (fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition), abort()))

#define cr_assert(condition, ...) must_be(condition)
#define cr_assert_not(condition, ...) must_be(!(condition))
#define cr_assert_null(p, ...) must_be((p) == NULL)
#define cr_assert_not_null(p, ...) must_be((p) != NULL)
#define cr_assert_eq(a, b, ...) must_be((a) == (b))
#define cr_assert_lt(a, b, ...) must_be((a) < (b))
#define cr_assert_leq(a, b, ...) must_be((a) <= (b))

#endif
