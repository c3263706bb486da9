/* SPDX-License-Identifier: ISC
 *
 * An authority and a server certificate for trying Sekisho out. The authority's key is thrown away at once:
 * nobody can sign anything else with it.
 */
#ifndef SEKISHO_CERTIFICATES_H
#define SEKISHO_CERTIFICATES_H

#include <stdbool.h>

/* Writes the server's certificate (for *.<domain>, <domain> and localhost) and key, and the authority's
 * certificate to ca_path. None of the files may exist. False, with why. */
bool certificates_make(const char *domain, const char *certificate_path, const char *key_path,
                       const char *ca_path, char why[512]);

#endif
