/* SPDX-License-Identifier: ISC
 *
 * For peers.c: what its played supervisor and broker have to give that is good. A folder of its own, in
 * memory where there is such a place; a certificate and its key, made anew; settings.
 */
#ifndef SEKISHO_PEERS_H
#define SEKISHO_PEERS_H

#include "channel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*one)(const uint8_t *data, size_t size));
int replay_main(int argc, char **argv); /* replay.c's */

void peers_begin(void);
void peers_end(void);
void peers_settings(struct writer *w);
/* A well-formed message of the supervisor's, chosen by `what`; M_COUNT for none. */
enum message_code peers_supervisor(uint8_t what, struct writer *w);
/* The same of what a cell is furnished with. */
enum message_code peers_furniture(uint8_t what, struct writer *w);
/* Between two plays: gives back the room that the session log took. */
void peers_tidy(void);

#endif
