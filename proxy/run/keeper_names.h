/* SPDX-License-Identifier: ISC
 *
 * The addresses of instances that are known by name: asked of the DNS without blocking, asked again every 30
 * seconds. Addresses that were once known stay in use while the DNS does not answer; the instance's
 * certificate decides anyway.
 */
#ifndef SEKISHO_KEEPER_NAMES_H
#define SEKISHO_KEEPER_NAMES_H

#include "directory.h"

#include <event2/event.h>

struct names;

/* Some name's addresses are not what they were. */
typedef void names_changed_fn(void *arg);

/* Ends the process without memory. */
struct names *names_new(struct event_base *base, names_changed_fn *changed, void *arg);

/* A new directory: begin, names_find for every tenant, end; names not asked for are forgotten. */
void names_begin(struct names *n);
/* What is known of a name or literal address now, with this port, in a stable order; 0 when nothing is. */
size_t names_find(struct names *n, const char *host, uint16_t port, struct address out[TENANT_ADDRESSES_MAX]);
void names_end(struct names *n);

#endif
