/* SPDX-License-Identifier: ISC
 *
 * The commands as a table and as help, both made from commands.def.
 */
#include "audit.h"
#include "commands.h"

#include <stdio.h>
#include <string.h>

#define TENANT_OPTIONS                                                                                       \
    "  --instance HOST:PORT   where the instance is\n"                                                       \
    "  --instance-name NAME   the name its certificate must carry, when it is not HOST\n"                    \
    "  --instance-ca FILE     the authority that signed it (PEM), when it is not one the system trusts\n"    \
    "  --host NAME            another name clients reach the tenant by; may be repeated\n"                   \
    "  --listen ADDR:PORT     a listen address of the tenant's own; may be repeated\n"                       \
    "  --allow RANGES         the only client addresses let in: 192.0.2.0/24, 2001:db8::/32\n"               \
    "  --max-connections N    sessions at most; 0: tenant_max_connections\n"                                 \
    "  --cells N              processes its sessions are spread over; 0: cells_per_tenant\n"                 \
    "  --service CODE         service code, shown in the log\n"                                              \
    "  --labels K=V,...       for your own use\n"                                                            \
    "  --admins ROLE,...      the tenant's roles that may use the database sekisho: its log, its grants\n"   \
    "  --auth-database DB     where the verifier function lives; postgres when not given\n"

#define OPERATOR_OPTIONS                                                                                     \
    "  --allow RANGES         the only addresses they may come from: 192.0.2.0/24; empty: any\n"             \
    "  --note TEXT            for your own use\n"
#define GRANT_KEY                                                                                            \
    "  --key FILE             your private key; $SEKISHO_KEY when not given\n"                               \
    "  --as NAME              who you are, when the key's file does not say so\n"

const struct command commands[] = {
#define COMMAND(group, words, arguments, need, function, summary, details)                                   \
    {group, words, arguments, need, function, summary, details},
#include "commands.def"
#undef COMMAND
};
const size_t command_count = sizeof commands / sizeof commands[0];

static const struct {
    enum command_group group;
    const char *title;
} groups[] = {
    {SETUP, "Setting up a proxy"},
    {TENANTS, "Administering tenants"},
    {OPERATORS, "Administering operators"},
    {GRANTS, "Break-glass: letting an operator in, with the tenant's knowledge"},
    {RUNNING, "Watching the running proxy"},
    {AUDIT, "Reading the session log, for auditors and tenants"},
};

static const char bold[] = "\033[1m", plain[] = "\033[0m";

static void title(const char *text, bool colour) {
    printf("%s%s%s\n", colour ? bold : "", text, colour ? plain : "");
}

const struct command *command_find(int argc, char **argv, int *words) {
    for (size_t i = 0; i < command_count; i++) {
        const char *space = strchr(commands[i].words, ' ');
        size_t first = space ? (size_t)(space - commands[i].words) : strlen(commands[i].words);
        *words = space ? 2 : 1;
        if (argc < *words || strlen(argv[0]) != first || strncmp(argv[0], commands[i].words, first) != 0)
            continue;
        if (!space || strcmp(argv[1], space + 1) == 0)
            return &commands[i];
    }
    return NULL;
}

void help_all(bool colour) {
    puts("usage: sekishoctl [-c FILE | --host HOST | --service NAME] [--json] COMMAND [ARGUMENT]...\n"
         "\n"
         "Sekisho is a TLS proxy that brings each tenant to its own PostgreSQL instance and to no other.\n"
         "This is its command line.\n");
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        title(groups[g].title, colour);
        for (size_t i = 0; i < command_count; i++)
            if (commands[i].group == groups[g].group)
                printf("  %-17s %s\n", commands[i].words, commands[i].summary);
        putchar('\n');
    }
    title("Options", colour);
    puts(
        "  -c, --config FILE the configuration; otherwise $SEKISHO_CONF, then /etc/sekisho/sekisho.conf\n"
        "  --host HOST[:PORT] for grants, consents and locks: not this host's store, but the console of the\n"
        "                    proxy at HOST, as psql would connect to it; otherwise $SEKISHO_HOST\n"
        "  --service NAME    the same, by a service of libpq's pg_service.conf; otherwise $SEKISHO_SERVICE\n"
        "  --json            answer with JSON, for programs\n"
        "  --version         print the version\n"
        "  --help            print help: of a command, or of all that start with a word (tenant --help)\n");
    title("Exit codes", colour);
    puts("  0 done   1 refused or not found   2 wrong usage   3 proxy or store unavailable\n");
    title("A first tenant", colour);
    puts("  sekishoctl init --sample-certificates\n"
         "  sekishoctl tenant add acme --instance 10.0.7.5:5432\n"
         "  sekishoctl tenant provision acme --admin 'host=10.0.7.5 user=postgres'\n"
         "  sekishoctl tenant check acme\n");
    title("An operator gets in", colour);
    puts("  sekishoctl grant request --tenant acme --database shop --scope diagnose --ticket CASE-1 \\\n"
         "             --reason 'slow since noon' --for 1h --key alice.pem --wait\n"
         "  sekishoctl grant approve ID --key bob.pem");
}

void help_command(const struct command *c, bool colour) {
    printf("usage: sekishoctl %s%s%s\n\n", c->words, c->arguments[0] ? " " : "", c->arguments);
    printf("%s%s%s\n%s", colour ? bold : "", c->summary, colour ? plain : "", c->details);
}

static bool starts_with(const struct command *c, const char *word) {
    size_t len = strlen(word);
    return c->group != HIDDEN && strncmp(c->words, word, len) == 0 &&
           (c->words[len] == '\0' || c->words[len] == ' ');
}

bool help_known(const char *word) {
    for (size_t i = 0; i < command_count; i++)
        if (starts_with(&commands[i], word))
            return true;
    return false;
}

bool help_group(const char *word, bool colour) {
    size_t shown = 0;
    for (size_t i = 0; i < command_count; i++) {
        if (!starts_with(&commands[i], word))
            continue;
        if (shown++)
            putchar('\n');
        help_command(&commands[i], colour);
    }
    return shown > 0;
}
