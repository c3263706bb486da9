/* SPDX-License-Identifier: ISC
 *
 * What provisioning makes without an instance: the pg_hba.conf lines, the certificates, and what libpq is
 * told.
 */
#include "provision.h"
#include "provision_certificate.h"
#include "provision_link.h"

#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct tenant acme(void) {
    struct tenant t;
    tenant_begin(&t);
    snprintf(t.id, sizeof t.id, "acme");
    snprintf(t.instance_host, sizeof t.instance_host, "10.0.7.5");
    snprintf(t.instance_name, sizeof t.instance_name, "acme-1.internal");
    t.instance_port = 5433;
    t.address_count = 2;
    address_parse_port(view_text("10.0.7.5:5433"), false, &t.address[0]);
    address_parse_port(view_text("[2001:db8::5]:5433"), false, &t.address[1]);
    return t;
}

/* The method and options of the first line that decides, as PostgreSQL reads the file: TYPE DATABASE USER
 * ADDRESS. */
static void decide(bool tls, bool replication, char out[128]) {
    static char text[4096];
    struct tenant t = acme();
    struct writer w = writer_of(text, sizeof text - 1);
    provision_hba(&w, &t);
    tenant_end(&t);
    cr_assert(!w.bad);
    text[w.len] = '\0';
    snprintf(out, 128, "nothing decides");
    for (char *save, *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char type[16], database[16], user[16], address[16], method[32], option[64] = "";
        if (line[0] == '#')
            continue;
        int n = sscanf(line, "%15s %15s %15s %15s %31s %63s", type, database, user, address, method, option);
        cr_assert(n >= 5, "not a line of pg_hba.conf: %s", line);
        cr_assert_str_eq(user, "all");
        cr_assert_str_eq(address, "all");
        bool matches = strcmp(type, "host") == 0 || strcmp(type, tls ? "hostssl" : "hostnossl") == 0;
        if (matches && strcmp(database, replication ? "replication" : "all") == 0) {
            snprintf(out, 128, "%s %s", method, option);
            return;
        }
    }
}

Test(provision, hba_refuses_whoever_comes_without_tls) {
    char how[128];
    decide(false, false, how);
    cr_assert_str_eq(how, "reject ");
    decide(false, true, how);
    cr_assert_str_eq(how, "reject ");
}

Test(provision, hba_wants_our_certificate_before_the_password) {
    char how[128];
    decide(true, false, how);
    cr_assert_str_eq(how, "scram-sha-256 clientcert=verify-ca");
    decide(true, true, how);
    cr_assert_str_eq(how, "scram-sha-256 clientcert=verify-ca");
}

static X509 *read_certificate(const char *pem) {
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    cr_assert_not_null(x);
    return x;
}

static bool trusted(X509 *authority, X509 *x, int purpose, const char *host) {
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, authority);
    X509_STORE_CTX_init(context, store, x, NULL);
    X509_STORE_CTX_set_purpose(context, purpose);
    if (host)
        X509_VERIFY_PARAM_set1_host(X509_STORE_CTX_get0_param(context), host, 0);
    bool good = X509_verify_cert(context) == 1;
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    return good;
}

Test(provision, client_certificate_is_its_own_authority) {
    struct tenant t = acme();
    char name[64];
    cr_assert(provision_client_certificate(&t));
    X509 *x = read_certificate(t.client_certificate);
    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, name, sizeof name);
    cr_assert_str_eq(name, "sekisho proxy for acme");
    cr_assert(trusted(x, x, X509_PURPOSE_SSL_CLIENT, NULL));
    cr_assert_not(trusted(x, x, X509_PURPOSE_SSL_SERVER, NULL));
    cr_assert_eq(X509_check_ca(x), 1);
    time_t nine_years = time(NULL) + 9 * 365 * 86400, eleven_years = time(NULL) + 11 * 365 * 86400;
    cr_assert_eq(X509_cmp_time(X509_get0_notBefore(x), NULL), -1);
    cr_assert_eq(X509_cmp_time(X509_get0_notAfter(x), &nine_years), 1);
    cr_assert_eq(X509_cmp_time(X509_get0_notAfter(x), &eleven_years), -1);

    BIO *bio = BIO_new_mem_buf(t.client_key, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    cr_assert_eq(X509_check_private_key(x, key), 1);
    cr_assert_eq(EVP_PKEY_get_bits(key), 256);
    EVP_PKEY_free(key);
    BIO_free(bio);
    X509_free(x);
    tenant_end(&t);
}

