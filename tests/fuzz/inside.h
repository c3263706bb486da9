/* SPDX-License-Identifier: ISC
 *
 * For fuzz targets: does a view that a parser handed out lie within what it was given?
 */
#ifndef SEKISHO_INSIDE_H
#define SEKISHO_INSIDE_H

#include "bytes.h"

static inline bool view_inside(struct view inner, struct view outer) {
    if (inner.len == 0)
        return true;
    uintptr_t from = (uintptr_t)inner.at, start = (uintptr_t)outer.at;
    return from >= start && inner.len <= outer.len && from - start <= outer.len - inner.len;
}

#endif
