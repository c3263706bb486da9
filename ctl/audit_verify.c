/* SPDX-License-Identifier: ISC
 *
 * sekishoctl audit verify: checks chains and says which is good and which record is not.
 */
#include "args.h"
#include "audit.h"
#include "audit_crew.h"
#include "audit_heads.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND "audit verify"

struct verifying {
    const struct ctl *ctl;
    const char *dir, *from;
    unsigned jobs;
    bool given_keys; /* --key */
    struct audit_names names;
    struct inspect_wish wish; /* each chain's, but for whose it is */
    struct heads trusted;     /* --from a file */
    bool good;
};

static void hash_text(const uint8_t hash[32], char out[65]) {
    struct writer w = writer_of(out, 65);
    text_hex(&w, view_of(hash, 32));
    writer_u8(&w, 0);
}

static const char *name_of(const struct crew_task *t) {
    const char *slash = strrchr(t->path, '/');
    return slash ? slash + 1 : t->path;
}

/* --- telling --- */

static void tell_json(const struct crew_task *t) {
    const struct inspect_report *r = &t->report;
    char head[65];
    hash_text(r->chain.head, head);
    json_t *o = json_pack("{s:s, s:b, s:I, s:s, s:b, s:I, s:I, s:I}", "tenant", name_of(t), "good",
                          r->chain.good, "records", (json_int_t)r->chain.records, "head", head, "unfinished",
                          r->chain.torn, "first", (json_int_t)r->chain.first, "checkpoints",
                          (json_int_t)r->checkpoints, "signed_to", (json_int_t)r->signed_to);
    if (o && !r->chain.good) {
        json_object_set_new(o, "bad_record", json_integer((json_int_t)r->chain.bad_record));
        json_object_set_new(o, "why", json_string(r->chain.why));
        json_object_set_new(o, "file", json_integer(r->file));
        json_object_set_new(o, "line", json_integer((json_int_t)r->line));
    }
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(o);
}

static void tell_bad(const struct crew_task *t) {
    const struct inspect_report *r = &t->report;
    printf("%s: ", name_of(t));
    if (r->chain.bad_record > 0)
        printf("record %" PRIu64 ": ", r->chain.bad_record);
    fputs(r->chain.why, stdout);
    if (r->file > 0 && r->line > 0)
        printf(" (%08u.jsonl, line %" PRIu64 ")", r->file, r->line);
    putchar('\n');
}

static void tell_good(const struct verifying *v, const struct crew_task *t) {
    const struct inspect_report *r = &t->report;
    char head[65];
    hash_text(r->chain.head, head);
    printf("%s: %" PRIu64 " record%s, chain good, head %s", name_of(t), r->chain.records,
           r->chain.records == 1 ? "" : "s", head);
    if (r->chain.first > 1)
        printf(", from record %" PRIu64 " on", r->chain.first);
    if (r->signed_to > 0)
        printf(", signed to %" PRIu64, r->signed_to);
    else if (v->wish.keys > 0)
        printf(", not signed yet");
    puts(r->chain.torn ? " (one more is being written)" : "");
}

/* With keys that somebody brought along, a chain that none of them signed proves nothing to them. */
static void judge(const struct verifying *v, struct inspect_report *r) {
    if (!r->chain.good || !v->given_keys || r->signed_to > 0 || v->from)
        return;
    r->chain.good = false;
    r->chain.bad_record = 0;
    snprintf(r->chain.why, sizeof r->chain.why, "no checkpoint of that key is in it, so nothing proves it");
}

static void on_done(void *arg, const struct crew_task *task) {
    struct verifying *v = arg;
    struct crew_task t = *task;
    judge(v, &t.report);
    v->good = v->good && t.report.chain.good;
    if (v->ctl->json)
        tell_json(&t);
    else if (t.report.chain.good)
        tell_good(v, &t);
    else
        tell_bad(&t);
    fflush(stdout);
}

/* --- what to do --- */

/* "n:hash". */
static bool read_point(struct verifying *v) {
    struct view text = view_text(v->from);
    const char *colon = strchr(v->from, ':');
    return colon && text_number(view_of(v->from, (size_t)(colon - v->from)), 1, INT64_MAX, &v->wish.from) &&
           text_unhex(view_from(text, (size_t)(colon - v->from) + 1), v->wish.from_hash,
                      sizeof v->wish.from_hash);
}

