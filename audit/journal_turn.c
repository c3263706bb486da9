/* SPDX-License-Identifier: ISC
 *
 * See journal.h: where files end and what they end and begin with. A file ends only when nothing in it waits
 * for a flush, so that a record is refused or durable whole, whatever happens to the file that follows.
 */
#include "files.h"
#include "journal.h"
#include "journal_file.h"
#include "log.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SYNCS_A_TICK 20 /* the others have their turn a second later */

/* --- checkpoints --- */

/* The key is another than that of the checkpoint before. */
static bool write_key(struct journal *j, struct chain *c, const char *id, const uint8_t *public,
                      struct moment now) {
    char text[64], detail[64];
    struct record r;
    struct writer w = writer_of(text, sizeof text);
    text_base64(&w, view_of(public, CHECKPOINT_PUBLIC));
    snprintf(detail, sizeof detail, "before it was %s", c->key);
    record_begin(&r, EVENT_LEDGER_KEY, 0);
    record_text(&r, FIELD_DETAIL, view_text(detail));
    record_text(&r, FIELD_KEY, view_text(id));
    record_text(&r, FIELD_PUBLIC, writer_view(&w));
    return chain_write(j, c, &r, now);
}

static bool write_checkpoint(struct journal *j, struct chain *c, const char *id, struct moment now) {
    char time[48], signature[CHECKPOINT_SIGNATURE_TEXT + 1];
    struct writer w = writer_of(time, sizeof time);
    clock_rfc3339(&w, now.wall_us, zone_minutes(&j->rules.zone, now.wall_us));
    struct checkpoint what = {c->tenant, c->end.n + 1, writer_view(&w), c->end.head};
    if (!checkpoint_sign(j->rules.key, &what, signature)) {
        errno = ENOMEM;
        chain_fail(c, "a checkpoint could not be signed");
        return false;
    }
    struct record r;
    record_begin(&r, EVENT_LEDGER_CHECKPOINT, 0);
    record_text(&r, FIELD_KEY, view_text(id));
    record_text(&r, FIELD_SIGNATURE, view_text(signature));
    return chain_write(j, c, &r, now);
}

bool chain_checkpoint(struct journal *j, struct chain *c, struct moment now) {
    char id[CHECKPOINT_KEY_ID + 1];
    uint8_t public[CHECKPOINT_PUBLIC];
    if (!j->rules.key || c->end.n == c->end.checkpoint)
        return true;
    checkpoint_key_public(j->rules.key, public);
    checkpoint_key_id(public, id);
    bool other = c->key[0] && strcmp(c->key, id) != 0;
    if ((other && !write_key(j, c, id, public, now)) || !write_checkpoint(j, c, id, now))
        return false;
    c->end.checkpoint = c->end.n;
    snprintf(c->key, sizeof c->key, "%s", id);
    return true;
}

/* --- a file's beginning --- */

static bool write_voids(struct journal *j, struct chain *c, struct moment now) {
    for (size_t i = 0; i < c->void_count; i++) {
        const struct chain_void *v = &c->voids[i];
        char sha256[65], detail[96];
        int folder = chain_folder(j, c, false);
        bool good = folder >= 0 && files_hash(folder, v->file, v->bytes, sha256);
        int saved = errno;
        if (folder >= 0)
            close(folder);
        errno = saved;
        if (!good) {
            chain_fail(c, "the end of file %u cannot be read: %s", v->file, strerror(errno));
            return false;
        }
        snprintf(detail, sizeof detail, "the last %ju bytes of file %u are no records", (uintmax_t)v->bytes,
                 v->file);
        struct record r;
        record_begin(&r, EVENT_LEDGER_REPAIRED, 0);
        record_number(&r, FIELD_FILE, v->file);
        record_number(&r, FIELD_BYTES, v->bytes);
        record_text(&r, FIELD_SHA256, view_text(sha256));
        record_text(&r, FIELD_DETAIL, view_text(detail));
        if (!chain_write(j, c, &r, now))
            return false;
        log_warning("the log of %s: %s", files_folder(c->tenant), detail);
    }
    return true;
}

struct carrying {
    struct journal *journal;
    struct chain *chain;
    struct moment now;
    bool good;
};

