/* SPDX-License-Identifier: ISC
 *
 * See certificates.h.
 */
#include "certificates.h"
#include "newfile.h"
#include "provision_certificate.h"
#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pair {
    X509 *certificate;
    EVP_PKEY *key;
};

static void pair_end(struct pair *p) {
    X509_free(p->certificate);
    EVP_PKEY_free(p->key);
}

static bool make_server(const char *domain, const struct pair *ca, struct pair *server) {
    char common_name[65], names[1024];
    snprintf(common_name, sizeof common_name, "*.%s", domain);
    /* A common name has 64 bytes at most (RFC 5280); clients read the alternative names anyway. */
    if (strlen(domain) > 62)
        snprintf(common_name, sizeof common_name, "sekisho");
    snprintf(names, sizeof names, "DNS:*.%s,DNS:%s,DNS:localhost,IP:127.0.0.1,IP:::1", domain, domain);
    struct certificate_order order = {
        .common_name = common_name, .names = names, .usage = "serverAuth", .days = 825};
    return certificate_issue(&order, ca->certificate, ca->key, &server->certificate, &server->key);
}

static bool write_pair(const struct pair *ca, const struct pair *server, const char *certificate_path,
                       const char *key_path, const char *ca_path, char why[512]) {
    char *texts[] = {certificate_pem(ca->certificate), certificate_pem(server->certificate),
                     certificate_key_pem(server->key)};
    snprintf(why, 512, "out of memory");
    bool good = texts[0] && texts[1] && texts[2] && newfile_write(ca_path, texts[0], 0644, why) &&
                newfile_write(key_path, texts[2], 0600, why) &&
                newfile_write(certificate_path, texts[1], 0644, why);
    if (texts[2])
        secret_wipe(texts[2], strlen(texts[2]));
    for (size_t i = 0; i < 3; i++)
        free(texts[i]);
    return good;
}

bool certificates_make(const char *domain, const char *certificate_path, const char *key_path,
                       const char *ca_path, char why[512]) {
    struct certificate_order order = {
        .common_name = "Sekisho sample authority", .authority = true, .days = 3653};
    struct pair ca = {0}, server = {0};
    snprintf(why, 512, "OpenSSL cannot make certificates");
    bool good = certificate_issue(&order, NULL, NULL, &ca.certificate, &ca.key) &&
                make_server(domain, &ca, &server) &&
                write_pair(&ca, &server, certificate_path, key_path, ca_path, why);
    pair_end(&ca);
    pair_end(&server);
    return good;
}
