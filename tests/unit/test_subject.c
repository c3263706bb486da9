/* SPDX-License-Identifier: ISC
 *
 * Whose certificate it is. The names here are what an authority could be talked into signing.
 */
#include "subject.h"

#include <criterion/criterion.h>
#include <string.h>

static X509_NAME *subject;
static char name[41];

static void begin(void) {
    subject = X509_NAME_new();
    memset(name, 'x', sizeof name);
}

static void end(void) {
    X509_NAME_free(subject);
}

TestSuite(subject, .init = begin, .fini = end);

static void carries(const char *field, int type, const void *bytes, int len) {
    cr_assert_eq(X509_NAME_add_entry_by_txt(subject, field, type, bytes, len, -1, 0), 1);
}

Test(subject, the_one_common_name_is_whose_it_is) {
    carries("O", MBSTRING_ASC, "example", -1);
    carries("CN", V_ASN1_UTF8STRING, "alice", 5);
    cr_assert(subject_name(subject, name, sizeof name));
    cr_assert_str_eq(name, "alice");
}

Test(subject, printable_and_ia5_are_as_good) {
    carries("CN", V_ASN1_PRINTABLESTRING, "alice", 5);
    cr_assert(subject_name(subject, name, sizeof name));
    X509_NAME_free(subject);
    subject = X509_NAME_new();
    carries("CN", V_ASN1_IA5STRING, "amy", 3);
    cr_assert(subject_name(subject, name, sizeof name));
    cr_assert_str_eq(name, "amy");
}

Test(subject, nobody_without_a_name) {
    cr_assert_not(subject_name(subject, name, sizeof name));
    cr_assert_str_eq(name, "");
    carries("O", MBSTRING_ASC, "alice", -1);
    cr_assert_not(subject_name(subject, name, sizeof name));
}

Test(subject, two_names_are_nobodys) {
    carries("CN", MBSTRING_ASC, "alice", -1);
    carries("CN", MBSTRING_ASC, "bob", -1);
    cr_assert_not(subject_name(subject, name, sizeof name));
}

Test(subject, a_name_with_a_nul_is_nobodys) {
    carries("CN", V_ASN1_UTF8STRING, "alice\0.evil", 11);
    cr_assert_not(subject_name(subject, name, sizeof name));
    cr_assert_str_eq(name, "");
}

Test(subject, a_name_that_does_not_fit_is_not_cut) {
    char small[5];
    carries("CN", MBSTRING_ASC, "alice", -1);
    cr_assert_not(subject_name(subject, small, sizeof small));
    cr_assert_str_eq(small, "");
}

/* U+616C U+6963 is two signs to the authority, and the bytes "alic". */
Test(subject, bytes_of_wide_signs_are_not_letters) {
    carries("CN", V_ASN1_BMPSTRING, "alic", 4);
    cr_assert_not(subject_name(subject, name, sizeof name));
}