static void carry_one(void *arg, uint64_t session, struct view user, int64_t opened_wall_us) {
    struct carrying *k = arg;
    char opened[48];
    struct record r;
    record_begin(&r, EVENT_SESSION_CARRIED, session);
    record_text(&r, FIELD_USER, user);
    struct writer w = writer_of(opened, sizeof opened);
    clock_rfc3339(&w, opened_wall_us, zone_minutes(&k->journal->rules.zone, opened_wall_us));
    if (opened_wall_us > 0)
        record_text(&r, FIELD_OPENED, writer_view(&w));
    k->good = k->good && chain_write(k->journal, k->chain, &r, k->now);
}

/* What a file but the first begins with. */
static bool write_beginning(struct journal *j, struct chain *c, struct moment now) {
    bool first = c->end.n == 0;
    struct carrying k = {j, c, now, write_voids(j, c, now)};
    if (first || !k.good)
        return k.good;
    struct record r;
    record_begin(&r, EVENT_LEDGER_ROTATED, 0);
    record_number(&r, FIELD_FILE, c->file - 1);
    record_number(&r, FIELD_TIMES, j->carry ? j->carry(j->carry_arg, c->tenant, NULL, NULL) : 0);
    k.good = chain_write(j, c, &r, now);
    if (j->carry)
        j->carry(j->carry_arg, c->tenant, carry_one, &k);
    c->begun = c->end.size;
    return k.good;
}

bool chain_begin(struct journal *j, struct chain *c, struct moment now) {
    if (!(c->anew ? chain_open(j, c) : chain_open_next(j, c))) {
        chain_fail(c, "the file cannot be %s: %s", c->anew ? "opened" : "made", strerror(errno));
        return false;
    }
    c->finished = c->anew = false;
    c->begun = 0;
    return write_beginning(j, c, now);
}

/* --- and its end --- */

static bool pending(const struct chain *c) {
    return c->end.n != c->durable.n;
}

static bool finish_file(struct journal *j, struct chain *c, struct moment now) {
    if (!chain_checkpoint(j, c, now) || (pending(c) && !chain_sync(j, c)))
        return false;
    chain_close(j, c);
    c->finished = true;
    return true;
}

static bool day_is_over(const struct journal *j, const struct chain *c, struct moment now) {
    return c->file > 0 && c->end.size > 0 && !c->finished && zone_day(&j->rules.zone, now.wall_us) > c->day;
}

bool chain_append(struct journal *j, struct chain *c, const struct record *r, struct moment now) {
    if (!pending(c) && day_is_over(j, c, now) && !finish_file(j, c, now))
        return false;
    if ((c->file == 0 || c->finished || c->anew) && !chain_begin(j, c, now))
        return false;
    return chain_write(j, c, r, now);
}

bool chain_settle(struct journal *j, struct chain *c) {
    const struct journal_rules *rules = &j->rules;
    bool full = rules->rotate_bytes > 0 && c->end.size >= c->begun + rules->rotate_bytes;
    bool many = rules->checkpoint_records > 0 && c->end.n - c->end.checkpoint >= rules->checkpoint_records;
    if (((full || many) && !chain_checkpoint(j, c, j->now)) || !chain_sync(j, c))
        return false;
    if (!full)
        return true;
    chain_close(j, c);
    c->finished = true;
    return true;
}

/* --- from time to time --- */

static bool at_rest(const struct chain *c) {
    return !c->failed && !c->broken && !c->erasing && !c->touched && c->file > 0;
}

static bool checkpoint_due(const struct journal *j, const struct chain *c, struct moment now) {
    return j->rules.key && j->rules.checkpoint_us > 0 && c->end.n != c->end.checkpoint && c->end.size > 0 &&
           !c->finished && now.mono_us - c->uncovered_us >= j->rules.checkpoint_us;
}

void journal_tick(struct journal *j, struct moment now) {
    int syncs = 0;
    bool retained = false;
    for (struct chain *c = j->chains; c && syncs < SYNCS_A_TICK; c = c->hh.next) {
        if (!at_rest(c))
            continue;
        if (day_is_over(j, c, now)) {
            finish_file(j, c, now);
            syncs++;
        } else if (checkpoint_due(j, c, now)) {
            if (chain_checkpoint(j, c, now))
                chain_sync(j, c);
            syncs++;
        }
        retained = retained || chain_retain(j, c, now);
    }
}

void journal_stop(struct journal *j, struct moment now) {
    for (struct chain *c = j->chains; c; c = c->hh.next)
        if (at_rest(c) && c->end.size > 0 && !c->finished && c->end.n != c->end.checkpoint &&
            chain_checkpoint(j, c, now))
            chain_sync(j, c);
}
