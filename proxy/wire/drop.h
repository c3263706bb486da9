/* SPDX-License-Identifier: ISC
 *
 * Takes the messages of one type out of a stream of typed messages, without holding any of it but a header
 * that was cut in two. For what PostgreSQL would send and has no privilege for: notifications, on the
 * operators' plane.
 */
#ifndef SEKISHO_DROP_H
#define SEKISHO_DROP_H

#include "bytes.h"

#define DROP_HELD 4 /* bytes that a call may write beyond those it was given */

struct drop {
    uint8_t header[5];
    uint8_t have;     /* of the header, 0..4 */
    uint64_t left;    /* of the body under way */
    bool dropping;    /* it is one of those to be dropped */
    uint64_t dropped; /* messages */
};

/* Writes `bytes`, which follow those of the last call, without messages of that type. out must have room for
 * bytes.len + DROP_HELD. A length under 4 passes as it is: whoever follows the stream refuses it. */
void drop_messages(struct drop *d, char type, struct view bytes, struct writer *out);

#endif
