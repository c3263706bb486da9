/* SPDX-License-Identifier: ISC
 *
 * sekishoctl: the command line of the people who run Sekisho. Reads the options before the command, opens
 * what the command declares to need in commands.def, runs it. Acts with the rights of whoever starts it; the
 * control store and the control socket are protected by their files' modes.
 */
#include "main.h"
#include "commands.h"
#include "control.h"
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

static int run(struct ctl *ctl, const struct command *c, int argc, char **argv) {
    static struct settings settings;
    struct settings_error error;
    if (c->need != NEED_NOTHING && !settings_read(ctl->config_path, &settings, &error)) {
        settings_complain(&error);
        ctl_hint("sekishoctl config sample prints a configuration; -c names another file");
        return CTL_REFUSED;
    }
    ctl->settings = c->need == NEED_NOTHING ? NULL : &settings;
    if (c->need == NEED_STORE && !open_store(ctl))
        return CTL_UNAVAILABLE;
    if (c->need == NEED_CONTROL && (ctl->control = control_connect(&settings)) < 0)
        return CTL_UNAVAILABLE;
    int code = c->run(ctl, argc, argv);
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

/* The options before the command. True when there is a command to run; otherwise *code. */
static bool options(struct ctl *ctl, int *argc, char ***argv, int *code) {
    while (*argc > 0 && (*argv)[0][0] == '-') {
        const char *o = (*argv)[0], *path = NULL;
        int taken = 1;
        *code = CTL_DONE;
        if (strcmp(o, "--version") == 0) {
            puts("sekishoctl " SEKISHO_VERSION);
            return false;
        }
        if (strncmp(o, "--config=", 9) == 0)
            path = o + 9;
        else if ((strcmp(o, "-c") == 0 || strcmp(o, "--config") == 0) && *argc > 1)
            path = (*argv)[1], taken = 2;
        if (!path || !*path) {
            bool file = strcmp(o, "-c") == 0 || strncmp(o, "--config", 8) == 0;
            ctl_error(file ? "%s needs a file" : "there is no option %s before the command", o);
            ctl_hint("sekishoctl --help lists the options");
            *code = CTL_USAGE;
            return false;
        }
        ctl->config_path = path;
        *argc -= taken;
        *argv += taken;
    }
    return true;
}

int main(int argc, char **argv) {
    const char *environment = getenv("SEKISHO_CONF"), *terminal = getenv("TERM");
    struct ctl ctl = {.config_path = environment && *environment ? environment : "/etc/sekisho/sekisho.conf",
                      .control = -1};
    argc--;
    argv++;
    umask(077);
    ctl.json = take(&argc, argv, "--json");
    bool helping = take(&argc, argv, "--help");
    ctl.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && terminal && strcmp(terminal, "dumb") != 0;
    int code, words;
    if (!options(&ctl, &argc, &argv, &code))
        return code;
    if (helping || (argc > 0 && strcmp(argv[0], "help") == 0))
        return help(helping ? argc : argc - 1, helping ? argv : argv + 1, ctl.colour);
    const struct command *c = command_find(argc, argv, &words);
    if (!c)
        return unknown(argc, argv);
    return run(&ctl, c, argc - words + 1, argv + words - 1);
}
