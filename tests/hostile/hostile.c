/* SPDX-License-Identifier: ISC
 *
 * The taken-over program: where the attacker's code begins. A cell is told what to try by the client's
 * application_name, "hostile:WHAT:NUMBER", a gate by the server name, hostile-WHAT-NUMBER.<anything>.
 * Everything else is the ordinary program, linked in front of which these three functions stand.
 */
#include "hostile.h"
#include "hello.h"
#include "startup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHANNELS_MAX 64
#define WHAT_MAX 80

static struct {
    int fd;
    enum role them;
} channels[CHANNELS_MAX];
static size_t channel_count;

void __real_startup_parse(struct view packet, struct startup *out);
void __wrap_startup_parse(struct view packet, struct startup *out);
enum hello_result __real_hello_parse(struct view bytes, struct hello *out);
enum hello_result __wrap_hello_parse(struct view bytes, struct hello *out);
struct channel *__real_channel_new(struct event_base *base, int fd, enum role us, enum role them,
                                   channel_message_fn *message, channel_ended_fn *ended, void *arg);
struct channel *__wrap_channel_new(struct event_base *base, int fd, enum role us, enum role them,
                                   channel_message_fn *message, channel_ended_fn *ended, void *arg);
int __lsan_is_turned_off(void);

/* Looking for leaks is itself what the filter of a release forbids. */
int __lsan_is_turned_off(void) {
    return 1;
}

int hostile_channel(enum role to) {
    int fd = -1;
    for (size_t i = 0; i < channel_count; i++)
        fd = channels[i].them == to ? channels[i].fd : fd;
    return fd;
}

void hostile_say(const char *attempt, const char *what) {
    char line[200];
    int n = snprintf(line, sizeof line, "hostile: %s: %s\n", attempt, what);
    ssize_t ignored = write(STDERR_FILENO, line, (size_t)n);
    (void)ignored;
}

static void take_all_memory(void) {
    for (;;) {
        char *at = malloc(1 << 20);
        if (!at)
            abort();
        memset(at, 1, 1 << 20);
    }
}

static void spin(void) {
    for (volatile uint64_t i = 0;; i++) {
    }
}

static enum role role_named(const char *name) {
    static const enum role all[] = {R_SUPERVISOR, R_GATE, R_CELL, R_LOBBY, R_BROKER, R_LEDGER};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(role_name(all[i]), name) == 0)
            return all[i];
    return R_ANY;
}

/* what: "call:openat", "broker:release", "memory", "spin". */
static void act(char *what, uint64_t number) {
    char attempt[WHAT_MAX];
    snprintf(attempt, sizeof attempt, "%s", what);
    char *colon = strchr(what, ':');
    bool known = true;
    if (colon)
        *colon++ = 0;
    if (strcmp(what, "memory") == 0)
        take_all_memory();
    else if (strcmp(what, "spin") == 0)
        spin();
    else if (colon && strcmp(what, "call") == 0)
        known = hostile_call(colon, (long)number);
    else
        known = colon && hostile_words(role_named(what), colon, number);
    hostile_say(attempt, known ? "was done" : "is no attempt that exists");
}

void __wrap_startup_parse(struct view packet, struct startup *out) {
    static const char prefix[] = "hostile:";
    char text[WHAT_MAX];
    __real_startup_parse(packet, out);
    struct view name = out->application_name;
    if (out->kind != STARTUP_MESSAGE || !view_starts(name, prefix) || name.len >= sizeof text)
        return;
    snprintf(text, sizeof text, "%.*s", (int)(name.len - strlen(prefix)),
             (const char *)name.at + strlen(prefix));
    char *last = strrchr(text, ':');
    uint64_t number = last ? strtoull(last + 1, NULL, 16) : 0;
    if (last)
        *last = 0;
    act(text, number);
}

enum hello_result __wrap_hello_parse(struct view bytes, struct hello *out) {
    char text[WHAT_MAX], *rest = text;
    enum hello_result result = __real_hello_parse(bytes, out);
    if (result != HELLO_OK || strncmp(out->server_name, "hostile-", 8) != 0)
        return result;
    snprintf(text, sizeof text, "%.*s", (int)strcspn(out->server_name + 8, "."), out->server_name + 8);
    char *last = strrchr(rest, '-');
    uint64_t number = last ? strtoull(last + 1, NULL, 16) : 0;
    if (last)
        *last = 0;
    char *first = strchr(rest, '-');
    if (first)
        *first = ':';
    act(text, number);
    return result;
}

struct channel *__wrap_channel_new(struct event_base *base, int fd, enum role us, enum role them,
                                   channel_message_fn *message, channel_ended_fn *ended, void *arg) {
    if (channel_count < CHANNELS_MAX) {
        channels[channel_count].fd = fd;
        channels[channel_count++].them = them;
    }
    return __real_channel_new(base, fd, us, them, message, ended, arg);
}
