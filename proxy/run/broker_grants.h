/* SPDX-License-Identifier: ISC
 *
 * The broker's part for operators: the grants that follow from signed statements, whom they let in, and the
 * end of the sessions they no longer carry.
 */
#ifndef SEKISHO_BROKER_GRANTS_H
#define SEKISHO_BROKER_GRANTS_H

#include "broker.h"
#include "grants.h"

void operators_settings(const struct settings *s);
/* The log's channel for what concerns grants; takes over fd. */
void operators_ledger(int fd);
/* From the keeper. False: what it said does not parse. */
bool operators_statement(struct reader *body);
bool operators_statements_end(struct reader *body);
/* Statements were read whole, once: before that no operator is let in, and none is judged. */
bool operators_ready(void);
/* From an operator's cell. False: it asked what it may not. */
bool operators_admit(struct broker_cell *c, struct reader *body);
bool operators_hold(struct broker_cell *c, struct reader *body);
/* The instance's socket for an admitted operator: GRANTED. */
void operators_connected(struct broker_cell *c, uint64_t request, const struct holding *h, int fd);
/* What the cell needs before it serves: whose certificates it shall ask for, and its own. */
void operators_furnish(struct broker_cell *c);
/* Something changed: who may not stay is cut. */
void operators_judge(void);

/* broker_erase.c: retired tenants whose time has come */
void erase_begin(void);
/* From the ledger: a log is gone. False: it does not parse. */
bool erase_done(struct reader *body);

/* broker_grants.c for broker_erase.c: whether the tenant is to be erased now; false while the statements are
 * not known whole. The trust folder is looked at. The ledger's channel, NULL while it is away. */
bool operators_erasure(const char *tenant, struct erasure_view *out);
void operators_look(void);
struct channel *operators_log(void);

/* broker_grants.c for broker_operators.c: the decision now, and its end on the monotonic clock. */
void operators_decide(const char *operator, const char * tenant, const char *database,
                      struct grant_verdict *out, int64_t *ends_us);
bool operators_still(const char *grant, const char *operator, const char * tenant, struct failure *f);
/* Somebody whose signature counts here now, in any role. */
bool operators_know(const char *person);
/* 0 for no such grant. */
int64_t operators_end_of(const char *grant);

#endif
