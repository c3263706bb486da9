/* SPDX-License-Identifier: ISC
 *
 * See audit_told.h. This is honesty, not protection: whoever may read the files can read them without us.
 */
#include "audit_told.h"
#include "audit.h"
#include "clock.h"
#include "control.h"
#include "main.h"
#include "table.h"

#include <libpq-fe.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#define PATIENCE_MS 5000
#define PATIENCE_S "5"

/* The configuration when `dir` is the folder of its log; NULL for a copy. */
static const struct settings *settings_of(const struct ctl *ctl, const char *dir) {
    static struct settings settings;
    struct settings_error error;
    struct stat ours, theirs;
    if (!settings_read(ctl->config_path, &settings, &error))
        return NULL; /* --dir was given: else there would be no dir */
    bool same = stat(settings.ledger_dir, &ours) == 0 && stat(dir, &theirs) == 0 &&
                ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
    return same ? &settings : NULL;
}

/* Everything that an environment could say otherwise is said here. */
static PGconn *connect_to(const char *run_dir) {
    const char *const keywords[] = {"host",
                                    "port",
                                    "dbname",
                                    "user",
                                    "sslmode",
                                    "gssencmode",
                                    "options",
                                    "application_name",
                                    "client_encoding",
                                    "connect_timeout",
                                    NULL};
    const char *const values[] = {run_dir, "5432",       "sekisho", "sekisho",  "disable", "disable",
                                  "",      "sekishoctl", "UTF8",    PATIENCE_S, NULL};
    unsetenv("PGHOSTADDR"); /* an empty word would not overrule it */
    unsetenv("PGSERVICE");
    return PQconnectdbParams(keywords, values, 0);
}

static int refused(const char *text) {
    char line[512];
    harmless(text, line, sizeof line);
    line[strcspn(line, "\n")] = '\0';
    ctl_error("that you read this log cannot be recorded, so it is not shown: %s", line);
    ctl_hint("try again in a moment; sekishoctl status says how the proxy is");
    return CTL_UNAVAILABLE;
}

/* Whatever the answer is, it is there within PATIENCE_MS; NULL when not. */
static PGresult *answer_of(PGconn *link) {
    int64_t until = clock_now().mono_us + PATIENCE_MS * INT64_C(1000);
    while (PQisBusy(link)) {
        struct pollfd p = {.fd = PQsocket(link), .events = POLLIN};
        int64_t left = (until - clock_now().mono_us + 999) / 1000;
        int n = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (n == 0 || (n > 0 && !PQconsumeInput(link)))
            return NULL;
    }
    return PQgetResult(link);
}

static int tell(PGconn *link, const char *name, const char *action) {
    const char *value[2] = {action, name};
    bool provider = audit_tenant(name)[0] == '\0';
    bool sent = PQsendQueryParams(link, provider ? "RECORD READING $1" : "RECORD READING $1 TENANT $2",
                                  provider ? 1 : 2, NULL, value, NULL, NULL, 0);
    PGresult *r = sent ? answer_of(link) : NULL;
    int code = CTL_DONE;
    if (PQresultStatus(r) != PGRES_TUPLES_OK) {
        const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
        code = refused(text ? text : r ? PQerrorMessage(link) : "the proxy does not answer");
    }
    PQclear(r);
    return code;
}

int audit_told(const struct ctl *ctl, const char *dir, const char *name, const char *action) {
    const struct settings *s = settings_of(ctl, dir);
    if (!s)
        return CTL_DONE;
    PGconn *link = connect_to(s->run_dir);
    int code = CTL_DONE;
    if (PQstatus(link) == CONNECTION_OK)
        code = tell(link, name, action);
    else if (control_running(s))
        code = refused(PQerrorMessage(link));
    else
        ctl_hint("the proxy is not running: that you read this log is recorded nowhere");
    PQfinish(link);
    return code;
}
