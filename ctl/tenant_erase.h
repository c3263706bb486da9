/* SPDX-License-Identifier: ISC
 *
 * What people sign about the end of a tenant, for the other commands.
 */
#ifndef SEKISHO_TENANT_ERASE_H
#define SEKISHO_TENANT_ERASE_H

#include "ctl.h"

/* CTL_DONE when nothing that was signed would still erase it; else the exit code after saying so. */
int tenant_erase_none(const struct ctl *ctl, const char *id);

#endif
