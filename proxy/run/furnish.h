/* SPDX-License-Identifier: ISC
 *
 * What the broker furnishes a cell with before it serves: whose cell it is, the certificate to show, whom to
 * trust at the instance. Shared by tenants' cells and operators'. Each takes one message's body; false when
 * it does not parse.
 */
#ifndef SEKISHO_FURNISH_H
#define SEKISHO_FURNISH_H

#include "session.h"

bool furnish_tenant(struct corridor *c, struct reader *body);
bool furnish_identity(struct corridor *c, struct reader *body);
/* As furnish_identity, for the operators' plane: certificates of ca's (PEM) are asked for, crl's (PEM, or
 * empty) are not accepted. */
bool furnish_operator_identity(struct corridor *c, struct reader *body, struct view ca, struct view crl);
/* The file of the authorities that the next furnish_trust without any means; fd is taken over. */
bool furnish_system_trust(int fd);
bool furnish_trust(struct corridor *c, struct reader *body);
/* Bytes behind a 32-bit length. */
struct view furnish_blob(struct reader *body);

#endif
