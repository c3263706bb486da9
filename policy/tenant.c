/* SPDX-License-Identifier: ISC
 *
 * One tenant by itself: its life, and what may stand in it. Pure; the rules about several tenants are
 * directory.c's.
 */
#include "directory.h"
#include "magic.h"
#include "secret.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

#define LABEL_MAX 63 /* RFC 1035 section 2.3.4 */
#define TENANT_CONNECTIONS_MOST 1000000
#define TENANT_CELLS_MOST 64

static bool is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

/* A whole lower-case DNS label (RFC 1123 section 2.1). */
static bool label_valid(struct view label) {
    if (label.len == 0 || label.len > LABEL_MAX || label.at[0] == '-' || label.at[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        uint8_t c = label.at[i];
        if (!is_digit(c) && !(c >= 'a' && c <= 'z') && c != '-')
            return false;
    }
    return true;
}

bool tenant_id_valid(struct view id) {
    return id.len <= TENANT_ID_MAX && label_valid(id);
}

bool person_valid(struct view name) {
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];
        if (!is_digit(c) && !(c >= 'a' && c <= 'z') && (i == 0 || (c != '.' && c != '_' && c != '-')))
            return false;
    }
    return name.len > 0 && name.len <= PERSON_MAX;
}

bool host_name_valid(struct view name) {
    if (name.len == 0 || name.len > TENANT_NAME_MAX)
        return false;
    for (;;) {
        const uint8_t *dot = memchr(name.at, '.', name.len);
        struct view label = view_of(name.at, dot ? (size_t)(dot - name.at) : name.len);
        if (!label_valid(label))
            return false;
        if (dot) {
            name = view_from(name, label.len + 1);
            if (name.len == 0)
                return false; /* a trailing dot */
            continue;
        }
        /* What ends in a number is an address to most resolvers, so it is no name here. */
        for (size_t i = 0; i < label.len; i++)
            if (!is_digit(label.at[i]))
                return true;
        return false;
    }
}

void tenant_begin(struct tenant *t) {
    memset(t, 0, sizeof *t);
    t->magic = TENANT_MAGIC;
    view_copy_text(view_text("postgres"), t->auth_database, sizeof t->auth_database);
    t->instance_ca = calloc(1, 1);
    t->client_certificate = calloc(1, 1);
    t->client_key = calloc(1, 1);
    if (!t->instance_ca || !t->client_certificate || !t->client_key)
        abort(); /* not one byte is left: nothing can go on */
}

