/* SPDX-License-Identifier: ISC
 *
 * AES-256-GCM (NIST SP 800-38D) through OpenSSL; a fresh random nonce each time. The number of secrets in a
 * store is far below the 2^32 that random nonces allow one key. Also the key file. See seal.h.
 */
#include "seal.h"
#include "secret.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEAL_PREFIX "seal1:"
#define NONCE 12
#define TAG 16
#define SEAL_MOST (1 << 20) /* bytes of one secret; OpenSSL counts in int */
#define KEY_TEXT (2 * SEAL_KEY + 1)

static bool start(EVP_CIPHER_CTX *c, bool closing, const uint8_t *key, const uint8_t *nonce,
                  const char *purpose) {
    int n;
    return c && EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce, closing) == 1 &&
           EVP_CipherUpdate(c, NULL, &n, (const uint8_t *)purpose, (int)strlen(purpose)) == 1;
}

/* box: nonce, room for the text's length, tag. */
static bool close_box(uint8_t *box, const uint8_t *key, const char *purpose, struct view text) {
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    uint8_t *body = box + NONCE;
    int n;
    secret_random(box, NONCE);
    bool good = start(c, true, key, box, purpose) &&
                (text.len == 0 || EVP_CipherUpdate(c, body, &n, text.at, (int)text.len) == 1) &&
                EVP_CipherFinal_ex(c, body + text.len, &n) == 1 &&
                EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, body + text.len) == 1;
    EVP_CIPHER_CTX_free(c);
    return good;
}

/* Opens in place: the text then stands behind the nonce. */
static bool open_box(uint8_t *box, size_t len, const uint8_t *key, const char *purpose) {
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    uint8_t *body = box + NONCE;
    size_t text = len - NONCE - TAG;
    int n;
    bool good = start(c, false, key, box, purpose) &&
                (text == 0 || EVP_CipherUpdate(c, body, &n, body, (int)text) == 1) &&
                EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, body + text) == 1 &&
                EVP_CipherFinal_ex(c, body + text, &n) == 1;
    EVP_CIPHER_CTX_free(c);
    return good;
}

void seal_close(struct writer *w, const uint8_t key[SEAL_KEY], const char *purpose, struct view text) {
    size_t len = text.len + NONCE + TAG;
    bool fits = text.len <= SEAL_MOST && writer_left(w) >= SEAL_LENGTH(text.len);
    uint8_t *box = fits ? malloc(len) : NULL;
    if (!box || !close_box(box, key, purpose, text)) {
        w->bad = true;
    } else {
        writer_text(w, SEAL_PREFIX);
        text_base64(w, view_of(box, len));
    }
    free(box);
}

bool seal_open(struct writer *w, const uint8_t key[SEAL_KEY], const char *purpose, struct view sealed) {
    bool good = false;
    if (!view_starts(sealed, SEAL_PREFIX) || sealed.len > SEAL_LENGTH(SEAL_MOST)) {
        w->bad = true;
        return false;
    }
    struct writer box = writer_of(malloc(sealed.len), sealed.len);
    if (box.at && text_unbase64(&box, view_from(sealed, strlen(SEAL_PREFIX))) && box.len >= NONCE + TAG &&
        open_box(box.at, box.len, key, purpose)) {
        writer_bytes(w, view_of(box.at + NONCE, box.len - NONCE - TAG));
        good = !w->bad;
    }
    if (box.at)
        secret_wipe(box.at, box.cap);
    free(box.at);
    w->bad = w->bad || !good;
    return good;
}

/* Why the file cannot be a key file, or NULL. */
static const char *file_bad(int fd) {
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return "is not a file";
    if (st.st_mode & 077)
        return "may be read by others: its mode must be 0600 or stricter";
    if (st.st_size != KEY_TEXT)
        return "does not hold exactly 64 hex digits and a newline";
    return NULL;
}

bool seal_key_read(const char *path, uint8_t key[SEAL_KEY], char why[256]) {
    char text[KEY_TEXT];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        snprintf(why, 256, "seal key %s: %s", path, strerror(errno));
        return false;
    }
    const char *bad = file_bad(fd);
    if (!bad && (read(fd, text, sizeof text) != sizeof text || text[KEY_TEXT - 1] != '\n' ||
                 !text_unhex(view_of(text, KEY_TEXT - 1), key, SEAL_KEY)))
        bad = "does not hold exactly 64 hex digits and a newline";
    close(fd);
    secret_wipe(text, sizeof text);
    if (bad)
        snprintf(why, 256, "seal key %s %s", path, bad);
    return !bad;
}

/* Writes and makes durable; false with errno. */
static bool write_key(int fd) {
    uint8_t key[SEAL_KEY], text[KEY_TEXT];
    secret_random(key, sizeof key);
    struct writer w = writer_of(text, sizeof text);
    text_hex(&w, view_of(key, sizeof key));
    writer_u8(&w, '\n');
    errno = EIO; /* of a short write */
    bool good = write(fd, text, w.len) == (ssize_t)w.len && fsync(fd) == 0;
    secret_wipe(key, sizeof key);
    secret_wipe(text, sizeof text);
    return good;
}

bool seal_key_make(const char *path, char why[256]) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool good = fd >= 0 && write_key(fd);
    if (!good)
        snprintf(why, 256, "seal key %s: %s", path, strerror(errno));
    if (fd >= 0) {
        close(fd);
        if (!good)
            unlink(path);
    }
    return good;
}
