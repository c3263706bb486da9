/* SPDX-License-Identifier: ISC
 *
 * hold COUNT AT_ONCE: opens COUNT connections, AT_ONCE of them at the same time, each with one query; where
 * to is in the environment (PGHOST and so on). Then says on one line how many stand, how many failed, the
 * seconds until the last one stood, and the microseconds from the first packet to the query's answer of the
 * fastest, the median, the 99th percentile and the slowest; keeps them open until standard input ends.
 */
#include <libpq-fe.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_US 120000000

enum stage { STAGE_CONNECTING, STAGE_ASKING, STAGE_STANDS, STAGE_FAILED };

struct line {
    PGconn *conn;
    enum stage stage;
    short events; /* what poll(2) is to wait for */
    int64_t begun_us, took_us;
};

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * (int64_t)1000000 + t.tv_nsec / 1000;
}

static void line_fail(struct line *l) {
    fprintf(stderr, "hold: %s", l->conn ? PQerrorMessage(l->conn) : "out of memory\n");
    PQfinish(l->conn);
    l->conn = NULL;
    l->stage = STAGE_FAILED;
}

static void line_begin(struct line *l) {
    static const char *const keywords[] = {"dbname", NULL}, *const values[] = {NULL, NULL};
    l->begun_us = now_us();
    l->stage = STAGE_CONNECTING;
    l->events = POLLOUT;
    l->conn = PQconnectStartParams(keywords, values, 0);
    if (!l->conn || PQstatus(l->conn) == CONNECTION_BAD)
        line_fail(l);
}

static void line_connects(struct line *l) {
    switch (PQconnectPoll(l->conn)) {
    case PGRES_POLLING_READING:
        l->events = POLLIN;
        return;
    case PGRES_POLLING_WRITING:
        l->events = POLLOUT;
        return;
    case PGRES_POLLING_OK:
        l->stage = STAGE_ASKING;
        l->events = POLLIN;
        if (PQsendQuery(l->conn, "SELECT 1") != 1)
            line_fail(l);
        return;
    default:
        line_fail(l);
    }
}

static void line_hears(struct line *l) {
    if (PQconsumeInput(l->conn) != 1) {
        line_fail(l);
        return;
    }
    while (!PQisBusy(l->conn)) {
        PGresult *r = PQgetResult(l->conn);
        if (!r) {
            l->took_us = now_us() - l->begun_us;
            l->stage = STAGE_STANDS;
            return;
        }
        bool good = PQresultStatus(r) == PGRES_TUPLES_OK;
        PQclear(r);
        if (!good) {
            line_fail(l);
            return;
        }
    }
}

/* One turn over those that are under way: how many they are afterwards. */
static size_t turn(struct line *lines, size_t begun, struct pollfd *polled, struct line **who) {
    size_t n = 0, under_way = 0;
    for (size_t i = 0; i < begun; i++) {
        if (lines[i].stage >= STAGE_STANDS)
            continue;
        who[n] = &lines[i];
        polled[n++] = (struct pollfd){.fd = PQsocket(lines[i].conn), .events = lines[i].events};
    }
    if (n > 0)
        poll(polled, n, 1000);
    for (size_t i = 0; i < n; i++) {
        if (polled[i].revents && who[i]->stage == STAGE_CONNECTING)
            line_connects(who[i]);
        else if (polled[i].revents)
            line_hears(who[i]);
        under_way += who[i]->stage < STAGE_STANDS;
    }
    return under_way;
}

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void report(const struct line *lines, size_t count, int64_t took_us) {
    int64_t *took = calloc(count, sizeof *took);
    size_t n = 0;
    if (!took)
        abort();
    for (size_t i = 0; i < count; i++)
        if (lines[i].stage == STAGE_STANDS)
            took[n++] = lines[i].took_us;
    qsort(took, n, sizeof *took, by_size);
    printf("%zu %zu %.3f %ld %ld %ld %ld\n", n, count - n, (double)took_us / 1e6, n ? took[0] : 0,
           n ? took[n / 2] : 0, n ? took[n * 99 / 100] : 0, n ? took[n - 1] : 0);
    fflush(stdout);
    free(took);
}

int main(int argc, char **argv) {
    size_t count = argc == 3 ? strtoul(argv[1], NULL, 10) : 0,
           at_once = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    if (count == 0 || at_once == 0) {
        fprintf(stderr, "usage: hold COUNT AT_ONCE\n");
        return 2;
    }
    struct line *lines = calloc(count, sizeof *lines), **who = calloc(count, sizeof *who);
    struct pollfd *polled = calloc(count, sizeof *polled);
    if (!lines || !who || !polled)
        abort();
    int64_t start_us = now_us();
    size_t begun = 0, under_way = 0;
    while ((begun < count || under_way > 0) && now_us() - start_us < PATIENCE_US) {
        for (; begun < count && under_way < at_once; begun++) {
            line_begin(&lines[begun]);
            under_way += lines[begun].stage < STAGE_STANDS;
        }
        under_way = turn(lines, begun, polled, who);
    }
    report(lines, count, now_us() - start_us);
    char rest;
    while (read(STDIN_FILENO, &rest, 1) > 0)
        continue;
    for (size_t i = 0; i < count; i++)
        PQfinish(lines[i].conn);
    return 0;
}
