/* SPDX-License-Identifier: ISC
 *
 * Fuzzes subject_name with a certificate's subject in DER, as an operator's authority may have signed it. A
 * name that is given out is the only common name there is, and all of it.
 */
#include "subject.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const X509_NAME *subject, const char *name) {
    int found = 0;
    for (int i = 0; i < X509_NAME_entry_count(subject); i++) {
        const X509_NAME_ENTRY *e = X509_NAME_get_entry(subject, i);
        if (OBJ_obj2nid(X509_NAME_ENTRY_get_object(e)) != NID_commonName)
            continue;
        const ASN1_STRING *s = X509_NAME_ENTRY_get_data(e);
        size_t len = strlen(name);
        assert((size_t)ASN1_STRING_length(s) == len && memcmp(ASN1_STRING_get0_data(s), name, len) == 0);
        assert(ASN1_STRING_type(s) != V_ASN1_BMPSTRING && ASN1_STRING_type(s) != V_ASN1_UNIVERSALSTRING);
        found++;
    }
    assert(found == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char name[41];
    X509_NAME *subject = d2i_X509_NAME(NULL, &data, (long)size);
    if (!subject)
        return 0;
    if (subject_name(subject, name, sizeof name)) {
        assert(name[0] && memchr(name, 0, sizeof name));
        check(subject, name);
    } else {
        assert(!name[0]);
    }
    X509_NAME_free(subject);
    return 0;
}
