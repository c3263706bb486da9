/* SPDX-License-Identifier: ISC
 *
 * See person.h.
 */
#include "person.h"
#include "magic.h"
#include "secret.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PERSON_MAGIC 0x9E250A17u
#define FILE_MOST 8192
#define COMMENT "# sekisho-key "

/* Takes the value behind "# sekisho-key <name>: " of the line, when it is that. */
static bool comment_is(struct view line, const char *name, struct view *value) {
    char head[64];
    int len = snprintf(head, sizeof head, COMMENT "%s: ", name);
    if (!view_starts(line, head))
        return false;
    *value = text_trim(view_from(line, (size_t)len));
    return true;
}

static bool read_comment(struct view line, struct trust_key *k) {
    struct view value;
    if (comment_is(line, "name", &value))
        return person_valid(value) && view_copy_text(value, k->name, sizeof k->name);
    if (comment_is(line, "role", &value))
        return trust_role_by_name(value, &k->role);
    if (comment_is(line, "tenant", &value))
        return view_equal_text(value, "-") ||
               (tenant_id_valid(value) && view_copy_text(value, k->tenant, sizeof k->tenant));
    if (comment_is(line, "not-before", &value))
        return instant_parse(value, &k->not_before);
    if (comment_is(line, "not-after", &value))
        return instant_parse(value, &k->not_after);
    return true;
}

static bool read_comments(struct view text, struct trust_key *k) {
    bool good = true;
    while (good && text.len > 0 && text.at[0] == '#') {
        const uint8_t *end = memchr(text.at, '\n', text.len);
        size_t len = end ? (size_t)(end - text.at) : text.len;
        good = read_comment(view_of(text.at, len), k);
        text = view_from(text, len + 1);
    }
    return good;
}

/* Others could read it: then it is not that person's alone. */
static bool read_file(const char *path, char *text, size_t *len) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0) {
        ctl_error("the key %s cannot be read: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    ssize_t n = read(fd, text, FILE_MOST);
    close(fd);
    *len = n > 0 ? (size_t)n : 0;
    if (!S_ISREG(st.st_mode) || n <= 0 || n == FILE_MOST) {
        ctl_error("%s is no private key", path);
        return false;
    }
    if (st.st_mode & (S_IRWXG | S_IRWXO)) {
        ctl_error("the key %s can be read by others", path);
        ctl_hint("chmod 600 %s; when others did read it, have it withdrawn and make a new one", path);
        return false;
    }
    return true;
}

static bool take(struct person *p, const char *path, struct view text) {
    char why[STATEMENT_WHY];
    const uint8_t *begin = memmem(text.at, text.len, "-----BEGIN", 10);
    if (!read_comments(text, &p->is)) {
        ctl_error("%s: a comment \"" COMMENT "...\" is not as key generate writes it", path);
        return false;
    }
    struct view pem = begin ? view_from(text, (size_t)(begin - text.at)) : text;
    p->key = signing_key_read(pem, view_of(NULL, 0), why);
    if (!p->key) {
        ctl_error("%s: %s", path, why);
        return false;
    }
    signing_key_public(p->key, p->is.public);
    statement_key_id(p->is.public, p->is.id);
    return true;
}

void person_begin(struct person *p) {
    memset(p, 0, sizeof *p);
    p->magic = PERSON_MAGIC;
    p->is.withdrawn = TRUST_NEVER;
    p->is.not_after = TRUST_NEVER;
}

static bool read_from(struct person *p, const char *command, const char *path, const char *as) {
    char text[FILE_MOST];
    size_t len = 0;
    bool good = read_file(path, text, &len) && take(p, path, view_of(text, len));
    secret_wipe(text, sizeof text);
    if (good && as &&
        !(person_valid(view_text(as)) && view_copy_text(view_text(as), p->is.name, sizeof p->is.name))) {
        ctl_usage(command, "--as %s: no name: at most %d of a-z, 0-9, '.', '_' and '-'", as, PERSON_MAX);
        return false;
    }
    if (good && !p->is.name[0]) {
        ctl_error("whose key is %s? It does not say", path);
        ctl_hint("--as NAME says it, as does a first line \"" COMMENT "name: NAME\"");
        return false;
    }
    return good;
}

static const char *path_of(const char *file) {
    const char *environment = getenv("SEKISHO_KEY");
    return file ? file : environment && *environment ? environment : NULL;
}

bool person_read(struct person *p, const char *command, const char *file, const char *as) {
    person_begin(p);
    if (path_of(file))
        return read_from(p, command, path_of(file), as);
    ctl_error("%s is signed, and there is no key to sign with", command);
    ctl_hint("--key FILE or $SEKISHO_KEY names yours; sekishoctl key generate --help tells how to get one");
    return false;
}

bool person_read_optional(struct person *p, const char *command, const char *file, const char *as) {
    person_begin(p);
    return !path_of(file) || read_from(p, command, path_of(file), as);
}

void person_end(struct person *p) {
    MAGIC_CHECK(p, PERSON_MAGIC);
    signing_key_free(&p->key);
}

bool person_compose(const struct person *p, struct writer *text) {
    MAGIC_CHECK(p, PERSON_MAGIC);
    char from[INSTANT_TEXT], to[INSTANT_TEXT];
    instant_text(p->is.not_before, from);
    instant_text(p->is.not_after, to);
    writer_format(text,
                  COMMENT "name: %s\n" COMMENT "role: %s\n" COMMENT "tenant: %s\n" COMMENT
                          "not-before: %s\n" COMMENT "not-after: %s\n",
                  p->is.name, trust_role_name(p->is.role), p->is.tenant[0] ? p->is.tenant : "-", from, to);
    return signing_key_write(p->key, view_of(NULL, 0), text) && !text->bad;
}