Test(provision, each_tenant_has_a_certificate_that_no_other_instance_trusts) {
    struct tenant a = acme(), b = acme();
    snprintf(b.id, sizeof b.id, "globex");
    cr_assert(provision_client_certificate(&a) && provision_client_certificate(&b));
    X509 *x = read_certificate(a.client_certificate), *y = read_certificate(b.client_certificate);
    cr_assert_not(trusted(x, y, X509_PURPOSE_SSL_CLIENT, NULL));
    X509_free(y);
    /* Not even one of the same name: renewing ends trust in the old one. */
    cr_assert(provision_client_certificate(&a));
    y = read_certificate(a.client_certificate);
    cr_assert_not(trusted(x, y, X509_PURPOSE_SSL_CLIENT, NULL));
    X509_free(x);
    X509_free(y);
    tenant_end(&a);
    tenant_end(&b);
}

Test(provision, an_authority_signs_a_server_for_its_names_only) {
    struct certificate_order authority = {.common_name = "authority", .authority = true, .days = 10};
    struct certificate_order order = {.common_name = "*.db.example.com",
                                      .names = "DNS:*.db.example.com,DNS:localhost",
                                      .usage = "serverAuth",
                                      .days = 5};
    X509 *ca, *x;
    EVP_PKEY *ca_key, *key;
    cr_assert(certificate_issue(&authority, NULL, NULL, &ca, &ca_key));
    cr_assert(certificate_issue(&order, ca, ca_key, &x, &key));
    cr_assert(trusted(ca, x, X509_PURPOSE_SSL_SERVER, "acme.db.example.com"));
    cr_assert(trusted(ca, x, X509_PURPOSE_SSL_SERVER, "localhost"));
    cr_assert_not(trusted(ca, x, X509_PURPOSE_SSL_SERVER, "db.example.com"));
    cr_assert_not(trusted(ca, x, X509_PURPOSE_SSL_CLIENT, NULL));
    cr_assert_eq(X509_check_ca(x), 0);
    X509_free(x);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
}

static const char *told(const struct link *l, const char *keyword) {
    const char *value = NULL;
    for (size_t i = 0; l->keyword[i]; i++)
        if (strcmp(l->keyword[i], keyword) == 0)
            value = l->value[i];
    return value;
}

Test(provision, libpq_verifies_in_full_and_looks_nothing_up) {
    struct tenant t = acme();
    struct link l;
    cr_assert(provision_client_certificate(&t));
    cr_assert(link_begin(&l, LINK_OURS, &t, 1, "sekisho_auth", "postgres", "secret"));
    cr_assert_str_eq(told(&l, "sslmode"), "verify-full");
    cr_assert_str_eq(told(&l, "ssl_min_protocol_version"), "TLSv1.2");
    cr_assert_str_eq(told(&l, "host"), "acme-1.internal,acme-1.internal");
    cr_assert_str_eq(told(&l, "hostaddr"), "2001:db8::5,10.0.7.5");
    cr_assert_str_eq(told(&l, "port"), "5433,5433");
    link_end(&l);
    tenant_end(&t);
}

Test(provision, the_client_key_is_a_memory_file_for_its_owner_only) {
    struct tenant t = acme();
    struct link l;
    struct stat st;
    char text[4096] = "";
    cr_assert(provision_client_certificate(&t));
    cr_assert(link_begin(&l, LINK_OURS, &t, 0, "sekisho_auth", "postgres", "secret"));
    cr_assert_eq(stat(told(&l, "sslkey"), &st), 0);
    cr_assert(S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0600 && st.st_nlink == 0);
    FILE *f = fopen(told(&l, "sslkey"), "r");
    cr_assert_eq(fread(text, 1, sizeof text - 1, f), strlen(t.client_key));
    fclose(f);
    cr_assert_str_eq(text, t.client_key);
    link_end(&l);
    cr_assert_neq(stat(told(&l, "sslkey"), &st), 0);
    tenant_end(&t);
}

Test(provision, an_intruder_shows_no_certificate_of_ours) {
    struct tenant t = acme();
    struct link l;
    struct stat st;
    cr_assert(provision_client_certificate(&t));
    cr_assert(link_begin(&l, LINK_NAKED, &t, 0, "postgres", "postgres", NULL));
    cr_assert_neq(stat(told(&l, "sslcert"), &st), 0);
    cr_assert_null(told(&l, "sslkey"));
    cr_assert_null(told(&l, "password"));
    link_end(&l);
    tenant_end(&t);
}

Test(provision, the_environment_has_no_say) {
    setenv("PGSSLMODE", "disable", 1);
    setenv("PGOPTIONS", "-c search_path=evil", 1);
    setenv("PGHOSTADDR", "192.0.2.66", 1);
    setenv("PATH_IS_NOT_OURS", "stays", 1);
    link_clean_environment();
    cr_assert_null(getenv("PGSSLMODE"));
    cr_assert_null(getenv("PGOPTIONS"));
    cr_assert_null(getenv("PGHOSTADDR"));
    cr_assert_str_eq(getenv("PATH_IS_NOT_OURS"), "stays");
    cr_assert_str_eq(getenv("HOME"), "/nonexistent");
}
