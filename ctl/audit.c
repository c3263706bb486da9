/* SPDX-License-Identifier: ISC
 *
 * sekishoctl audit verify: checks chains and says which is good and which record is not.
 */
#include "audit.h"
#include "args.h"
#include "files.h"
#include "main.h"
#include "text.h"
#include "verify.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *audit_folder(const struct ctl *ctl, const char *dir) {
    if (dir)
        return dir;
    static struct settings settings;
    struct settings_error error;
    if (settings_read(ctl->config_path, &settings, &error))
        return settings.ledger_dir;
    settings_complain(&error);
    ctl_hint("-c names another configuration, --dir the ledger's folder");
    return NULL;
}

const char *audit_tenant(const char *name) {
    return files_tenant(name);
}

static void head_text(const struct verify_report *report, char out[65]) {
    struct writer w = writer_of(out, 65);
    text_hex(&w, view_of(report->head, sizeof report->head));
    writer_u8(&w, 0);
}

static void report_json(const char *name, const struct verify_report *report) {
    char head[65];
    head_text(report, head);
    json_t *object = json_pack("{s:s, s:b, s:I, s:s, s:b}", "tenant", name, "good", report->good, "records",
                               (json_int_t)report->records, "head", head, "unfinished", report->torn);
    if (object && !report->good) {
        json_object_set_new(object, "bad_record", json_integer((json_int_t)report->bad_record));
        json_object_set_new(object, "why", json_string(report->why));
    }
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

static void report_text(const char *name, const struct verify_report *report) {
    char head[65];
    head_text(report, head);
    if (report->good)
        printf("%s: %" PRIu64 " record%s, chain good, head %s%s\n", name, report->records,
               report->records == 1 ? "" : "s", head, report->torn ? " (one more is being written)" : "");
    else if (report->bad_record == 0)
        printf("%s: %s\n", name, report->why);
    else
        printf("%s: record %" PRIu64 ": %s\n", name, report->bad_record, report->why);
}

/* True when the tenant's chain is there and good. name: as its folder is called. */
static bool verify_one(const char *dir, const char *name, bool json) {
    char folder[4096];
    struct stat s;
    struct verify_report report = {0};
    const char *tenant = audit_tenant(name);
    int len = snprintf(folder, sizeof folder, "%s/%s", dir, name);
    if (!tenant)
        snprintf(report.why, sizeof report.why, "that is not a tenant's id");
    else if (len < 0 || (size_t)len >= sizeof folder || stat(folder, &s) != 0)
        snprintf(report.why, sizeof report.why, "there is no log in %.200s: %s", dir, strerror(errno));
    else
        verify_chain(folder, tenant, &report);
    if (json)
        report_json(name, &report);
    else
        report_text(name, &report);
    return report.good;
}

static int is_chain(const struct dirent *entry) {
    return audit_tenant(entry->d_name) != NULL;
}

static int verify_all(const char *dir, bool json) {
    struct dirent **names;
    int count = scandir(dir, &names, is_chain, alphasort);
    if (count < 0) {
        ctl_error("%s cannot be read: %s", dir, strerror(errno));
        return CTL_UNAVAILABLE;
    }
    bool good = count > 0;
    if (count == 0)
        ctl_error("there is no log in %s", dir);
    for (int i = 0; i < count; i++) {
        if (!verify_one(dir, names[i]->d_name, json))
            good = false;
        free(names[i]);
    }
    free(names);
    return good ? CTL_DONE : CTL_REFUSED;
}

int ctl_audit_verify(const struct ctl *ctl, int argc, char **argv) {
    enum { DIR_OPTION };
    static const struct args_option options[] = {{"--dir", true}};
    const char *dir = NULL;
    int words = 0;
    struct args a = args_of(argc, argv);
    for (int what; (what = args_next(&a, options, 1)) != ARGS_END;) {
        if (what == DIR_OPTION)
            dir = a.value;
        else if (what == ARGS_WORD)
            words++;
        else
            return args_complain(&a, what, "audit verify");
    }
    dir = audit_folder(ctl, dir);
    if (!dir)
        return CTL_REFUSED;
    if (words == 0)
        return verify_all(dir, ctl->json);
    bool good = true;
    a = args_of(argc, argv);
    for (int what; (what = args_next(&a, options, 1)) != ARGS_END;)
        if (what == ARGS_WORD && !verify_one(dir, a.value, ctl->json))
            good = false;
    return good ? CTL_DONE : CTL_REFUSED;
}
