/* SPDX-License-Identifier: ISC
 *
 * Making folders and new files, never over what is there.
 */
#ifndef SEKISHO_NEWFILE_H
#define SEKISHO_NEWFILE_H

#include <stdbool.h>
#include <sys/types.h>

/* The folder and those above it; one that is there is fine as it is. False, with why. */
bool newfile_folder(const char *path, mode_t mode, char why[512]);
/* The folders above a file. */
bool newfile_parent(const char *path, char why[512]);
/* A new file with this text, on disk when this returns. False, with why, also when it exists. */
bool newfile_write(const char *path, const char *text, mode_t mode, char why[512]);
bool newfile_exists(const char *path);

#endif
