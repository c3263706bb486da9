/* SPDX-License-Identifier: ISC
 *
 * sekishoctl audit: reading and checking the session log. Both commands read files only: they need neither
 * the running proxy nor, with --dir, a configuration.
 */
#ifndef SEKISHO_CTL_AUDIT_H
#define SEKISHO_CTL_AUDIT_H

#include "ctl.h"
#include "inspect.h"

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
    "  --key FILE             the ledger's public key (PEM); may be repeated. The node's own when not "      \
    "given\n"                                                                                                \
    "  --from NUMBER:HASH     only what follows this record, which is trusted; or a file that audit "        \
    "witness\n"                                                                                              \
    "                         wrote: what follows its heads, and that they are there\n"                      \
    "  --dir FOLDER           the ledger's folder, or a copy, instead of the configuration's ledger_dir\n"   \
    "  --jobs N               so many logs at once; as many as there are processors when not given\n"        \
    "  --json                 an object a log\n"                                                             \
    "Checks numbers, links, whose log it is, checkpoints' signatures, files, and names the first bad "       \
    "record,\n"                                                                                              \
    "its file and line. Exit 0: all good; 1: any is not; 2: wrong usage; 3: folder or key cannot be read.\n" \
    "Records after the last checkpoint are proved only by the next one, or against a head noted "            \
    "elsewhere:\n"                                                                                           \
    "see audit witness.\n"                                                                                   \
    "Example:\n"                                                                                             \
    "  sekishoctl audit verify --key ledger.pub --dir /mnt/copy/ledger\n"

#define AUDIT_WITNESS_DETAILS                                                                                \
    "Prints the head of every log, or of those named: a line of JSON each, with tenant, n, hash, time and\n" \
    "the number of the last checkpoint. Kept elsewhere, it shows later that nothing was cut or replaced.\n"  \
    "  --compare FILE         looks whether what FILE says is still there, instead\n"                        \
    "  --post URL             posts the lines to that HTTPS address instead of printing them\n"              \
    "  --ca FILE              authority (PEM) of that address's certificate; the system's when not given\n"  \
    "  --dir FOLDER           the ledger's folder, or a copy, instead of the configuration's ledger_dir\n"   \
    "Exit 1 when a record of FILE is not there, or is another, or the address did not take it.\n"            \
    "Example:\n"                                                                                             \
    "  sekishoctl audit witness >>/mnt/elsewhere/heads.jsonl\n"

#define AUDIT_EXPORT_DETAILS                                                                                 \
    "  --from TIME            the first record's time at least: 2026-11-24T00:00:00Z\n"                      \
    "  --to TIME              and the last one's is before this\n"                                           \
    "  -o, --out FILE         a new file; - is standard output\n"                                            \
    "  --dir FOLDER           the ledger's folder, instead of the configuration's ledger_dir\n"              \
    "Writes the log's lines as they are, from the checkpoint before them to the one behind them, under a\n"  \
    "line that says what they are. verify-export.sh, which shares no code with this program, checks it "     \
    "with\n"                                                                                                 \
    "the ledger's public key. That it is exported is in the log.\n"                                          \
    "Example:\n"                                                                                             \
    "  sekishoctl audit export acme --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z -o acme.export\n"

#define AUDIT_REPLAY_DETAILS                                                                                 \
    "SESSION is the 16 digits that the log and every error message show.\n"                                  \
    "  --tenant T             whose log it is in; all are searched when not given\n"                         \
    "  --dir FOLDER           the ledger's folder, instead of the configuration's ledger_dir\n"              \
    "  --json                 the session's lines as they are written\n"                                     \
    "Example:\n"                                                                                             \
    "  sekishoctl audit replay 0123456789abcdef --tenant acme\n"

ctl_command_fn ctl_audit_show, ctl_audit_verify, ctl_audit_replay, ctl_audit_key, ctl_audit_witness,
    ctl_audit_export;

/* The ledger's folder: `dir` when it is not NULL, else the configuration's. NULL after saying that there is
 * none. */
const char *audit_folder(const struct ctl *ctl, const char *dir);
/* A name from the command line: a tenant's id, "" for _provider, NULL when it is neither. */
const char *audit_tenant(const char *name);
/* The folder of one chain in `dir`, for reading; the caller closes it. CTL_DONE, or why it cannot be opened,
 * after saying so. */
int audit_open(const char *dir, const char *name, int *folder);

/* Chains by the names of their folders, each owned. */
struct audit_names {
    char **name;
    size_t count;
};
/* Every chain there is, in order. An exit code, after saying why when it is not CTL_DONE. */
int audit_chains(const char *dir, struct audit_names *out);
void audit_name_add(struct audit_names *n, const char *name);
void audit_names_free(struct audit_names *n);

/* Adds a public key of that file to those that count: CTL_DONE, or an exit code after saying why. */
int audit_key_add(struct inspect_wish *wish, const char *path);
/* The node's own; false when there is none that can be read. */
bool audit_key_ours(const struct ctl *ctl, struct inspect_wish *wish);

#endif
