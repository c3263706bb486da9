/* SPDX-License-Identifier: ISC
 *
 * The end of a tenant's log. Who may want it, and when, is decided elsewhere (policy/grants_erase.c); here it
 * leaves a trace in the provider's log before anything is deleted, and touches no other tenant's files.
 */
#include "files.h"
#include "journal_file.h"
#include "log.h"
#include "magic.h"
#include "text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static bool say(struct journal *j, const struct chain *c, const char *who, struct moment now) {
    char hash[65];
    struct record r;
    struct chain *provider = chain_get(j, "");
    if (!provider || provider->failed || provider->broken) {
        errno = EIO;
        return false;
    }
    struct writer w = writer_of(hash, sizeof hash);
    text_hex(&w, view_of(c->durable.head, sizeof c->durable.head));
    record_begin(&r, EVENT_TENANT_ERASED, 0);
    record_text(&r, FIELD_ERASED, view_text(c->tenant));
    record_text(&r, FIELD_ACTOR, view_text(who));
    record_number(&r, FIELD_LAST, c->durable.n);
    record_text(&r, FIELD_SHA256, writer_view(&w));
    record_number(&r, FIELD_FILES, c->file > 0 ? c->file - c->first_file + 1 : 0);
    return chain_append(j, provider, &r, now) && chain_checkpoint(j, provider, now) &&
           chain_sync(j, provider);
}

/* Every name in it. */
static bool empty_folder(int folder) {
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *all = fd >= 0 ? fdopendir(fd) : NULL;
    bool good = all != NULL;
    if (!all) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    for (struct dirent *entry; good && (entry = readdir(all));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            good = unlinkat(folder, entry->d_name, 0) == 0;
    int saved = errno;
    closedir(all);
    errno = saved;
    return good;
}

static bool delete_folder(struct journal *j, const struct chain *c) {
    int folder = chain_folder(j, c, false);
    if (folder < 0)
        return errno == ENOENT;
    bool good = empty_folder(folder);
    int saved = errno;
    close(folder);
    errno = saved;
    return good && unlinkat(j->folder, c->tenant, AT_REMOVEDIR) == 0 && fsync(j->folder) == 0;
}

bool journal_erase(struct journal *j, const char *tenant, const char *who, struct moment now) {
    assert(files_tenant_valid(tenant)); /* never the provider's own */
    struct chain *c = chain_get(j, tenant);
    if (!c)
        return false;
    chain_close(j, c);
    if (!c->erasing && c->file > 0 && !say(j, c, who, now))
        return false;
    c->erasing = true;
    if (!delete_folder(j, c)) {
        log_error("the log of %s cannot be erased: %s", tenant, strerror(errno));
        return false;
    }
    if (c->file > 0)
        log_warning("the log of %s was erased, as %s signed", tenant, who);
    c->file = c->first_file = 0;
    return true;
}
