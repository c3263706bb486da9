/* SPDX-License-Identifier: ISC
 *
 * Writes the typed messages that the proxy itself sends, declared in message.h: its part as a server towards
 * clients and as a client towards backends. A message that does not fit leaves the writer bad, as every write
 * does.
 */
#include "codes.h"
#include "message.h"
#include "text.h"

/* Type and room for the length; returns where the length goes. */
static size_t begin(struct writer *w, char type) {
    writer_u8(w, (uint8_t)type);
    size_t where = w->len;
    writer_u32(w, 0);
    return where;
}

static void end(struct writer *w, size_t where) {
    writer_patch_u32(w, where, (uint32_t)(w->len - where));
}

static void error_field(struct writer *w, char type, const char *text) {
    writer_u8(w, (uint8_t)type);
    writer_cstr(w, text);
}

void message_write_fatal(struct writer *w, const struct failure *f, uint64_t session) {
    size_t where = begin(w, 'E');
    error_field(w, 'S', "FATAL");
    error_field(w, 'V', "FATAL");
    error_field(w, 'C', f->sqlstate);
    error_field(w, 'M', f->sentence);
    if (session != 0) {
        char id[17];
        text_hex64(session, id);
        writer_format(w, "DSession %s.", id);
        writer_u8(w, 0);
    }
    if (f->hint[0])
        error_field(w, 'H', f->hint);
    writer_u8(w, 0);
    end(w, where);
}

static void authentication(struct writer *w, uint32_t code, struct view data) {
    size_t where = begin(w, 'R');
    writer_u32(w, code);
    writer_bytes(w, data);
    end(w, where);
}

void message_write_sasl(struct writer *w, bool plus) {
    size_t where = begin(w, 'R');
    writer_u32(w, AUTH_SASL);
    if (plus)
        writer_cstr(w, "SCRAM-SHA-256-PLUS");
    writer_cstr(w, "SCRAM-SHA-256");
    writer_u8(w, 0);
    end(w, where);
}

void message_write_sasl_continue(struct writer *w, struct view data) {
    authentication(w, AUTH_SASL_CONTINUE, data);
}

void message_write_sasl_final(struct writer *w, struct view data) {
    authentication(w, AUTH_SASL_FINAL, data);
}

void message_write_auth_ok(struct writer *w) {
    authentication(w, AUTH_OK, view_of(NULL, 0));
}

void message_write_backend_key(struct writer *w, uint32_t pid, uint32_t key) {
    size_t where = begin(w, 'K');
    writer_u32(w, pid);
    writer_u32(w, key);
    end(w, where);
}

void message_write_sasl_initial(struct writer *w, const char *mechanism, struct view data) {
    size_t where = begin(w, 'p');
    writer_cstr(w, mechanism);
    writer_u32(w, (uint32_t)data.len);
    writer_bytes(w, data);
    end(w, where);
}

void message_write_sasl_response(struct writer *w, struct view data) {
    size_t where = begin(w, 'p');
    writer_bytes(w, data);
    end(w, where);
}

void message_write_terminate(struct writer *w) {
    end(w, begin(w, 'X'));
}
