/* SPDX-License-Identifier: ISC
 *
 * Fuzzes the console's side of the protocol: the input is what a client sends, from its start-up message on,
 * cut where its first byte says. Every command is carried out with two rows, or fails. Whatever comes: no
 * more is taken than was there, what is answered are whole messages, and every job is given back.
 */
#include "console_talk.h"
#include "message.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int jobs;

static void drop_job(void *job) {
    jobs--;
}

static void check_answer(const struct writer *out, bool startup) {
    struct view rest = writer_view(out);
    struct message m;
    size_t used;
    assert(!out->bad);
    if (startup && rest.len == 1 && rest.at[0] == 'N')
        return;
    while (rest.len > 0) {
        enum message_result r = message_next(rest, 1 << 20, &m, &used);
        assert(r == MESSAGE_OK);
        assert(strchr("RSKZTDCEInt123sv", m.type));
        rest = view_from(rest, used);
    }
}

static void work(struct talk *t, struct writer *out) {
    static int any_job;
    struct view name[CONSOLE_COLUMNS_MAX], cell[CONSOLE_COLUMNS_MAX] = {{NULL, 0}};
    const struct console_command *c = talk_command(t);
    void **job = talk_job(t);
    size_t columns = console_columns(console_declaration(c->verb)->columns, name);
    for (int a = 0; a < ARGUMENT_COUNT; a++)
        console_command_value(c, (enum console_argument)a);
    if (!*job) {
        *job = &any_job;
        jobs++;
    }
    for (int i = 0; i < 2; i++)
        if (!talk_row(t, out, cell, columns))
            return;
    drop_job(*job);
    *job = NULL;
    struct failure f;
    failure_set(&f, "58030", NULL, "no");
    if (c->verb == VERB_LOCKS)
        talk_failed(t, out, &f);
    else
        talk_done(t, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t room[2 * TALK_SAID_MAX];
    static const struct talk_host host = {drop_job, true, "dana"};
    if (size == 0)
        return 0;
    size_t cut = data[0], shown;
    struct view in = view_of(data + 1, size - 1);
    struct talk *t = talk_new(&host);
    if (!t)
        abort();
    shown = cut < in.len ? cut : in.len;
    for (;;) {
        struct writer out = writer_of(room, sizeof room);
        bool startup = !talk_started(t);
        size_t used;
        enum talk_next next = talk_take(t, view_of(in.at, shown), &used, &out);
        assert(used <= shown);
        in = view_from(in, used);
        shown -= used;
        if (next == TALK_WORK)
            work(t, &out);
        check_answer(&out, startup);
        if (next == TALK_OVER || (next == TALK_HUNGRY && shown == in.len))
            break;
        if (next == TALK_HUNGRY)
            shown = in.len;
    }
    talk_free(&t);
    assert(jobs == 0);
    return 0;
}
