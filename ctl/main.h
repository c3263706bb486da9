/* SPDX-License-Identifier: ISC
 *
 * How a configuration is read and complained about.
 */
#ifndef SEKISHO_CTL_MAIN_H
#define SEKISHO_CTL_MAIN_H

#include "ctl.h"

bool settings_read(const char *path, struct settings *out, struct settings_error *error);
void settings_complain(const struct settings_error *error);

#endif
