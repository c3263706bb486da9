/* SPDX-License-Identifier: ISC
 *
 * The memory of a statistics page: a memfd of fixed size that the supervisor makes, the process that counts
 * writes, and the console maps through a descriptor that cannot write. The size is sealed, so that nobody can
 * pull it away from under a reader.
 */
#ifndef SEKISHO_PAGE_H
#define SEKISHO_PAGE_H

#include <stdbool.h>
#include <stdint.h>

/* All zero. *fd is above the numbers that processes are started with; *words lives until page_end. False with
 * errno. */
bool page_new(int *fd, uint64_t **words);
void page_end(int *fd, uint64_t **words);
/* Another descriptor of it, read-only; -1 with errno. */
int page_reader(int fd);
/* Maps what page_reader gave; closes fd. NULL when it is no page. */
const uint64_t *page_map(int fd);
void page_unmap(const uint64_t **words);

/* In a fresh process: from now on it counts in the page it was started with, if there is one. */
void page_take(void);

#endif
