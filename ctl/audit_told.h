/* SPDX-License-Identifier: ISC
 *
 * That somebody reads a log on the host is itself in that log, before the first line is shown: said to the
 * running proxy's console, whose ledger alone may write.
 */
#ifndef SEKISHO_CTL_AUDIT_TOLD_H
#define SEKISHO_CTL_AUDIT_TOLD_H

#include "ctl.h"

/* dir: the folder that is read. name: as the chain's folder is called. action: "audit show". CTL_DONE when
 * the record is on disk, and also when there is nothing to tell: dir is a copy, or the proxy is not running
 * (then a hint says so). CTL_UNAVAILABLE, after saying why, when it runs and does not record: nothing is to
 * be shown then. */
int audit_told(const struct ctl *ctl, const char *dir, const char *name, const char *action);

#endif
