/* SPDX-License-Identifier: ISC
 *
 * sekishoctl: the command line of the people who run Sekisho. Reads the options before the command, opens
 * what the command declares to need in commands.def, runs it. Acts with the rights of whoever starts it; the
 * control store and the control socket are protected by their files' modes.
 */
#include "main.h"
#include "commands.h"
#include "control.h"
#include "desk_remote.h"
#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool settings_read(const char *path, struct settings *out, struct settings_error *error) {
    static char text[SETTINGS_TEXT_MAX];
    size_t len;
    return settings_load(path, out, text, sizeof text, &len, error);
}

void settings_complain(const struct settings_error *error) {
    if (error->line > 0)
        ctl_error("%s:%d: %s", error->file, error->line, error->text);
    else
        ctl_error("%s: %s", error->file, error->text);
}

static bool open_store(struct ctl *ctl) {
    char path[512], why[256];
    uint8_t key[SEAL_KEY];
    snprintf(path, sizeof path, "%.255s/seal.key", ctl->settings->state_dir);
    bool good = seal_key_read(path, key, why);
    if (good) {
        snprintf(path, sizeof path, "%.255s/store.sqlite", ctl->settings->state_dir);
        ctl->store = store_sqlite.open(path, false, key, why);
    }
    secret_wipe(key, sizeof key);
    if (ctl->store)
        return true;
    ctl_error("the control store is not available: %s", why);
    ctl_hint("sekishoctl init makes it; it is for the account that made it only");
    return false;
}

/* What the command needs: CTL_DONE, or the exit code after saying why. */
static int prepare(struct ctl *ctl, const struct command *c, const struct remote_wish *remote) {
    static struct settings settings;
    struct settings_error error;
    bool elsewhere = remote->host || remote->service;
    if (c->need == NEED_NOTHING)
        return CTL_DONE;
    ctl->settings = &settings;
    if (c->need == NEED_DESK && elsewhere)
        return desk_remote_connect(remote, &settings);
    if (!settings_read(ctl->config_path, &settings, &error)) {
        settings_complain(&error);
        ctl_hint("sekishoctl config sample prints a configuration; -c names another file%s",
                 c->need == NEED_DESK
                     ? "; --service NAME or --host HOST leads to a proxy elsewhere, as psql gets there"
                     : "");
        return CTL_REFUSED;
    }
    if ((c->need == NEED_STORE || c->need == NEED_DESK) && !open_store(ctl))
        return CTL_UNAVAILABLE;
    if (c->need == NEED_CONTROL && (ctl->control = control_connect(&settings)) < 0)
        return CTL_UNAVAILABLE;
    return CTL_DONE;
}

static int run(struct ctl *ctl, const struct command *c, const struct remote_wish *remote, int argc,
               char **argv) {
    int code = prepare(ctl, c, remote);
    if (code == CTL_DONE)
        code = c->run(ctl, argc, argv);
    desk_remote_close();
    if (ctl->store)
        ctl->store->driver->close(&ctl->store);
    if (ctl->control >= 0)
        close(ctl->control);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    ctl_error("cannot write to standard output");
    return CTL_REFUSED;
}

/* Takes a word out of the arguments wherever it stands before "--". */
static bool take(int *argc, char **argv, const char *word) {
    bool found = false, ended = false;
    int kept = 0;
    for (int i = 0; i < *argc; i++) {
        ended = ended || strcmp(argv[i], "--") == 0;
        if (!ended && strcmp(argv[i], word) == 0)
            found = true;
        else
            argv[kept++] = argv[i];
    }
    *argc = kept;
    return found;
}

static int help(int argc, char **argv, bool colour) {
    int words;
    const struct command *c = argc > 0 ? command_find(argc, argv, &words) : NULL;
    if (c)
        help_command(c, colour);
    else if (argc == 0)
        help_all(colour);
    else if (!help_group(argv[0], colour)) {
        ctl_error("there is no command \"%s\"", argv[0]);
        ctl_hint("sekishoctl --help lists the commands");
        return CTL_USAGE;
    }
    return CTL_DONE;
}

