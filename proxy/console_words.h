/* SPDX-License-Identifier: ISC
 *
 * SQL text cut into words, as far as the console needs it: names, numbers, quoted texts, parameters, single
 * marks; comments and white space are passed over. Pure; what it is given comes from strangers.
 */
#ifndef SEKISHO_CONSOLE_WORDS_H
#define SEKISHO_CONSOLE_WORDS_H

#include "bytes.h"

enum word_kind {
    WORD_END,       /* nothing more */
    WORD_NAME,      /* text: as it stands */
    WORD_NUMBER,    /* text: its digits */
    WORD_TEXT,      /* text: between the quotes, not yet unquoted; escapes: it was E'...' */
    WORD_QUOTED,    /* "a name": between the quotes */
    WORD_PARAMETER, /* $n; text: the digits */
    WORD_MARK,      /* text: one character */
    WORD_BROKEN     /* a quote or comment that does not end, or a byte that has no place in SQL */
};

struct word {
    enum word_kind kind;
    bool escapes;
    struct view text;
};

/* Takes the next word from *rest. */
struct word word_next(struct view *rest);
/* Writes what a WORD_TEXT means: '' is a quote; with escapes \\ and \' too, and every other \ is refused. */
bool word_unquote(const struct word *w, struct writer *out);
/* Takes the next of the statements that semicolons separate; empty ones are passed over. False at the end.
 * A broken one reaches to the end of the text. */
bool words_statement(struct view *rest, struct view *one);
/* Lower case, one space between words, none beside marks: "select pg_catalog.version()". Quoted texts keep
 * their quotes. False when it is broken or does not fit. */
bool words_plain(struct view sql, struct writer *out);

#endif
