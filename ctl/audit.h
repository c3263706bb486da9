/* SPDX-License-Identifier: ISC
 *
 * sekishoctl audit: reading and checking the session log. Both commands read files only: they need neither
 * the running proxy nor, with --dir, a configuration.
 */
#ifndef SEKISHO_CTL_AUDIT_H
#define SEKISHO_CTL_AUDIT_H

#include "ctl.h"

#define AUDIT_SHOW_DETAILS                                                                                   \
    "TENANT is a tenant's id, or _provider for the provider's own log.\n"                                    \
    "  --session ID           only this session's records\n"                                                 \
    "  --event NAME           only these, such as session.open\n"                                            \
    "  --last N               only the last N of them\n"                                                     \
    "  --follow               go on with what is written from now on\n"                                      \
    "  --dir FOLDER           the ledger's folder, instead of the configuration's ledger_dir\n"              \
    "  --json                 the lines as they are written\n"                                               \
    "Example:\n"                                                                                             \
    "  sekishoctl audit show acme --event session.refused --last 20\n"
#define AUDIT_VERIFY_DETAILS                                                                                 \
    "Without TENANT: every log there is. _provider is the provider's own.\n"                                 \
    "  --dir FOLDER           the ledger's folder, or a copy, instead of the configuration's ledger_dir\n"   \
    "Exit 1 when any log is not good. Nothing follows the newest record, so a change of that one alone, "    \
    "or\n"                                                                                                   \
    "records cut off at the end, show only when the head is compared with one noted down elsewhere.\n"

#define AUDIT_REPLAY_DETAILS                                                                                 \
    "SESSION is the 16 digits that the log and every error message show.\n"                                  \
    "  --tenant T             whose log it is in; all are searched when not given\n"                         \
    "  --dir FOLDER           the ledger's folder, instead of the configuration's ledger_dir\n"              \
    "  --json                 the session's lines as they are written\n"                                     \
    "Example:\n"                                                                                             \
    "  sekishoctl audit replay 0123456789abcdef --tenant acme\n"

ctl_command_fn ctl_audit_show, ctl_audit_verify, ctl_audit_replay, ctl_audit_key;

/* The ledger's folder: `dir` when it is not NULL, else the configuration's. NULL after saying that there is
 * none. */
const char *audit_folder(const struct ctl *ctl, const char *dir);
/* A name from the command line: a tenant's id, "" for _provider, NULL when it is neither. */
const char *audit_tenant(const char *name);

#endif
