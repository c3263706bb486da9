/* SPDX-License-Identifier: ISC
 *
 * What was verified a moment ago: the instance's certificate comes again with every login, and its chain need
 * not be followed each time. That the instance has the certificate's key is proved in every handshake,
 * whatever is known here. Pure: time is a parameter.
 */
#ifndef SEKISHO_VOUCHED_H
#define SEKISHO_VOUCHED_H

#include "bytes.h"

#define VOUCHED_DIGEST 32
#define VOUCHED_US 600000000 /* after ten minutes the chain is followed again */

/* One certificate, good for one name, under one set of authorities: where those change, another begins. */
struct vouched {
    uint32_t magic;
    uint8_t leaf[VOUCHED_DIGEST]; /* SHA-256 of the certificate */
    char name[254];               /* that it was found to carry; "" when nothing is known */
    int64_t from_us, until_us;    /* wall clock */
};

struct vouched *vouched_new(void);
void vouched_free(struct vouched **v);
/* name: not empty. ends_us: when the first certificate of the verified chain ends. */
void vouched_keep(struct vouched *v, const uint8_t leaf[VOUCHED_DIGEST], const char *name, int64_t wall_us,
                  int64_t ends_us);
/* A clock that was set back knows nothing. */
bool vouched_knows(const struct vouched *v, const uint8_t leaf[VOUCHED_DIGEST], const char *name,
                   int64_t wall_us);

#endif
