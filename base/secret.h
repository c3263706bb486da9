/* SPDX-License-Identifier: ISC
 *
 * Secrets: wiped so that the compiler cannot skip it, compared in constant time, drawn from the system's
 * generator.
 */
#ifndef SEKISHO_SECRET_H
#define SEKISHO_SECRET_H

#include "bytes.h"

void secret_wipe(void *at, size_t len);
/* Constant time in len. */
bool secret_equal(const void *a, const void *b, size_t len);
/* Fills at with random bytes; ends the process when the generator fails: nothing here goes on without it. */
void secret_random(void *at, size_t len);

#endif
