/* SPDX-License-Identifier: ISC
 *
 * sekishoctl audit key: the public half of the key that signs the session log, for whoever verifies it
 * elsewhere. The private half is never read here.
 */
#include "args.h"
#include "audit.h"
#include "checkpoint.h"
#include "facts.h"

#include <stdio.h>

int ctl_audit_key(const struct ctl *ctl, int argc, char **argv) {
    char path[4096], why[256], id[CHECKPOINT_KEY_ID + 1];
    uint8_t public[CHECKPOINT_PUBLIC];
    int code = args_words("audit key", argc, argv, 0, 0, NULL);
    if (code != CTL_DONE)
        return code;
    snprintf(path, sizeof path, "%s/" CHECKPOINT_PUBLIC_FILE, ctl->settings->state_dir);
    if (!checkpoint_public_read(path, public, why)) {
        ctl_error("%s", why);
        ctl_hint("sekishoctl init makes it");
        return CTL_REFUSED;
    }
    checkpoint_key_id(public, id);
    char pem[CHECKPOINT_PEM_MAX];
    if (!checkpoint_public_write(public, pem)) {
        ctl_error("the key cannot be printed");
        return CTL_UNAVAILABLE;
    }
    if (ctl->json)
        facts_print_json(json_pack("{s:s,s:s}", "key", id, "public", pem));
    else
        printf("key %s\n%s", id, pem);
    return CTL_DONE;
}
