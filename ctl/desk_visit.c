/* SPDX-License-Identifier: ISC
 *
 * See desk_visit.h.
 */
#include "desk_visit.h"

int desk_visit(const struct ctl *ctl, const char *command, bool signs, const char *file, const char *as,
               desk_visit_fn *visit, void *arg) {
    struct person p;
    struct desk d;
    bool good = signs ? person_read(&p, command, file, as) : person_read_optional(&p, command, file, as);
    int code = good ? CTL_DONE : CTL_REFUSED;
    if (code == CTL_DONE) {
        code = desk_enter(&d, ctl);
        if (code == CTL_DONE && !signs)
            code = desk_must_know(&d);
        if (code == CTL_DONE)
            code = visit(&d, &p, arg);
        desk_leave(&d);
    }
    person_end(&p);
    return code;
}
