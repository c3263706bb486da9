/* SPDX-License-Identifier: ISC
 *
 * config check, sample, manual.
 */
#include "args.h"
#include "commands.h"
#include "facts.h"
#include "main.h"

#include <stdio.h>
#include <stdlib.h>

int ctl_config_check(const struct ctl *ctl, int argc, char **argv) {
    const char *path;
    int code = args_words("config check", argc, argv, 0, 1, &path);
    if (code != CTL_DONE)
        return code;
    path = path ? path : ctl->config_path;
    struct settings settings;
    struct settings_error error;
    bool good = settings_read(path, &settings, &error);
    if (ctl->json)
        facts_print_json(good ? json_pack("{s:s,s:b}", "file", path, "good", 1)
                              : json_pack("{s:s,s:b,s:i,s:s}", "file", error.file, "good", 0, "line",
                                          error.line, "error", error.text));
    else if (good)
        printf("%s: good\n", path);
    else
        settings_complain(&error);
    return good ? CTL_DONE : CTL_REFUSED;
}

static int print_settings(const char *command, int argc, char **argv, void (*write)(struct writer *w)) {
    int code = args_words(command, argc, argv, 0, 0, NULL);
    if (code != CTL_DONE)
        return code;
    static char text[SETTINGS_TEXT_MAX];
    struct writer w = writer_of(text, sizeof text);
    write(&w);
    fwrite(text, 1, w.len, stdout);
    return w.bad ? CTL_REFUSED : CTL_DONE;
}

int ctl_config_sample(const struct ctl *ctl, int argc, char **argv) {
    return print_settings("config sample", argc, argv, settings_write_sample);
}

int ctl_config_manual(const struct ctl *ctl, int argc, char **argv) {
    return print_settings("config manual", argc, argv, settings_write_manual);
}
