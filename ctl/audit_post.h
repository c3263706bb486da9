/* SPDX-License-Identifier: ISC
 *
 * Heads of the log sent to somebody who keeps them: one POST over HTTPS.
 */
#ifndef SEKISHO_CTL_AUDIT_POST_H
#define SEKISHO_CTL_AUDIT_POST_H

#include "bytes.h"
#include "web_manners.h"

/* ca: a file of authorities; "": the system's. False, with a sentence's end, unless it is answered with 2xx.
 */
bool audit_post(const char *url, const char *ca, struct view body, char why[WEB_WHY]);

#endif
