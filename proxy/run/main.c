/* SPDX-License-Identifier: ISC
 *
 * sekisho(8): the program of every process that strangers' bytes do not reach; for those that they do see
 * session_main.c. Started by hand it is the guard; started by the guard or the supervisor, the environment
 * says which role it has, and descriptor 3 is its channel.
 */
#include "birth.h"
#include "guard.h"
#include "role.h"
#include "sandbox.h"
#include "secret.h"
#include "supervisor_identity.h"
#include "supervisor_spawn.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define DEFAULT_CONFIG "/etc/sekisho/sekisho.conf"
#define USAGE 2

static int run_supervisor(void) {
    const char *config = getenv(SPAWN_CONFIG);
    return supervisor_main(config ? config : DEFAULT_CONFIG);
}

static const struct birth_role roles[] = {{"supervisor", run_supervisor}, {"broker", broker_main},
                                          {"keeper", keeper_main},        {"ledger", ledger_main},
                                          {"console", console_main},      {"notifier", notifier_main}};

static int check(const char *path) {
    static struct settings settings;
    static char text[SETTINGS_TEXT_MAX];
    size_t len;
    struct settings_error error;
    if (!settings_load(path, &settings, text, sizeof text, &len, &error)) {
        fprintf(stderr, "sekisho: %s:%d: %s\n", error.file, error.line, error.text);
        return USAGE;
    }
    struct identity identity;
    char why[IDENTITY_WHY];
    bool good = identity_read(&identity, settings.certificate, settings.key, why);
    identity_wipe(&identity);
    if (!good) {
        fprintf(stderr, "sekisho: %s\n", why);
        return USAGE;
    }
    printf("%s: good\n", path);
    return 0;
}

static int usage(FILE *to, int status) {
    fprintf(to,
            "usage: sekisho [-c FILE] [--check]\n"
            "       sekisho --version | --help\n"
            "\n"
            "  -c, --config FILE  the configuration (" DEFAULT_CONFIG ")\n"
            "      --check        read the configuration and the certificate, say what is wrong, and end\n"
            "      --version      print the version and end\n"
            "      --help         print this and end\n"
            "\n"
            "SIGTERM lets sessions at work end and stops; SIGHUP reads the configuration again.\n"
            "Exit status: 0 stopped in order, 1 failed, 2 wrong usage or configuration.\n");
    return status;
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"check", no_argument, NULL, 'k'},
                                            {"version", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    birth_prepare();
    secret_begin();
    const char *role = birth_role_name();
    if (role)
        return birth_run(role, roles, sizeof roles / sizeof roles[0]);
    const char *config = DEFAULT_CONFIG;
    bool only_check = false;
    int option;
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (option == 'c')
            config = optarg;
        else if (option == 'k')
            only_check = true;
        else if (option == 'v')
            return printf("sekisho %s\n", SEKISHO_VERSION) < 0;
        else
            return option == 'h' ? usage(stdout, 0) : usage(stderr, USAGE);
    }
    if (optind != argc)
        return usage(stderr, USAGE);
    if (only_check)
        return check(config);
    sandbox_enter("guard");
    return guard_run(config);
}
