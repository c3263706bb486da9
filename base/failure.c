/* SPDX-License-Identifier: ISC
 *
 * See failure.h.
 */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void failure_set(struct failure *f, const char *sqlstate, const char *hint, const char *format, ...) {
    memset(f, 0, sizeof *f);
    snprintf(f->sqlstate, sizeof f->sqlstate, "%s", sqlstate);
    snprintf(f->hint, sizeof f->hint, "%s", hint ? hint : "");
    va_list args;
    va_start(args, format);
    vsnprintf(f->sentence, sizeof f->sentence, format, args);
    va_end(args);
}

void failure_cause(struct failure *f, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(f->cause, sizeof f->cause, format, args);
    va_end(args);
}

void failure_write(struct writer *w, const struct failure *f) {
    writer_text16(w, view_text(f->sqlstate));
    writer_text16(w, view_text(f->sentence));
    writer_text16(w, view_text(f->hint));
    writer_text16(w, view_text(f->cause));
}

bool failure_read(struct reader *r, struct failure *f) {
    reader_text16_into(r, f->sqlstate, sizeof f->sqlstate);
    reader_text16_into(r, f->sentence, sizeof f->sentence);
    reader_text16_into(r, f->hint, sizeof f->hint);
    reader_text16_into(r, f->cause, sizeof f->cause);
    return !r->bad && strlen(f->sqlstate) == 5 && f->sentence[0];
}
