/* SPDX-License-Identifier: ISC
 *
 * sekishoctl audit witness: the heads of the chains, for somebody elsewhere who keeps them; and whether what
 * was kept still holds.
 */
#include "args.h"
#include "audit.h"
#include "audit_heads.h"
#include "audit_post.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND "audit witness"

static int witness_one(const char *dir, const char *name, struct writer *w) {
    char path[4096], why[256];
    struct head h;
    int len = snprintf(path, sizeof path, "%s/%s", dir, name);
    int folder = len > 0 && (size_t)len < sizeof path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool good = folder >= 0 && head_of(folder, name, &h, why);
    if (folder < 0)
        snprintf(why, sizeof why, "%s", errno == ENOENT ? "there is no such log" : strerror(errno));
    if (folder >= 0)
        close(folder);
    if (!good) {
        ctl_error("the log of %s: %s", name, why);
        return CTL_REFUSED;
    }
    head_write(w, &h);
    writer_u8(w, '\n');
    return CTL_DONE;
}

static int hand_over(const char *url, const char *ca, struct view lines) {
    char why[WEB_WHY];
    if (lines.len == 0)
        return CTL_DONE;
    if (!url) {
        fwrite(lines.at, 1, lines.len, stdout);
        return CTL_DONE;
    }
    if (audit_post(url, ca, lines, why))
        return CTL_DONE;
    ctl_error("the address %s", why);
    return CTL_REFUSED;
}

/* What can be told is told, also when one log cannot be read. */
static int witness_all(const char *dir, const struct audit_names *names, const char *url, const char *ca) {
    size_t cap = (names->count + 1) * HEADS_LINE_MAX;
    char *text = malloc(cap);
    if (!text)
        abort();
    struct writer w = writer_of(text, cap);
    int code = CTL_DONE;
    for (size_t i = 0; i < names->count; i++)
        if (witness_one(dir, names->name[i], &w) != CTL_DONE)
            code = CTL_REFUSED;
    int sent = w.bad ? CTL_REFUSED : hand_over(url, ca, writer_view(&w));
    free(text);
    return code == CTL_DONE ? sent : code;
}

/* What was kept is trusted: everything behind it is checked from there. */
static int compare(const struct ctl *ctl, const char *file, const char *dir) {
    char *argv[] = {(char[]){"verify"}, (char[]){"--from"}, strdup(file), (char[]){"--dir"},
                    dir ? strdup(dir) : NULL};
    int code = ctl_audit_verify(ctl, dir ? 5 : 3, argv);
    free(argv[2]);
    free(argv[4]);
    return code;
}

enum { OPTION_COMPARE, OPTION_POST, OPTION_CA, OPTION_DIR, OPTIONS };

static int run(const struct ctl *ctl, const char *const value[OPTIONS], struct audit_names *names) {
    const char *dir = value[OPTION_DIR];
    if (value[OPTION_COMPARE])
        return names->count == 0 ? compare(ctl, value[OPTION_COMPARE], dir)
                                 : ctl_usage(COMMAND, "--compare looks at everything that the file names");
    dir = audit_folder(ctl, dir);
    if (!dir)
        return CTL_REFUSED;
    int code = names->count > 0 ? CTL_DONE : audit_chains(dir, names);
    if (code != CTL_DONE)
        return code;
    return witness_all(dir, names, value[OPTION_POST], value[OPTION_CA] ? value[OPTION_CA] : "");
}

int ctl_audit_witness(const struct ctl *ctl, int argc, char **argv) {
    static const struct args_option options[OPTIONS] = {
        {"--compare", true}, {"--post", true}, {"--ca", true}, {"--dir", true}};
    const char *value[OPTIONS] = {NULL};
    struct audit_names names = {NULL, 0};
    struct args a = args_of(argc, argv);
    int code = CTL_DONE;
    for (int what; code == CTL_DONE && (what = args_next(&a, options, OPTIONS)) != ARGS_END;) {
        if (what >= 0)
            value[what] = a.value;
        else if (what != ARGS_WORD)
            code = args_complain(&a, what, COMMAND);
        else if (audit_tenant(a.value))
            audit_name_add(&names, a.value);
        else
            code = ctl_usage(COMMAND, "%s is not a tenant's id", a.value);
    }
    if (code == CTL_DONE)
        code = run(ctl, value, &names);
    audit_names_free(&names);
    return code;
}
