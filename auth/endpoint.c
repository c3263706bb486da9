/* SPDX-License-Identifier: ISC
 *
 * See endpoint.h.
 */
#include "endpoint.h"

#include <openssl/evp.h>
#include <string.h>

/* NULL when the signature's algorithm has no hash of its own. RSASSA-PSS names it in its parameters, which
 * X509_get_signature_info reads and OBJ_find_sigid_algs does not. */
static const EVP_MD *signature_hash(X509 *certificate) {
    int hash;
    if (X509_get_signature_info(certificate, &hash, NULL, NULL, NULL) != 1 || hash == NID_undef)
        return NULL;
    if (hash == NID_md5 || hash == NID_sha1)
        hash = NID_sha256;
    return EVP_get_digestbynid(hash);
}

bool endpoint_binding(X509 *certificate, struct scram_channel *channel) {
    memset(channel, 0, sizeof *channel);
    const EVP_MD *hash = signature_hash(certificate);
    if (!hash || EVP_MD_get_size(hash) <= 0 || (size_t)EVP_MD_get_size(hash) > sizeof channel->binding)
        return false;
    unsigned len = 0;
    if (X509_digest(certificate, hash, channel->binding, &len) != 1) {
        memset(channel, 0, sizeof *channel);
        return false;
    }
    channel->binding_len = len;
    channel->tls_binding = true;
    return true;
}
