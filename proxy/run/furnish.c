/* SPDX-License-Identifier: ISC
 *
 * See furnish.h.
 */
#include "furnish.h"
#include "log.h"
#include "role.h"
#include "tls.h"

#include <stdlib.h>
#include <unistd.h>

#define AUTHORITIES_MAX (4u << 20)

bool furnish_tenant(struct corridor *c, struct reader *body) {
    reader_text16_into(body, c->tenant, sizeof c->tenant);
    reader_text16_into(body, c->instance_name, sizeof c->instance_name);
    reader_text16_into(body, c->instance, sizeof c->instance);
    reader_text16_into(body, c->service, sizeof c->service);
    return reader_done(body);
}

struct view furnish_blob(struct reader *body) {
    return reader_bytes(body, reader_u32(body));
}

static void use_context(SSL_CTX **place, SSL_CTX *fresh, const char *what, const char *why) {
    if (!fresh) {
        log_error("%s: %s; the one before stays in use", what, why);
        return;
    }
    SSL_CTX_free(*place); /* sessions under way keep their reference */
    *place = fresh;
}

bool furnish_identity(struct corridor *c, struct reader *body) {
    char why[256] = "";
    struct view chain = furnish_blob(body), key = furnish_blob(body);
    if (!reader_done(body))
        return false;
    use_context(&c->server, tls_server(chain, key, role_settings()->min_version, why), "certificate", why);
    return true;
}

bool furnish_operator_identity(struct corridor *c, struct reader *body, struct view ca, struct view crl) {
    char why[256] = "";
    struct view chain = furnish_blob(body), key = furnish_blob(body);
    if (!reader_done(body))
        return false;
    SSL_CTX *fresh = tls_server(chain, key, role_settings()->min_version, why);
    if (fresh && !tls_ask_certificate(fresh, ca, crl, why)) {
        SSL_CTX_free(fresh);
        fresh = NULL;
    }
    use_context(&c->server, fresh, "the operators' certificates", why);
    return true;
}

/* A cell opens no file: the system's authorities come as one that is open already. */
static struct {
    char *at; /* NULL: none came */
    size_t len;
} authorities;

static void forget_authorities(void) {
    free(authorities.at);
    authorities.at = NULL;
    authorities.len = 0;
}

bool furnish_system_trust(int fd) {
    forget_authorities();
    authorities.at = malloc(AUTHORITIES_MAX);
    if (!authorities.at)
        abort();
    ssize_t n = 1;
    while (n > 0 && authorities.len < AUTHORITIES_MAX) {
        n = read(fd, authorities.at + authorities.len, AUTHORITIES_MAX - authorities.len);
        authorities.len += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    if (n != 0)
        log_error("the system's certificate authorities cannot be read");
    return true;
}

bool furnish_trust(struct corridor *c, struct reader *body) {
    char why[256] = "";
    struct view ca = furnish_blob(body), chain = furnish_blob(body), key = furnish_blob(body);
    if (!reader_done(body))
        return false;
    if (ca.len == 0)
        ca = view_of(authorities.at, authorities.len);
    use_context(&c->client, tls_client(ca, chain, key, role_settings()->min_version, why),
                "trust in the instance", why);
    forget_authorities();
    return true;
}