static void text_free(char **text) {
    if (*text)
        secret_wipe(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

void tenant_end(struct tenant *t) {
    if (!t)
        return;
    text_free(&t->instance_ca);
    text_free(&t->client_certificate);
    text_free(&t->client_key);
    secret_wipe(t->scope, sizeof t->scope);
    t->magic = 0;
}

bool tenant_text(char **text, struct view v) {
    if (v.len > TENANT_PEM_MAX)
        return false;
    char *copy = malloc(v.len + 1);
    if (!copy || !view_copy_text(v, copy, v.len + 1)) {
        free(copy);
        return false;
    }
    text_free(text);
    *text = copy;
    return true;
}

/* Texts that reach logs and connection strings: no control characters. */
static bool printable(const char *text) {
    for (; *text; text++)
        if ((uint8_t)*text < 0x20 || *text == 0x7F)
            return false;
    return true;
}

static bool labels_valid(const char *labels) {
    struct view rest = view_text(labels), item;
    while (text_next_item(&rest, &item)) {
        const uint8_t *equals = item.len ? memchr(item.at, '=', item.len) : NULL;
        if (!equals || equals == item.at)
            return false;
    }
    return printable(labels);
}

static bool host_or_address(const char *text) {
    struct address ignored;
    return host_name_valid(view_text(text)) || address_parse(view_text(text), &ignored);
}

static const char *check_hosts(const struct tenant *t) {
    if (t->host_count > TENANT_HOSTS_MAX)
        return "too many host names";
    for (size_t i = 0; i < t->host_count; i++) {
        if (!host_name_valid(view_text(t->host[i])))
            return "a host name is not a lower-case DNS name";
        for (size_t k = 0; k < i; k++)
            if (strcmp(t->host[i], t->host[k]) == 0)
                return "a host name is given twice";
    }
    return NULL;
}

static const char *check_listen(const struct tenant *t) {
    if (t->listen_count > TENANT_HOSTS_MAX)
        return "too many listen addresses";
    for (size_t i = 0; i < t->listen_count; i++) {
        if (t->listen[i].family == 0 || t->listen[i].port == 0)
            return "a listen address needs an address and a port";
        for (size_t k = 0; k < i; k++)
            if (address_equal(&t->listen[i], &t->listen[k]))
                return "a listen address is given twice";
    }
    return NULL;
}

static const char *check_instance(const struct tenant *t) {
    if (!host_or_address(t->instance_host))
        return "the instance's host is neither a lower-case DNS name nor an address";
    if (t->instance_port == 0)
        return "the instance's port is missing";
    if (t->instance_name[0] && !host_or_address(t->instance_name))
        return "the instance's certificate name is neither a lower-case DNS name nor an address";
    if (!t->auth_database[0] || !printable(t->auth_database))
        return "the auth database's name is empty or not printable";
    if (!printable(t->admins))
        return "the administrators' roles are not printable";
    if (t->address_count > TENANT_ADDRESSES_MAX)
        return "too many instance addresses";
    for (size_t i = 0; i < t->address_count; i++)
        if (t->address[i].family == 0)
            return "an instance address is empty";
    return NULL;
}

static const char *check_texts(const struct tenant *t) {
    if (!printable(t->service))
        return "the service code is not printable";
    if (!printable(t->admins))
        return "the administrators' roles are not printable";
    if (!labels_valid(t->labels))
        return "labels are not of the form key=value,key=value";
    if (!t->instance_ca || !t->client_certificate || !t->client_key)
        return "a PEM text is missing";
    if (strlen(t->instance_ca) > TENANT_PEM_MAX || strlen(t->client_certificate) > TENANT_PEM_MAX ||
        strlen(t->client_key) > TENANT_PEM_MAX)
        return "a PEM text is too long";
    if (!t->client_certificate[0] != !t->client_key[0])
        return "a client certificate and its key come together";
    return NULL;
}

static const char *check_self(const struct tenant *t) {
    if (!tenant_id_valid(view_text(t->id)))
        return "the id is not a lower-case DNS label of at most 40 characters";
    if (t->state != TENANT_ACTIVE && t->state != TENANT_SUSPENDED && t->state != TENANT_RETIRED)
        return "the state is unknown";
    if (t->max_connections > TENANT_CONNECTIONS_MOST)
        return "max_connections is above 1000000";
    if (t->cells > TENANT_CELLS_MOST)
        return "cells is above 64";
    if (t->allowed.count > RANGES_MAX)
        return "too many address ranges";
    return NULL;
}

bool tenant_check(const struct tenant *t, const char **why) {
    MAGIC_CHECK(t, TENANT_MAGIC);
    static const char *(*const checks[])(const struct tenant *) = {check_self, check_texts, check_hosts,
                                                                   check_listen, check_instance};
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        *why = checks[i](t);
        if (*why)
            return false;
    }
    return true;
}

bool operator_check(const struct operator* o, const char **why) {
    MAGIC_CHECK(o, OPERATOR_MAGIC);
    *why = !person_valid(view_text(o->id)) ? "the operator's id is not of the form [a-z0-9][a-z0-9._-]{0,39}"
           : !printable(o->note)           ? "the note is not printable"
           : o->allowed.count > RANGES_MAX ? "too many address ranges"
                                           : NULL;
    return !*why;
}
