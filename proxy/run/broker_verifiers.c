/* SPDX-License-Identifier: ISC
 *
 * Verifiers: asked of the keeper, kept for a short while (also the answer "no such user"), and told to cells
 * Users that do not exist get a mock verifier, on the same
 * course as real ones. The table is bounded: invented names push out the oldest entries, nothing else.
 */
#include "broker.h"
#include "log.h"
#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_MAX 20000
#define DOUBT_US                                                                                             \
    1000000 /* an entry younger than this is believed although a login failed: guessing costs no queries */

struct asker { /* its cell may be gone by the time of the answer: ids are never used twice */
    struct asker *next;
    uint32_t cell;
    uint64_t request;
    struct address from;
};

struct kept {                         /* one (tenant, user) */
    char key[TENANT_ID_MAX + 1 + 64]; /* tenant, '/', user; neither half can hold a '/' before it */
    bool known, found;
    int64_t known_us; /* mono */
    struct verifier verifier;
    uint64_t ask; /* number of the question to the keeper; 0: none under way */
    struct asker *askers;
    UT_hash_handle hh;     /* by key, oldest first */
    UT_hash_handle by_ask; /* by ask, while one is under way */
};

static struct kept *kept;
static struct kept *asked;
static uint64_t last_ask;

static bool make_key(char key[sizeof kept->key], const char *tenant, struct view user) {
    char name[64];
    if (!view_copy_text(user, name, sizeof name))
        return false;
    snprintf(key, sizeof kept->key, "%s/%s", tenant, name);
    return true;
}

static void forget(struct kept *k) {
    HASH_DELETE(hh, kept, k);
    secret_wipe(k, sizeof *k);
    free(k);
}

/* Makes room: the oldest entries that nobody waits for. */
static void shrink(void) {
    struct kept *k, *next;
    HASH_ITER (hh, kept, k, next) {
        if (HASH_COUNT(kept) < KEPT_MAX)
            return;
        if (k->ask == 0)
            forget(k);
    }
}

static struct kept *kept_for(const char key[sizeof kept->key]) {
    struct kept *k;
    HASH_FIND_STR(kept, key, k);
    if (k)
        return k;
    shrink();
    k = calloc(1, sizeof *k);
    if (!k)
        abort();
    snprintf(k->key, sizeof k->key, "%s", key);
    HASH_ADD_STR(kept, key, k);
    return k;
}

static bool is_fresh(const struct kept *k, int64_t now_us) {
    return k->known && now_us - k->known_us < (int64_t)broker.settings->verifier_cache * 1000;
}

static void tell(struct broker_cell *c, uint64_t request, const char *user, const struct address *from,
                 const struct kept *k) {
    struct verifier v;
    struct view name = view_text(user);
    enum refusal refusal = role_reserved(name) ? REFUSAL_RESERVED_ROLE
                           : k->found          ? REFUSAL_NONE
                                               : REFUSAL_UNKNOWN_USER;
    if (refusal == REFUSAL_NONE)
        v = k->verifier;
    else
        verifier_mock(broker.fleet_secret, c->tenant, name, VERIFIER_ITERATIONS_MIN, &v);
    struct writer w = channel_scratch();
    writer_u64(&w, request);
    writer_u8(&w, (uint8_t)refusal);
    verifier_write(&w, &v);
    channel_send(c->channel, M_VERIFIER_IS, &w, -1);
    secret_wipe(&v, sizeof v);
    secret_wipe(w.at, w.len);
}

static void send_ask(const struct kept *k) {
    if (!broker.keeper)
        return;
    const char *slash = strchr(k->key, '/');
    struct writer w = channel_scratch();
    writer_u64(&w, k->ask);
    writer_text16(&w, view_of(k->key, (size_t)(slash - k->key)));
    writer_text16(&w, view_text(slash + 1));
    channel_send(broker.keeper, M_VERIFIER_ASK, &w, -1);
}

void verifiers_ask(struct broker_cell *c, uint64_t request, struct view user, const struct address *from) {
    char key[sizeof kept->key];
    if (!make_key(key, c->tenant, user)) {
        struct failure f;
        failure_set(&f, "08P01", NULL, "protocol violation");
        cells_refuse(c, request, REFUSAL_PROTOCOL, &f);
        return;
    }
    if (turns_refuse_crowd(c, request, user, from))
        return;
    struct kept *k = kept_for(key);
    if (k->ask == 0 && is_fresh(k, clock_now().mono_us)) {
        tell(c, request, strchr(key, '/') + 1, from, k);
        return;
    }
    struct asker *a = calloc(1, sizeof *a);
    if (!a)
        abort();
    *a = (struct asker){k->askers, c->id, request, *from};
    k->askers = a;
    c->asking++;
    if (k->ask == 0) {
        k->ask = ++last_ask;
        HASH_ADD(by_ask, asked, ask, sizeof k->ask, k);
        send_ask(k);
    }
}

static void answer(struct kept *k, bool available) {
    struct failure f;
    failure_set(&f, "57P03", "try again in a moment", "logins cannot be checked right now");
    failure_cause(&f, "no verifier from store or instance");
    while (k->askers) {
        struct asker *a = k->askers;
        struct broker_cell *c = cells_find(a->cell);
        if (c) {
            c->asking--;
            if (available)
                tell(c, a->request, strchr(k->key, '/') + 1, &a->from, k);
            else
                cells_refuse(c, a->request, REFUSAL_DIRECTORY, &f);
        }
        k->askers = a->next;
        free(a);
    }
}

void verifiers_told(struct channel *keeper, struct reader *body) {
    uint64_t ask = reader_u64(body);
    enum lookup outcome = reader_u8(body);
    struct view text = reader_text16(body, 256);
    if (!reader_done(body) || outcome < LOOKUP_FOUND || outcome > LOOKUP_UNAVAILABLE) {
        channel_offend(keeper, "answered a look-up wrongly");
        return;
    }
    struct kept *k;
    HASH_FIND(by_ask, asked, &ask, sizeof ask, k);
    if (!k)
        return; /* asked of a keeper before this one */
    HASH_DELETE(by_ask, asked, k);
    k->ask = 0;
    k->known = outcome != LOOKUP_UNAVAILABLE;
    k->known_us = clock_now().mono_us;
    /* A role whose password is not SCRAM cannot log in through the proxy: as good as no such user. */
    k->found = outcome == LOOKUP_FOUND && verifier_parse(text, &k->verifier);
    answer(k, k->known);
    if (!k->known)
        forget(k);
}

void verifiers_doubt(const char *tenant, struct view user) {
    char key[sizeof kept->key];
    struct kept *k;
    if (!make_key(key, tenant, user))
        return;
    HASH_FIND_STR(kept, key, k);
    if (k && k->ask == 0 && clock_now().mono_us - k->known_us > DOUBT_US)
        forget(k);
}

void verifiers_ask_again(void) {
    struct kept *k, *next;
    HASH_ITER (by_ask, asked, k, next) {
        send_ask(k);
    }
}
