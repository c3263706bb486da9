/* SPDX-License-Identifier: ISC
 *
 * A magic number at the start of every object that crosses a function: a stale or wrong pointer fails at the
 * door instead of being believed. Values are unique over the whole tree (tests/house checks).
 */
#ifndef SEKISHO_MAGIC_H
#define SEKISHO_MAGIC_H

#include <assert.h>
#include <stdint.h>

#define MAGIC_CHECK(object, value) assert((object) != NULL && (object)->magic == (value))

#endif
