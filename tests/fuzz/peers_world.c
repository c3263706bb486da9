/* SPDX-License-Identifier: ISC
 *
 * See peers.h.
 */
#include "peers.h"

#include <fcntl.h>
#include <ftw.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PEM_MAX = 4096, TIDY_EVERY = 512, TIDY_KEEP = 1 << 16 };

static char folder[64];
static char certificate[PEM_MAX], key[PEM_MAX];

static void must(bool condition) {
    if (!condition)
        abort();
}

static void take_pem(BIO *bio, char out[PEM_MAX]) {
    char *at;
    long len = BIO_get_mem_data(bio, &at);
    must(len > 0 && len < PEM_MAX);
    memcpy(out, at, (size_t)len);
    BIO_free(bio);
}

static void make_certificate(void) {
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    BIO *crt = BIO_new(BIO_s_mem()), *secret = BIO_new(BIO_s_mem());
    must(pair && x && crt && secret);
    X509_set_version(x, 2);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, pair);
    X509_NAME *subject = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)"fuzz", -1, -1, 0);
    X509_set_issuer_name(x, subject);
    must(X509_sign(x, pair, EVP_sha256()) > 0 && PEM_write_bio_X509(crt, x) == 1);
    must(PEM_write_bio_PrivateKey(secret, pair, NULL, NULL, 0, NULL, NULL) == 1);
    take_pem(crt, certificate);
    take_pem(secret, key);
    X509_free(x);
    EVP_PKEY_free(pair);
}

static void write_file(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

void peers_begin(void) {
    static const char *const inside[] = {"/state", "/trust", "/run"};
    char path[128];
    snprintf(folder, sizeof folder, "%s/sekisho-fuzz.XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    must(mkdtemp(folder) != NULL);
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        snprintf(path, sizeof path, "%s%s", folder, inside[i]);
        must(mkdir(path, 0700) == 0);
    }
    make_certificate();
    write_file("crt", certificate);
    write_file("key", key);
}

static int remove_one(const char *path, const struct stat *s, int kind, struct FTW *where) {
    return remove(path);
}

void peers_end(void) {
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void peers_settings(struct writer *w) {
    writer_format(w, "[paths]\nstate_dir = %s/state\nledger_dir = %s/ledger\nrun_dir = %s/run\n", folder,
                  folder, folder);
    writer_format(w, "[tenants]\nlisten = 127.0.0.1:5432\ndomain = db.test\n");
    writer_format(w, "[tls]\ncertificate = %s/crt\nkey = %s/key\n", folder, folder);
    writer_format(w, "[operators]\noperator_listen = 127.0.0.1:5433\noperator_domain = ops.test\n");
    writer_format(w, "operator_certificate = %s/crt\noperator_key = %s/key\noperator_ca = %s/crt\n", folder,
                  folder, folder);
    writer_format(w, "trust_dir = %s/trust\nenvironment = test\n", folder);
    must(!w->bad);
}

static void blob(struct writer *w, const char *text) {
    writer_u32(w, (uint32_t)strlen(text));
    writer_text(w, text);
}

enum message_code peers_furniture(uint8_t what, struct writer *w) {
    switch (what % 4) {
    case 0:
        blob(w, certificate);
        blob(w, key);
        return M_IDENTITY;
    case 1:
        blob(w, certificate);
        blob(w, certificate);
        blob(w, key);
        return M_INSTANCE_TRUST;
    case 2:
        writer_text16(w, view_text("acme"));
        writer_text16(w, view_text("acme.instance"));
        writer_text16(w, view_text("127.0.0.1:5432"));
        writer_text16(w, view_text("gold"));
        return M_TENANT;
    default:
        blob(w, certificate);
        blob(w, "");
        return M_OPERATOR_TRUST;
    }
}

static void process(struct writer *w) {
    writer_u16(w, R_CELL);
    writer_u32(w, 77);
    writer_u32(w, 4711);
    writer_u32(w, 3);
    writer_u8(w, 1);
    writer_text16(w, view_text("acme"));
    writer_text16(w, view_text("fine"));
}

enum message_code peers_supervisor(uint8_t what, struct writer *w) {
    switch (what % 5) {
    case 0:
        peers_settings(w);
        return M_SETTINGS;
    case 1:
        peers_furniture(0, w);
        return M_IDENTITY;
    case 2:
        process(w);
        return M_PROCESS;
    case 3:
        return M_CONTROL;
    default:
        return M_RESUMED;
    }
}

static int punch(const char *path, const struct stat *s, int kind, struct FTW *where) {
    if (kind != FTW_F || s->st_size <= TIDY_KEEP)
        return 0;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, s->st_size - TIDY_KEEP / 2);
        close(fd);
    }
    return 0;
}

/* The ledger only appends: what it wrote long ago need not be there. */
void peers_tidy(void) {
    static unsigned plays;
    if (++plays % TIDY_EVERY == 0)
        nftw(folder, punch, 16, FTW_PHYS);
}
