/* SPDX-License-Identifier: ISC
 *
 * init: the state folder with its store and keys, and sample certificates. What exists stays as it is and is
 * said, so that init may be run again.
 */
#include "args.h"
#include "certificates.h"
#include "checkpoint.h"
#include "commands.h"
#include "facts.h"
#include "newfile.h"
#include "secret.h"
#include "users.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct init {
    const struct ctl *ctl;
    const char *state, *domain;
    bool certificates;
    json_t *made; /* what --json prints: path to "made" or "kept" */
    char why[512];
};

static void told(struct init *n, const char *what, const char *path, bool made) {
    if (n->ctl->json)
        json_array_append_new(n->made, json_pack("{s:s,s:s,s:b}", "what", what, "path", path, "made", made));
    else
        printf("%-6s%s (%s)\n", made ? "made" : "kept", path, what);
}

static bool key(struct init *n, const char *name, const char *what, char path[4096]) {
    snprintf(path, 4096, "%s/%s", n->state, name);
    bool there = newfile_exists(path);
    if (!there && !seal_key_make(path, n->why))
        return false;
    told(n, what, path, !there);
    return true;
}

static bool store(struct init *n, const char *seal_path) {
    char path[4096];
    uint8_t seal[SEAL_KEY];
    snprintf(path, sizeof path, "%s/store.sqlite", n->state);
    bool there = newfile_exists(path);
    struct store *s =
        seal_key_read(seal_path, seal, n->why) ? store_sqlite.open(path, true, seal, n->why) : NULL;
    secret_wipe(seal, sizeof seal);
    if (!s)
        return false;
    s->driver->close(&s);
    told(n, "the control store", path, !there);
    return true;
}

static bool write_ledger_key(struct init *n, const char *private_path, const char *public_path) {
    char private[CHECKPOINT_PEM_MAX] = "", public[CHECKPOINT_PEM_MAX];
    struct checkpoint_key *k = checkpoint_key_make();
    bool good = k && checkpoint_key_write(k, private, public);
    if (!good)
        snprintf(n->why, sizeof n->why, "no key could be made");
    good = good && newfile_write(private_path, private, 0600, n->why) &&
           newfile_write(public_path, public, 0644, n->why);
    secret_wipe(private, sizeof private);
    checkpoint_key_free(&k);
    return good;
}

static bool ledger_key(struct init *n) {
    char private[4096], public[4096];
    snprintf(private, sizeof private, "%s/" CHECKPOINT_KEY_FILE, n->state);
    snprintf(public, sizeof public, "%s/" CHECKPOINT_PUBLIC_FILE, n->state);
    bool there = newfile_exists(private);
    if (!there && !write_ledger_key(n, private, public))
        return false;
    told(n, "signs the session log", private, !there);
    told(n, "its public half; whoever verifies the log needs it", public, !there);
    return true;
}

/* Root makes everything; the proxy's processes must be able to use it as the accounts that they become. */
static bool give(struct init *n, const char *name, const struct user *u) {
    char path[4096];
    snprintf(path, sizeof path, "%s%s%s", n->state, name[0] ? "/" : "", name);
    if (!u->set || lchown(path, u->uid, u->gid) == 0 || errno == ENOENT)
        return true;
    snprintf(n->why, sizeof n->why, "%.200s cannot be given to its account: %.200s", path, strerror(errno));
    return false;
}

/* The ledger goes through the folder, by its group, to the one key of its own. */
static bool owners(struct init *n) {
    static const char *const files[] = {
        "", "seal.key", "fleet.key", "store.sqlite", "store.sqlite-wal", "store.sqlite-shm"};
    struct users users;
    if (geteuid() != 0)
        return true;
    if (!users_find(n->ctl->settings, &users, n->why))
        return false;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (!give(n, files[i], &users.broker))
            return false;
    if (users.broker.set && users.ledger.set && chmod(n->state, 0710) < 0) {
        snprintf(n->why, sizeof n->why, "%.200s cannot be opened to its group: %.200s", n->state,
                 strerror(errno));
        return false;
    }
    return give(n, CHECKPOINT_KEY_FILE, &users.ledger) && give(n, CHECKPOINT_PUBLIC_FILE, &users.ledger);
}

static bool state(struct init *n) {
    char path[4096], seal_path[4096];
    bool there = newfile_exists(n->state);
    if (!newfile_folder(n->state, 0700, n->why))
        return false;
    told(n, "the state folder", n->state, !there);
    return key(n, "seal.key", "seals the store's secrets; keep a copy apart from the store's", seal_path) &&
           key(n, "fleet.key", "the fleet's secret; the same on every proxy of a fleet", path) &&
           ledger_key(n) && store(n, seal_path) && owners(n);
}

static bool certificates(struct init *n) {
    const struct settings *s = n->ctl->settings;
    char ca[4096];
    const char *slash = strrchr(s->certificate, '/');
    int folder = slash ? (int)(slash - s->certificate + 1) : 0;
    snprintf(ca, sizeof ca, "%.*ssample-ca.crt", folder, s->certificate);
    bool there = newfile_exists(s->certificate) || newfile_exists(s->key);
    if (!there && (!newfile_parent(s->certificate, n->why) || !newfile_parent(s->key, n->why) ||
                   !certificates_make(n->domain, s->certificate, s->key, ca, n->why)))
        return false;
    told(n, "the server's certificate", s->certificate, !there);
    told(n, "its key", s->key, !there);
    if (!there)
        told(n, "the sample authority; clients trust it with sslrootcert", ca, true);
    return true;
}

static int read_arguments(struct init *n, int argc, char **argv) {
    static const struct args_option options[] = {
        {"--sample-certificates", false}, {"--state", true}, {"--domain", true}};
    struct args a = args_of(argc, argv);
    for (int what; (what = args_next(&a, options, 3)) != ARGS_END;) {
        if (what == ARGS_WORD)
            return ctl_usage("init", "init: one argument too many: %s", a.value);
        if (what == ARGS_UNKNOWN || what == ARGS_NO_VALUE)
            return args_complain(&a, what, "init");
        if (what == 0)
            n->certificates = true;
        else
            *(what == 1 ? &n->state : &n->domain) = a.value;
    }
    if (!host_name_valid(view_text(n->domain)))
        return ctl_usage("init", "\"%s\" is no domain", n->domain);
    return CTL_DONE;
}

int ctl_init(const struct ctl *ctl, int argc, char **argv) {
    struct init n = {.ctl = ctl, .state = ctl->settings->state_dir, .domain = ctl->settings->domain};
    int code = read_arguments(&n, argc, argv);
    if (code != CTL_DONE)
        return code;
    n.made = json_array();
    bool good = state(&n) && (!n.certificates || certificates(&n));
    if (!good)
        ctl_error("%s", n.why);
    if (good && ctl->json)
        facts_print_json(n.made);
    else
        json_decref(n.made);
    return good ? CTL_DONE : CTL_REFUSED;
}
