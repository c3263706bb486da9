/* SPDX-License-Identifier: ISC
 *
 * See facts.h.
 */
#include "facts.h"
#include "text.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <stdio.h>
#include <string.h>

enum kind { TEXT, NUMBER, LIST };

typedef void fact_fn(struct writer *w, const struct tenant *t);

const char *tenant_state_name(enum tenant_state s) {
    return s == TENANT_ACTIVE ? "active" : s == TENANT_SUSPENDED ? "suspended" : "retired";
}

static void state(struct writer *w, const struct tenant *t) {
    writer_text(w, tenant_state_name(t->state));
}

static void instance(struct writer *w, const struct tenant *t) {
    bool v6 = strchr(t->instance_host, ':') != NULL;
    writer_format(w, v6 ? "[%s]:%u" : "%s:%u", t->instance_host, t->instance_port);
}

static void instance_name(struct writer *w, const struct tenant *t) {
    writer_text(w, t->instance_name);
}

/* "CN=..., SHA-256 ab12..., until ..." of the first certificate in a PEM text. */
static void certificate(struct writer *w, const char *pem) {
    if (!pem || !pem[0])
        return;
    BIO *bio = BIO_new_mem_buf(pem, -1), *name = BIO_new(BIO_s_mem());
    X509 *x = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    uint8_t digest[32];
    unsigned digest_len = sizeof digest;
    if (x && name && X509_digest(x, EVP_sha256(), digest, &digest_len)) {
        char *text;
        X509_NAME_print_ex(name, X509_get_subject_name(x), 0, XN_FLAG_ONELINE & ~XN_FLAG_SPC_EQ);
        BIO_puts(name, ", until ");
        ASN1_TIME_print(name, X509_get0_notAfter(x));
        long len = BIO_get_mem_data(name, &text);
        writer_bytes(w, view_of(text, (size_t)len));
        writer_text(w, ", SHA-256 ");
        text_hex(w, view_of(digest, sizeof digest));
    } else {
        writer_text(w, "not a certificate");
    }
    X509_free(x);
    BIO_free(name);
    BIO_free(bio);
}

static void instance_ca(struct writer *w, const struct tenant *t) {
    certificate(w, t->instance_ca);
}

static void client_certificate(struct writer *w, const struct tenant *t) {
    certificate(w, t->client_certificate);
}

static void hosts(struct writer *w, const struct tenant *t) {
    for (size_t i = 0; i < t->host_count; i++)
        writer_format(w, "%s%s", i ? "," : "", t->host[i]);
}

static void listens(struct writer *w, const struct tenant *t) {
    for (size_t i = 0; i < t->listen_count; i++) {
        char text[ADDRESS_TEXT];
        address_text_port(&t->listen[i], text);
        writer_format(w, "%s%s", i ? "," : "", text);
    }
}

static void allowed(struct writer *w, const struct tenant *t) {
    for (size_t i = 0; i < t->allowed.count; i++) {
        char text[ADDRESS_TEXT];
        address_text(&t->allowed.range[i].base, text);
        writer_format(w, "%s%s/%u", i ? "," : "", text, t->allowed.range[i].bits);
    }
}

static void max_connections(struct writer *w, const struct tenant *t) {
    writer_format(w, "%u", t->max_connections);
}

static void cells(struct writer *w, const struct tenant *t) {
    writer_format(w, "%u", t->cells);
}

static void service(struct writer *w, const struct tenant *t) {
    writer_text(w, t->service);
}

static void labels(struct writer *w, const struct tenant *t) {
    writer_text(w, t->labels);
}

static void admins(struct writer *w, const struct tenant *t) {
    writer_text(w, t->admins);
}

static void auth_database(struct writer *w, const struct tenant *t) {
    writer_text(w, t->auth_database);
}

static const struct {
    const char *name;
    enum kind kind;
    fact_fn *write;
} facts[] = {
    {"state", TEXT, state},
    {"instance", TEXT, instance},
    {"instance_name", TEXT, instance_name},
    {"instance_ca", TEXT, instance_ca},
    {"hosts", LIST, hosts},
    {"listen", LIST, listens},
    {"allow", LIST, allowed},
    {"max_connections", NUMBER, max_connections},
    {"cells", NUMBER, cells},
    {"service", TEXT, service},
    {"labels", LIST, labels},
    {"admins", LIST, admins},
    {"auth_database", TEXT, auth_database},
    {"client_certificate", TEXT, client_certificate},
};
const size_t fact_count = sizeof facts / sizeof facts[0];

const char *fact_name(size_t index) {
    return facts[index].name;
}

void fact_text(size_t index, const struct tenant *t, char out[FACT_TEXT]) {
    struct writer w = writer_of(out, FACT_TEXT - 1);
    facts[index].write(&w, t);
    out[w.len] = '\0';
}

static json_t *list_json(struct view rest) {
    json_t *list = json_array();
    for (struct view item; text_next_item(&rest, &item);)
        json_array_append_new(list, json_stringn((const char *)item.at, item.len));
    return list;
}

json_t *facts_json(const struct tenant *t) {
    json_t *object = json_object();
    json_object_set_new(object, "tenant", json_string(t->id));
    for (size_t i = 0; i < fact_count; i++) {
        char text[FACT_TEXT];
        uint64_t number = 0;
        fact_text(i, t, text);
        if (facts[i].kind == NUMBER && text_number(view_text(text), 0, UINT32_MAX, &number))
            json_object_set_new(object, facts[i].name, json_integer((json_int_t)number));
        else if (facts[i].kind == LIST)
            json_object_set_new(object, facts[i].name, list_json(view_text(text)));
        else
            json_object_set_new(object, facts[i].name, json_string(text));
    }
    return object;
}

void facts_describe(const struct tenant *t, struct change *c) {
    for (size_t i = 0; i < fact_count; i++) {
        char text[FACT_TEXT];
        fact_text(i, t, text);
        if (text[0] && strcmp(text, "0") != 0)
            change_detail(c, "%s: %s", facts[i].name, text);
    }
}

size_t facts_compare(const struct tenant *before, const struct tenant *after, struct change *c) {
    size_t different = 0;
    for (size_t i = 0; i < fact_count; i++) {
        char old[FACT_TEXT], new[FACT_TEXT];
        fact_text(i, before, old);
        fact_text(i, after, new);
        if (strcmp(old, new) == 0)
            continue;
        change_detail(c, "%s: %s -> %s", facts[i].name, old[0] ? old : "none", new[0] ? new : "none");
        different++;
    }
    return different;
}

void facts_print_json(json_t *value) {
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    putchar('\n');
    json_decref(value);
}
