/* SPDX-License-Identifier: ISC
 *
 * What the audit commands have in common: where the log is, which chains there are, whose signatures count.
 */
#include "audit.h"
#include "files.h"
#include "main.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct settings *settings_of(const struct ctl *ctl, bool complain) {
    static struct settings settings;
    struct settings_error error;
    if (settings_read(ctl->config_path, &settings, &error))
        return &settings;
    if (complain)
        settings_complain(&error);
    return NULL;
}

const char *audit_folder(const struct ctl *ctl, const char *dir) {
    if (dir)
        return dir;
    const struct settings *s = settings_of(ctl, true);
    if (s)
        return s->ledger_dir;
    ctl_hint("-c names another configuration, --dir the ledger's folder");
    return NULL;
}

const char *audit_tenant(const char *name) {
    return files_tenant(name);
}

int audit_open(const char *dir, const char *name, int *folder) {
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/%s", dir, name);
    errno = ENAMETOOLONG;
    *folder = len > 0 && (size_t)len < sizeof path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (*folder >= 0)
        return CTL_DONE;
    ctl_error("the log of %s in %s: %s", name, dir, strerror(errno));
    return errno == ENOENT ? CTL_REFUSED : CTL_UNAVAILABLE;
}

static int is_chain(const struct dirent *entry) {
    return audit_tenant(entry->d_name) != NULL;
}

int audit_chains(const char *dir, struct audit_names *out) {
    struct dirent **entry;
    int count = scandir(dir, &entry, is_chain, alphasort);
    *out = (struct audit_names){NULL, 0};
    if (count < 0) {
        ctl_error("%s cannot be read: %s", dir, strerror(errno));
        return CTL_UNAVAILABLE;
    }
    for (int i = 0; i < count; i++) {
        audit_name_add(out, entry[i]->d_name);
        free(entry[i]);
    }
    free(entry);
    if (count > 0)
        return CTL_DONE;
    ctl_error("there is no log in %s", dir);
    return CTL_REFUSED;
}

void audit_name_add(struct audit_names *n, const char *name) {
    char **bigger = realloc(n->name, (n->count + 1) * sizeof *bigger);
    char *copy = strdup(name);
    if (!bigger || !copy)
        abort();
    n->name = bigger;
    n->name[n->count++] = copy;
}

void audit_names_free(struct audit_names *n) {
    for (size_t i = 0; i < n->count; i++)
        free(n->name[i]);
    free(n->name);
    *n = (struct audit_names){NULL, 0};
}

int audit_key_add(struct inspect_wish *wish, const char *path) {
    char why[256];
    if (wish->keys == INSPECT_KEYS_MAX) {
        ctl_error("more than %d keys", INSPECT_KEYS_MAX);
        return CTL_USAGE;
    }
    if (checkpoint_public_read(path, wish->key[wish->keys], why)) {
        wish->keys++;
        return CTL_DONE;
    }
    ctl_error("%s", why);
    return CTL_UNAVAILABLE;
}

bool audit_key_ours(const struct ctl *ctl, struct inspect_wish *wish) {
    char path[4096], why[256];
    const struct settings *s = settings_of(ctl, false);
    if (!s)
        return false;
    snprintf(path, sizeof path, "%.255s/" CHECKPOINT_PUBLIC_FILE, s->state_dir);
    if (!checkpoint_public_read(path, wish->key[wish->keys], why))
        return false;
    wish->keys++;
    return true;
}