static int take_from(struct verifying *v, size_t words) {
    char why[256];
    if (!v->from)
        return CTL_DONE;
    if (read_point(v))
        return words == 1 ? CTL_DONE : ctl_usage(COMMAND, "a record is one chain's: name one TENANT");
    if (heads_read(v->from, &v->trusted, why))
        return CTL_DONE;
    ctl_error("%s", why);
    ctl_hint("--from takes NUMBER:HASH, or a file that audit witness wrote");
    return CTL_REFUSED;
}

/* What is trusted of this chain, if anything is. */
static void trust(const struct verifying *v, const char *name, struct inspect_wish *wish) {
    const struct head *h = heads_find(&v->trusted, name);
    if (!h || h->n == 0)
        return;
    wish->from = h->n;
    memcpy(wish->from_hash, h->hash, sizeof wish->from_hash);
}

static void fill_task(const struct verifying *v, const char *name, struct crew_task *t) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s", v->dir, name) < 0)
        abort();
    t->path = path;
    t->wish = v->wish;
    t->wish.tenant = audit_tenant(name);
    trust(v, name, &t->wish);
}

static int verify_all(struct verifying *v) {
    struct crew_task *tasks = calloc(v->names.count, sizeof *tasks);
    if (!tasks)
        abort();
    for (size_t i = 0; i < v->names.count; i++)
        fill_task(v, v->names.name[i], &tasks[i]);
    v->good = true;
    bool bar = !v->ctl->json && isatty(STDERR_FILENO);
    bool done = crew_run(tasks, v->names.count, v->jobs, bar, on_done, v);
    if (!done)
        ctl_error("no process can be started: %s", strerror(errno));
    for (size_t i = 0; i < v->names.count; i++)
        free((void *)(uintptr_t)tasks[i].path);
    free(tasks);
    return !done ? CTL_UNAVAILABLE : v->good ? CTL_DONE : CTL_REFUSED;
}

/* A chain that was witnessed and is no more would otherwise not be missed. */
static void add_witnessed(struct verifying *v) {
    for (size_t i = 0; i < v->trusted.count; i++) {
        bool there = false;
        for (size_t k = 0; k < v->names.count; k++)
            there = there || strcmp(v->names.name[k], v->trusted.head[i].name) == 0;
        if (!there && v->trusted.head[i].n > 0)
            audit_name_add(&v->names, v->trusted.head[i].name);
    }
}

static int verify(struct verifying *v) {
    size_t words = v->names.count;
    int code = take_from(v, words);
    v->dir = audit_folder(v->ctl, v->dir);
    if (code == CTL_DONE && !v->dir)
        code = CTL_REFUSED;
    if (code == CTL_DONE && words == 0)
        code = audit_chains(v->dir, &v->names);
    if (code != CTL_DONE)
        return code;
    if (words == 0)
        add_witnessed(v);
    if (!v->given_keys && !audit_key_ours(v->ctl, &v->wish))
        ctl_hint("signatures are not checked: --key names the ledger's public key");
    return verify_all(v);
}

enum { OPTION_DIR, OPTION_FROM, OPTION_KEY, OPTION_JOBS, OPTIONS };

static int take_option(struct verifying *v, int what, const struct args *a) {
    uint64_t jobs;
    switch (what) {
    case OPTION_DIR:
        v->dir = a->value;
        return CTL_DONE;
    case OPTION_FROM:
        v->from = a->value;
        return CTL_DONE;
    case OPTION_KEY:
        v->given_keys = true;
        return audit_key_add(&v->wish, a->value);
    case OPTION_JOBS:
        if (!text_number(view_text(a->value), 1, 256, &jobs))
            return ctl_usage(COMMAND, "--jobs takes a number from 1 to 256, not %s", a->value);
        v->jobs = (unsigned)jobs;
        return CTL_DONE;
    case ARGS_WORD:
        if (!audit_tenant(a->value))
            return ctl_usage(COMMAND, "%s is not a tenant's id", a->value);
        audit_name_add(&v->names, a->value);
        return CTL_DONE;
    default:
        return args_complain(a, what, COMMAND);
    }
}

int ctl_audit_verify(const struct ctl *ctl, int argc, char **argv) {
    static const struct args_option options[OPTIONS] = {
        {"--dir", true}, {"--from", true}, {"--key", true}, {"--jobs", true}};
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct verifying v = {.ctl = ctl, .jobs = cores > 0 ? (unsigned)cores : 1};
    struct args a = args_of(argc, argv);
    int code = CTL_DONE;
    for (int what; code == CTL_DONE && (what = args_next(&a, options, OPTIONS)) != ARGS_END;)
        code = take_option(&v, what, &a);
    if (code == CTL_DONE)
        code = verify(&v);
    audit_names_free(&v.names);
    heads_free(&v.trusted);
    return code;
}