static int unknown(int argc, char **argv) {
    if (argc == 0)
        ctl_error("which command?");
    else if (argc > 1)
        ctl_error("there is no command \"%s %s\"", argv[0], argv[1]);
    else
        ctl_error("there is no command \"%s\"", argv[0]);
    if (argc > 0 && help_known(argv[0]))
        ctl_hint("sekishoctl %s --help lists what can follow %s", argv[0], argv[0]);
    else
        ctl_hint("sekishoctl --help lists the commands");
    return CTL_USAGE;
}

struct option_to {
    const char *name, *is; /* "--config", "a file" */
    const char **to;
};

/* "--name VALUE" or "--name=VALUE" at the front: how many words it takes; 0 for another one, -1 without a
 * value. */
static int option_at(const struct option_to *o, int argc, char **argv) {
    size_t len = strlen(o->name);
    if (strcmp(argv[0], o->name) == 0) {
        if (argc < 2 || !argv[1][0])
            return -1;
        *o->to = argv[1];
        return 2;
    }
    if (strncmp(argv[0], o->name, len) != 0 || argv[0][len] != '=')
        return 0;
    *o->to = argv[0] + len + 1;
    return **o->to ? 1 : -1;
}

static bool option_mistake(const char *option, const char *is, int *code) {
    if (is)
        ctl_error("%s needs %s", option, is);
    else
        ctl_error("there is no option %s before the command", option);
    ctl_hint("sekishoctl --help lists the options");
    *code = CTL_USAGE;
    return false;
}

/* The options before the command. True when there is a command to run; otherwise *code. */
static bool options(struct ctl *ctl, struct remote_wish *remote, int *argc, char ***argv, int *code) {
    const struct option_to known[] = {{"-c", "a file", &ctl->config_path},
                                      {"--config", "a file", &ctl->config_path},
                                      {"--host", "a host", &remote->host},
                                      {"--service", "a service's name", &remote->service}};
    while (*argc > 0 && (*argv)[0][0] == '-') {
        int taken = 0;
        *code = CTL_DONE;
        if (strcmp((*argv)[0], "--version") == 0) {
            puts("sekishoctl " SEKISHO_VERSION);
            return false;
        }
        for (size_t i = 0; i < sizeof known / sizeof known[0] && taken == 0; i++) {
            taken = option_at(&known[i], *argc, *argv);
            if (taken < 0)
                return option_mistake((*argv)[0], known[i].is, code);
        }
        if (taken == 0)
            return option_mistake((*argv)[0], NULL, code);
        *argc -= taken;
        *argv += taken;
    }
    return true;
}

/* An environment variable that is set to something. */
static const char *environment(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

int main(int argc, char **argv) {
    const char *config = environment("SEKISHO_CONF"), *terminal = getenv("TERM");
    struct ctl ctl = {.config_path = config ? config : "/etc/sekisho/sekisho.conf", .control = -1};
    struct remote_wish remote = {NULL, NULL};
    argc--;
    argv++;
    umask(077);
    ctl.json = take(&argc, argv, "--json");
    bool helping = take(&argc, argv, "--help");
    ctl.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && terminal && strcmp(terminal, "dumb") != 0;
    int code, words;
    if (!options(&ctl, &remote, &argc, &argv, &code))
        return code;
    if (helping || (argc > 0 && strcmp(argv[0], "help") == 0))
        return help(helping ? argc : argc - 1, helping ? argv : argv + 1, ctl.colour);
    const struct command *c = command_find(argc, argv, &words);
    if (!c)
        return unknown(argc, argv);
    if (!remote.host && !remote.service)
        remote = (struct remote_wish){.host = environment("SEKISHO_HOST"),
                                      .service = environment("SEKISHO_SERVICE")};
    return run(&ctl, c, &remote, argc - words + 1, argv + words - 1);
}
