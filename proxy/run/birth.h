/* SPDX-License-Identifier: ISC
 *
 * What each of our processes does first, whichever program it is: the descriptors and limits that everything
 * later relies on, and then the entry of the role that the environment names.
 */
#ifndef SEKISHO_BIRTH_H
#define SEKISHO_BIRTH_H

#include <stddef.h>

struct birth_role {
    const char *name; /* as the supervisor calls it */
    int (*run)(void); /* the process's exit status */
};

/* Standard descriptors are open, as many others as the system allows may be, and no core file is written:
 * memory holds keys. */
void birth_prepare(void);
/* The role that the parent set; NULL when the program was started by hand. */
const char *birth_role_name(void);
/* Names the process after its role, confines it to that (sandbox.h) and runs it. Exit status 2, with a line
 * on standard error, when none of these is it. */
int birth_run(const char *role, const struct birth_role *roles, size_t count);

#endif
