/* SPDX-License-Identifier: ISC
 *
 * sekisho-session(8): the program of the processes that strangers' bytes reach: gate, cell, operator, lobby.
 * It is apart from sekisho(8) so that none of the libraries that only the others need (of the store, of
 * instances' names, of web hooks) is in a process that a stranger may take over, or costs each tenant's cell
 * its start and its memory. Never started by hand: the supervisor does, and says which role it is.
 */
#include "birth.h"
#include "lean.h"
#include "role.h"
#include "supervisor_spawn.h"

#include <stdio.h>
#include <unistd.h>

#define USAGE 2

static const struct birth_role roles[] = {
    {"gate", gate_main}, {"cell", cell_main}, {"operator", operator_main}, {"lobby", lobby_main}};

int main(void) {
    const char *role = birth_role_name();
    if (!role) {
        fprintf(stderr, "sekisho-session: not meant to be started by hand: sekisho does that\n");
        return USAGE;
    }
    close(SPAWN_PROGRAM_FD); /* this program's own file, which it was started from */
    birth_prepare();
    lean_begin();
    return birth_run(role, roles, sizeof roles / sizeof roles[0]);
}
