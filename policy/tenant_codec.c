/* SPDX-License-Identifier: ISC
 *
 * One tenant as the body of a channel message, from the keeper to the broker. Checks the form only: bounds,
 * counts and kinds; whether the tenant makes sense is tenant_check's. Pure.
 */
#include "directory.h"
#include "magic.h"

#include <string.h>

static void write_names(struct writer *w, const struct tenant *t) {
    writer_u8(w, (uint8_t)t->host_count);
    for (size_t i = 0; i < t->host_count; i++)
        writer_text16(w, view_text(t->host[i]));
}

static void write_addresses(struct writer *w, const struct address *list, size_t count) {
    writer_u8(w, (uint8_t)count);
    for (size_t i = 0; i < count; i++)
        address_write(w, &list[i]);
}

static void write_ranges(struct writer *w, const struct ranges *ranges) {
    writer_u8(w, (uint8_t)ranges->count);
    for (size_t i = 0; i < ranges->count; i++) {
        address_write(w, &ranges->range[i].base);
        writer_u8(w, ranges->range[i].bits);
    }
}

static void write_scope(struct writer *w, const struct scope_login *login) {
    writer_u8(w, login->known);
    if (!login->known)
        return;
    verifier_write(w, &login->verifier);
    writer_bytes(w, view_of(login->client_key, sizeof login->client_key));
}

void tenant_write(struct writer *w, const struct tenant *t) {
    MAGIC_CHECK(t, TENANT_MAGIC);
    assert(t->host_count <= TENANT_HOSTS_MAX && t->listen_count <= TENANT_HOSTS_MAX);
    assert(t->allowed.count <= RANGES_MAX && t->address_count <= TENANT_ADDRESSES_MAX);
    writer_text16(w, view_text(t->id));
    writer_text16(w, view_text(t->service));
    writer_text16(w, view_text(t->labels));
    writer_u8(w, (uint8_t)t->state);
    writer_u32(w, t->max_connections);
    writer_u32(w, t->cells);
    write_names(w, t);
    write_addresses(w, t->listen, t->listen_count);
    write_ranges(w, &t->allowed);
    writer_text16(w, view_text(t->instance_host));
    writer_u16(w, t->instance_port);
    writer_text16(w, view_text(t->instance_name));
    writer_text16(w, view_text(t->admins));
    writer_text16(w, view_text(t->auth_database));
    write_addresses(w, t->address, t->address_count);
    writer_text16(w, view_text(t->instance_ca));
    writer_text16(w, view_text(t->client_certificate));
    writer_text16(w, view_text(t->client_key));
    for (size_t i = 0; i < SCOPE_COUNT; i++)
        write_scope(w, &t->scope[i]);
}

/* A count of at most `most`; 0 and bad otherwise. */
static size_t read_count(struct reader *r, size_t most) {
    size_t count = reader_u8(r);
    if (count > most)
        r->bad = true;
    return r->bad ? 0 : count;
}

static void read_names(struct reader *r, struct tenant *t) {
    size_t count = read_count(r, TENANT_HOSTS_MAX);
    for (size_t i = 0; i < count; i++)
        reader_text16_into(r, t->host[i], sizeof t->host[i]);
    t->host_count = r->bad ? 0 : count;
}

static size_t read_addresses(struct reader *r, struct address *list, size_t most) {
    size_t count = read_count(r, most);
    for (size_t i = 0; i < count; i++)
        if (!address_read(r, &list[i]))
            r->bad = true;
    return r->bad ? 0 : count;
}

static void read_ranges(struct reader *r, struct ranges *ranges) {
    size_t count = read_count(r, RANGES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct range *range = &ranges->range[i];
        if (!address_read(r, &range->base))
            r->bad = true;
        range->bits = reader_u8(r);
        if (range->base.family == 0 || range->bits > (range->base.family == 4 ? 32 : 128))
            r->bad = true;
    }
    ranges->count = r->bad ? 0 : count;
}

static void read_text(struct reader *r, char **text) {
    struct view v = reader_text16(r, TENANT_PEM_MAX);
    if (!r->bad && !tenant_text(text, v))
        r->bad = true;
}

static void read_state(struct reader *r, struct tenant *t) {
    uint8_t state = reader_u8(r);
    if (state < TENANT_ACTIVE || state > TENANT_RETIRED)
        r->bad = true;
    else
        t->state = (enum tenant_state)state;
}

static void read_scope(struct reader *r, struct scope_login *login) {
    uint8_t known = reader_u8(r);
    if (known > 1)
        r->bad = true;
    if (r->bad || !known)
        return;
    if (!verifier_read(r, &login->verifier))
        r->bad = true;
    struct view key = reader_bytes(r, sizeof login->client_key);
    login->known = !r->bad;
    if (login->known)
        memcpy(login->client_key, key.at, key.len);
}

bool tenant_read(struct reader *r, struct tenant *t) {
    tenant_begin(t);
    reader_text16_into(r, t->id, sizeof t->id);
    reader_text16_into(r, t->service, sizeof t->service);
    reader_text16_into(r, t->labels, sizeof t->labels);
    read_state(r, t);
    t->max_connections = reader_u32(r);
    t->cells = reader_u32(r);
    read_names(r, t);
    t->listen_count = read_addresses(r, t->listen, TENANT_HOSTS_MAX);
    read_ranges(r, &t->allowed);
    reader_text16_into(r, t->instance_host, sizeof t->instance_host);
    t->instance_port = reader_u16(r);
    reader_text16_into(r, t->instance_name, sizeof t->instance_name);
    reader_text16_into(r, t->admins, sizeof t->admins);
    reader_text16_into(r, t->auth_database, sizeof t->auth_database);
    t->address_count = read_addresses(r, t->address, TENANT_ADDRESSES_MAX);
    read_text(r, &t->instance_ca);
    read_text(r, &t->client_certificate);
    read_text(r, &t->client_key);
    for (size_t i = 0; i < SCOPE_COUNT; i++)
        read_scope(r, &t->scope[i]);
    return !r->bad;
}

void operator_write(struct writer *w, const struct operator* o) {
    MAGIC_CHECK(o, OPERATOR_MAGIC);
    writer_text16(w, view_text(o->id));
    writer_text16(w, view_text(o->note));
    write_ranges(w, &o->allowed);
}

bool operator_read(struct reader *r, struct operator* o) {
    memset(o, 0, sizeof *o);
    o->magic = OPERATOR_MAGIC;
    reader_text16_into(r, o->id, sizeof o->id);
    reader_text16_into(r, o->note, sizeof o->note);
    read_ranges(r, &o->allowed);
    return !r->bad;
}
