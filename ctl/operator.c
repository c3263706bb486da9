/* SPDX-License-Identifier: ISC
 *
 * operator add, list, set, remove: the directory of operators. To be in it is necessary to get in, and never
 * sufficient.
 */
#include "change.h"
#include "commands.h"
#include "facts.h"
#include "table.h"
#include "times.h"

#include <stdio.h>
#include <string.h>

enum { OPTION_ALLOW, OPTION_NOTE, OPTIONS };
static const struct args_option options[OPTIONS] = {{"--allow", true}, {"--note", true}};

static void ranges_text(const struct ranges *r, char *out, size_t cap) {
    out[0] = '\0';
    for (size_t i = 0; i < r->count; i++) {
        char text[ADDRESS_TEXT];
        size_t len = strlen(out);
        address_text(&r->range[i].base, text);
        snprintf(out + len, cap - len, "%s%s/%u", i ? ", " : "", text, (unsigned)r->range[i].bits);
    }
}

static int outcome(const struct ctl *ctl, enum store_result r, const char *id) {
    if (r == STORE_NOT_FOUND) {
        ctl_error("there is no operator \"%s\"", id);
        ctl_hint("sekishoctl operator list shows those there are");
        return CTL_REFUSED;
    }
    if (r == STORE_CONFLICT) {
        ctl_error("there is an operator \"%s\" already", id);
        ctl_hint("sekishoctl operator set %s changes them", id);
        return CTL_REFUSED;
    }
    return change_outcome(ctl, r, id);
}

static int answer(const struct ctl *ctl, const char *id, const char *done) {
    if (ctl->json)
        facts_print_json(json_pack("{s:s,s:s}", "operator", id, "done", done));
    else
        printf("operator %s %s\n", id, done);
    return CTL_DONE;
}

struct sought {
    const char *id;
    bool found;
    struct operator* out;
};

static bool take(void *arg, const struct operator* o) {
    struct sought *s = arg;
    if (strcmp(o->id, s->id) != 0)
        return true;
    *s->out = *o;
    s->found = true;
    return false;
}

static int apply(const char *command, const char **value, struct operator* o, struct change *c) {
    struct view bad;
    if (value[OPTION_ALLOW]) {
        char text[4096];
        if (!ranges_parse(view_text(value[OPTION_ALLOW]), &o->allowed, &bad))
            return ctl_usage(command, "--allow %s: expected ranges like 192.0.2.0/24, 2001:db8::/32",
                             value[OPTION_ALLOW]);
        ranges_text(&o->allowed, text, sizeof text);
        change_detail(c, "allow: %.300s", text[0] ? text : "any");
    }
    if (value[OPTION_NOTE]) {
        if (!view_copy_text(view_text(value[OPTION_NOTE]), o->note, sizeof o->note))
            return ctl_usage(command, "--note: at most %d bytes", OPERATOR_NOTE_MAX);
        change_detail(c, "note: %.150s", o->note);
    }
    return CTL_DONE;
}

static int put(const struct ctl *ctl, const char *command, const char *action, bool insert, int argc,
               char **argv) {
    const char *value[OPTIONS] = {NULL}, *id, *why;
    int code = times_options(command, options, OPTIONS, value, 1, &id, argc, argv);
    if (code == CTL_DONE && !id)
        code = ctl_usage(command, "%s needs the operator's id", command);
    if (code == CTL_DONE && !person_valid(view_text(id)))
        code = ctl_usage(command, "\"%s\" is no operator: at most %d of a-z, 0-9, '.', '_' and '-'", id,
                         PERSON_MAX);
    if (code != CTL_DONE)
        return code;
    struct operator o = {.magic = OPERATOR_MAGIC};
    struct sought s = {.id = id, .out = &o};
    snprintf(o.id, sizeof o.id, "%s", id);
    if (!insert)
        code = outcome(ctl, ctl->store->driver->operators(ctl->store, take, &s), id);
    if (code == CTL_DONE && !insert && !s.found)
        code = outcome(ctl, STORE_NOT_FOUND, id);
    struct change c = change_of("", action);
    change_detail(&c, "operator %s", id);
    if (code == CTL_DONE)
        code = apply(command, value, &o, &c);
    if (code == CTL_DONE && !operator_check(&o, &why))
        code = ctl_usage(command, "operator \"%s\": %s", id, why);
    if (code == CTL_DONE)
        code = outcome(ctl, ctl->store->driver->operator_put(ctl->store, &o, insert, &c), id);
    return code == CTL_DONE ? answer(ctl, id, insert ? "added" : "changed") : code;
}

int ctl_operator_add(const struct ctl *ctl, int argc, char **argv) {
    return put(ctl, "operator add", "operator.add", true, argc, argv);
}

int ctl_operator_set(const struct ctl *ctl, int argc, char **argv) {
    return put(ctl, "operator set", "operator.set", false, argc, argv);
}

int ctl_operator_remove(const struct ctl *ctl, int argc, char **argv) {
    const char *id;
    int code = args_words("operator remove", argc, argv, 1, 1, &id);
    if (code != CTL_DONE)
        return code;
    struct change c = change_of("", "operator.remove");
    change_detail(&c, "operator %s", id);
    code = outcome(ctl, ctl->store->driver->operator_remove(ctl->store, id, &c), id);
    return code == CTL_DONE ? answer(ctl, id, "removed") : code;
}

struct listing {
    json_t *array;
    struct table *table;
};

static bool list_one(void *arg, const struct operator* o) {
    struct listing *l = arg;
    char text[4096];
    ranges_text(&o->allowed, text, sizeof text);
    if (l->array) {
        json_array_append_new(l->array,
                              json_pack("{s:s,s:s,s:s}", "operator", o->id, "allow", text, "note", o->note));
        return true;
    }
    table_cell(l->table, o->id);
    table_cell(l->table, text[0] ? text : "any");
    table_cell(l->table, o->note[0] ? o->note : "-");
    return true;
}

int ctl_operator_list(const struct ctl *ctl, int argc, char **argv) {
    static const char *const heads[] = {"OPERATOR", "FROM", "NOTE", NULL};
    int code = args_words("operator list", argc, argv, 0, 0, NULL);
    if (code != CTL_DONE)
        return code;
    struct listing l = {ctl->json ? json_array() : NULL, ctl->json ? NULL : table_new(heads)};
    code = change_outcome(ctl, ctl->store->driver->operators(ctl->store, list_one, &l), "");
    if (l.array && code == CTL_DONE)
        facts_print_json(l.array);
    else if (l.array)
        json_decref(l.array);
    else
        table_print(&l.table, ctl->colour);
    return code;
}
