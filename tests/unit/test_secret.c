/* SPDX-License-Identifier: ISC
 *
 * What moves takes its bytes along. That nothing is left behind is tests/e2e/test_secrets.py's.
 */
#include "secret.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

Test(secret, what_moves_keeps_its_bytes) {
    char *at = secret_resize(NULL, 16);
    memcpy(at, "0123456789abcde", 16);
    at = secret_resize(at, 100000);
    cr_assert_str_eq(at, "0123456789abcde");
    at = secret_resize(at, 4);
    cr_assert_eq(memcmp(at, "0123", 4), 0);
    cr_assert_null(secret_resize(at, 0));
    secret_free(NULL);
}
