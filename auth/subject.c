/* SPDX-License-Identifier: ISC
 *
 * See subject.h.
 */
#include "subject.h"
#include "bytes.h"

/* In these ASCII letters are their own bytes. A BMPString's or UniversalString's bytes could be read as
 * another name than the authority saw when it signed. */
static bool is_plain(const ASN1_STRING *s) {
    int type = ASN1_STRING_type(s);
    return type == V_ASN1_UTF8STRING || type == V_ASN1_PRINTABLESTRING || type == V_ASN1_IA5STRING;
}

bool subject_name(const X509_NAME *subject, char *out, size_t cap) {
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    out[0] = 0;
    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
        return false;
    const ASN1_STRING *text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    return is_plain(text) &&
           view_copy_text(view_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)), out, cap) &&
           out[0];
}
