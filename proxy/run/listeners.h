/* SPDX-License-Identifier: ISC
 *
 * The sockets that tenants and operators connect to, and those for metrics, bound by the supervisor and kept
 * by it over every restart of the gate. A new set takes over what the old one already has; until it is
 * complete the old one is untouched.
 */
#ifndef SEKISHO_LISTENERS_H
#define SEKISHO_LISTENERS_H

#include "settings.h"

#define LISTENERS_WHY 256

enum plane { PLANE_TENANTS, PLANE_OPERATORS, PLANE_METRICS, PLANES };

struct listeners {
    size_t count;
    struct {
        struct address address;
        int fd;
    } item[SETTINGS_ADDRESSES_MAX];
};

/* Binds `wanted`, taking sockets from `old` (may be NULL) where the address is the same. False, with why and
 * error (errno), when one could not be had: then nothing was changed. */
bool listeners_open(struct listeners *out, const struct addresses *wanted, const struct listeners *old,
                    uint32_t backlog, char why[LISTENERS_WHY], int *error);
/* Every plane's, or none of them; old: NULL, or as out. */
bool listeners_open_all(struct listeners out[PLANES], const struct settings *s,
                        const struct listeners old[PLANES], char why[LISTENERS_WHY], int *error);
/* Closes those of old that are not in kept (may be NULL), and empties it. */
void listeners_close(struct listeners *old, const struct listeners *kept);

#endif
