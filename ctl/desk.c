/* SPDX-License-Identifier: ISC
 *
 * See desk.h.
 */
#include "desk.h"
#include "magic.h"
#include "text.h"
#include "times.h"

#include <stdio.h>
#include <string.h>

#define STATEMENT_DESK_MAGIC 0xDE5C1D07u

static bool fold(void *arg, const struct statement_row *row) {
    struct desk *d = arg;
    char why[STATEMENT_WHY];
    statement_log_push(&d->log, row->n, row->body, row->signature);
    grants_add(d->grants, row->body, row->signature, row->n, desk_now(d), NULL, NULL, why);
    d->fetched = row->n;
    return true;
}

int desk_refresh(struct desk *d) {
    MAGIC_CHECK(d, STATEMENT_DESK_MAGIC);
    if (!d->grants)
        return CTL_DONE;
    int code = d->driver->fetch(d, d->fetched, fold, d);
    if (code != CTL_DONE)
        return code;
    if (!statement_log_end(&d->log))
        grants_close(d->grants, d->log.why);
    grants_tick(d->grants, desk_now(d), NULL, NULL);
    return CTL_DONE;
}

static bool begin_grants(struct desk *d) {
    struct grants_limits limits;
    struct statement_head head = {0};
    d->trust = d->driver->trust(d, d->why);
    if (!d->trust)
        return false;
    grants_limits_from(d->ctl->settings, &limits);
    d->grants = grants_new(d->ctl->settings->environment, &limits, d->trust);
    if (!d->grants) {
        snprintf(d->why, sizeof d->why, "out of memory");
        return false;
    }
    d->driver->head(d, &head);
    statement_log_begin(&d->log, &head);
    return true;
}

int desk_enter(struct desk *d, const struct ctl *ctl) {
    memset(d, 0, sizeof *d);
    d->magic = STATEMENT_DESK_MAGIC;
    d->driver = ctl->store ? &desk_store : &desk_remote;
    d->ctl = ctl;
    int code = begin_grants(d) ? desk_refresh(d) : CTL_DONE;
    const char *closed = d->grants && code == CTL_DONE ? grants_closed(d->grants, "") : "";
    if (closed[0])
        ctl_hint("no operator gets in anywhere: %s", closed);
    return code;
}

void desk_leave(struct desk *d) {
    MAGIC_CHECK(d, STATEMENT_DESK_MAGIC);
    if (d->grants)
        grants_free(&d->grants);
    if (d->trust)
        trust_free(&d->trust);
}

int desk_must_know(const struct desk *d) {
    MAGIC_CHECK(d, STATEMENT_DESK_MAGIC);
    if (d->grants)
        return CTL_DONE;
    ctl_error("whose signatures count cannot be read: %s", d->why);
    ctl_hint("trust_dir in the configuration names the folder of public keys; sekishoctl key generate makes "
             "the first");
    return CTL_UNAVAILABLE;
}

int64_t desk_now(const struct desk *d) {
    int64_t now = times_now(), newest = d->grants ? grants_newest(d->grants) : 0;
    return now > newest ? now : newest;
}

struct statement desk_statement(enum statement_kind kind, const char *tenant) {
    struct statement s = {.magic = STATEMENT_MAGIC, .kind = kind};
    snprintf(s.tenant, sizeof s.tenant, "%s", tenant);
    return s;
}

void desk_digest(const char *text, uint8_t out[STATEMENT_DIGEST]) {
    bool good = text_unhex(view_text(text), out, STATEMENT_DIGEST);
    assert(good);
    (void)good;
}

/* The rules, as the broker will apply them. Without trust files nothing can be said before. */
static int check(const struct desk *d, struct view body, struct view signature) {
    struct statement parsed;
    struct failure failure;
    if (!d->grants || grants_check(d->grants, body, signature, desk_now(d), &parsed, &failure))
        return CTL_DONE;
    ctl_error("%s", failure.sentence);
    if (failure.hint[0])
        ctl_hint("%s", failure.hint);
    return CTL_REFUSED;
}

int desk_sign(struct desk *d, const struct person *p, struct statement *s,
              char digest[2 * STATEMENT_DIGEST + 1]) {
    MAGIC_CHECK(d, STATEMENT_DESK_MAGIC);
    char body[STATEMENT_MAX], why[STATEMENT_WHY];
    uint8_t signature[STATEMENT_SIGNATURE], hash[STATEMENT_DIGEST];
    struct writer w = writer_of(body, sizeof body);
    view_copy_text(view_text(d->ctl->settings->environment), s->environment, sizeof s->environment);
    snprintf(s->signer, sizeof s->signer, "%s", p->is.name);
    snprintf(s->key, sizeof s->key, "%s", p->is.id);
    s->at = times_now();
    if (!statement_compose(s, &w, why)) {
        ctl_error("%s", why);
        return CTL_USAGE;
    }
    if (!statement_sign(p->key, writer_view(&w), signature)) {
        ctl_error("OpenSSL cannot sign");
        return CTL_REFUSED;
    }
    statement_digest(writer_view(&w), hash);
    statement_digest_text(hash, digest);
    struct view bytes = view_of(signature, sizeof signature);
    int code = check(d, writer_view(&w), bytes);
    if (code == CTL_DONE)
        code = d->driver->submit(d, s, writer_view(&w), bytes);
    return code == CTL_DONE ? desk_refresh(d) : code;
}

int desk_grant(const struct desk *d, const char *command, const char *id, struct grant_view *out) {
    int code = desk_must_know(d);
    if (code != CTL_DONE)
        return code;
    size_t digits = strspn(id, "0123456789abcdef");
    if (id[digits] || (digits != GRANT_ID && digits != 2 * STATEMENT_DIGEST))
        return ctl_usage(command,
                         "\"%s\" is no grant: expected %d hexadecimal digits, as grant list shows them", id,
                         GRANT_ID);
    if (grants_find(d->grants, id, desk_now(d), out))
        return CTL_DONE;
    ctl_error("there is no grant %s", id);
    ctl_hint("sekishoctl grant list shows those there are");
    return CTL_REFUSED;
}
