/* SPDX-License-Identifier: ISC
 *
 * See provision_link.h.
 */
#include "provision_link.h"
#include "magic.h"

#include <openssl/x509.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINK_MAGIC 0x6C3B19E5u
#define SYSTEM_BUNDLE "/etc/ssl/certs/ca-certificates.crt"
#define NO_FILE                                                                                              \
    "/dev/null/none" /* libpq takes an empty parameter for its default file, but not a missing one */

extern char **environ;

void link_clean_environment(void) {
    for (char **e = environ; *e;) {
        size_t n = strcspn(*e, "=");
        char name[64];
        if (strncmp(*e, "PG", 2) == 0 && n < sizeof name) {
            snprintf(name, sizeof name, "%.*s", (int)n, *e);
            unsetenv(name); /* closes the gap in environ: look at the same place again */
        } else {
            e++;
        }
    }
    setenv("HOME", "/nonexistent", 1);
}

/* A memory file with this text; libpq wants keys to be readable by their owner only. */
static int memory_file(const char *name, const char *text) {
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t len = strlen(text), done = 0;
    while (done < len) {
        ssize_t n = write(fd, text + done, len - done);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    if (done == len && fchmod(fd, 0600) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool memory_path(int *fd, const char *name, const char *text, char path[64]) {
    *fd = memory_file(name, text);
    snprintf(path, 64, "/proc/self/fd/%d", *fd);
    return *fd >= 0;
}

void link_add(struct link *l, const char *keyword, const char *value) {
    MAGIC_CHECK(l, LINK_MAGIC);
    assert(l->count < LINK_PARAMETERS_MAX);
    l->keyword[l->count] = keyword;
    l->value[l->count++] = value;
}

/* libpq tries a list of hosts in turn; each element of the three lists belongs together. */
static void add_target(struct link *l, const struct tenant *t, size_t first) {
    const char *name = t->instance_name[0] ? t->instance_name : t->instance_host;
    struct writer hosts = writer_of(l->hosts, sizeof l->hosts);
    struct writer addresses = writer_of(l->addresses, sizeof l->addresses);
    struct writer ports = writer_of(l->ports, sizeof l->ports);
    for (size_t i = 0; i < t->address_count; i++) {
        const struct address *a = &t->address[(first + i) % t->address_count];
        char text[ADDRESS_TEXT];
        address_text(a, text);
        writer_format(&hosts, "%s%s", i ? "," : "", name);
        writer_format(&addresses, "%s%s", i ? "," : "", text);
        writer_format(&ports, "%s%u", i ? "," : "", t->instance_port);
    }
    writer_u8(&hosts, 0);
    writer_u8(&addresses, 0);
    writer_u8(&ports, 0);
    assert(!hosts.bad && !addresses.bad && !ports.bad);
    link_add(l, "host", l->hosts); /* what the certificate must say; never looked up */
    link_add(l, "hostaddr", l->addresses);
    link_add(l, "port", l->ports);
}

const char *link_system_authorities(void) {
    return access(SYSTEM_BUNDLE, R_OK) == 0 ? SYSTEM_BUNDLE : X509_get_default_cert_file();
}

static bool add_trust(struct link *l, const struct tenant *t) {
    bool own_ca = t->instance_ca && t->instance_ca[0];
    if (own_ca && !memory_path(&l->ca, "instance ca", t->instance_ca, l->ca_path))
        return false;
    link_add(l, "sslmode", "verify-full");
    link_add(l, "sslrootcert", own_ca ? l->ca_path : link_system_authorities());
    link_add(l, "ssl_min_protocol_version", "TLSv1.2");
    return true;
}

static bool add_certificate(struct link *l, const struct tenant *t) {
    if (!t->client_certificate || !t->client_certificate[0] || !t->client_key || !t->client_key[0]) {
        link_add(l, "sslcert", NO_FILE);
        return true;
    }
    if (!memory_path(&l->certificate, "client certificate", t->client_certificate, l->certificate_path) ||
        !memory_path(&l->key, "client key", t->client_key, l->key_path))
        return false;
    link_add(l, "sslcert", l->certificate_path);
    link_add(l, "sslkey", l->key_path);
    return true;
}

bool link_begin(struct link *l, enum link_trust trust, const struct tenant *t, size_t first, const char *user,
                const char *database, const char *password) {
    assert(t->address_count > 0);
    *l = (struct link){.magic = LINK_MAGIC, .ca = -1, .certificate = -1, .key = -1};
    add_target(l, t, first);
    link_add(l, "user", user);
    link_add(l, "dbname", database);
    link_add(l, "passfile", NO_FILE);
    link_add(l, "gssencmode", "disable");
    link_add(l, "application_name", "sekisho");
    link_add(l, "client_encoding", "SQL_ASCII"); /* names are bytes, compared as PostgreSQL compares them */
    link_add(l, "connect_timeout", "10");        /* blocking callers only */
    if (password)
        link_add(l, "password", password);
    if (trust == LINK_PLAIN) {
        link_add(l, "sslmode", "disable");
        return true;
    }
    if (trust == LINK_NAKED)
        link_add(l, "sslcert", NO_FILE);
    return add_trust(l, t) && (trust == LINK_NAKED || add_certificate(l, t));
}

static void close_file(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void link_end(struct link *l) {
    MAGIC_CHECK(l, LINK_MAGIC);
    close_file(&l->ca);
    close_file(&l->certificate);
    close_file(&l->key);
}
