/* SPDX-License-Identifier: ISC
 *
 * See sandbox.h: the block itself. Order matters: what needs a privilege comes first, what forbids asking for
 * anything comes last.
 */
#include "sandbox.h"
#include "channel.h"
#include "log.h"
#include "sandbox_parts.h"
#include "secret.h"
#include "supervisor_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const struct sandbox_row rows[] = {
#define PROCESS(role, user, sets, places, descriptors, megabytes, processes)                                 \
    {role, user, sets, places, descriptors, megabytes, processes},
#include "sandbox.def"
};

bool sandbox_confines(const char *place) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *rest = rows[i].places;
        for (char word[32]; sandbox_word(&rest, word);)
            if (strncmp(word, place, strlen(place)) == 0 && word[strlen(place)] == ':')
                return true;
    }
    return false;
}

/* What the supervisor must still be able to do: give its children users of their own, end them, bind low
 * ports on a reload, hand run_dir to its group, and read the certificate's key whoever owns it. */
#define KEPT_CAPABILITIES                                                                                    \
    (1ull << CAP_SETUID | 1ull << CAP_SETGID | 1ull << CAP_SETPCAP | 1ull << CAP_KILL |                      \
     1ull << CAP_NET_BIND_SERVICE | 1ull << CAP_CHOWN | 1ull << CAP_DAC_READ_SEARCH)

static void fail(const char *what) {
    log_error("cannot be confined: %s: %s", what, strerror(errno));
    _exit(1);
}

static const struct sandbox_row *row_of(const char *role) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].role, role) == 0)
            return &rows[i];
    return NULL;
}

enum sandbox_user sandbox_user(const char *role) {
    const struct sandbox_row *row = row_of(role);
    return row ? row->user : USER_KEPT;
}

bool sandbox_word(const char **rest, char out[32]) {
    *rest += strspn(*rest, " ");
    size_t n = strcspn(*rest, " ");
    if (n == 0)
        return false;
    snprintf(out, 32, "%.*s", (int)n, *rest);
    *rest += n;
    return true;
}

static bool is_kept(const char *variable) {
    static const char *const kept[] = {"PATH",         "TZ",           "NOTIFY_SOCKET", SPAWN_ROLE,
                                       SPAWN_TENANT,   SPAWN_CONFIG,   SANDBOX_IDS,     "ASAN_OPTIONS",
                                       "LSAN_OPTIONS", "UBSAN_OPTIONS"};
    size_t n = strcspn(variable, "=");
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (strlen(kept[i]) == n && strncmp(variable, kept[i], n) == 0)
            return true;
    return false;
}

static void keep_environment(void) {
    char **to = environ;
    for (char **from = environ; *from; from++)
        if (is_kept(*from))
            *to++ = *from;
    *to = NULL;
}

/* What libraries read from files at their first use. Times of ours are in UTC, or have an offset of their
 * own: with TZ set, and only then, nobody looks for /etc/localtime again. */
static void read_early(bool limited) {
    uint8_t unused;
    secret_random(&unused, sizeof unused); /* and OpenSSL its configuration, where it has one */
    if (limited)
        setenv("TZ", "UTC0", 1);
    tzset();
}

static void limit(__rlimit_resource_t what, rlim_t most) {
    struct rlimit now;
    if (getrlimit(what, &now) < 0)
        fail("getrlimit");
    if (most == 0 || most > now.rlim_max)
        most = now.rlim_max;
    if (setrlimit(what, &(struct rlimit){most, most}) < 0)
        fail("setrlimit");
}

/* In bytes: what the limit is on top of. Little, but for a sanitizer's shadow of some terabytes. */
static rlim_t addresses_used(void) {
    char text[32] = "";
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, sizeof text - 1) <= 0)
        text[0] = 0;
    if (fd >= 0)
        close(fd);
    return strtoull(text, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* The kernel writes a core file where the limit is no limit: to a program that core_pattern names. This
 * leaves every page out of it, as MADV_DONTDUMP leaves out one, the ones that are still to come among them.
 */
static void leave_out_of_core_files(void) {
    int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
    if (fd < 0 ? errno != ENOENT : write(fd, "0", 1) != 1)
        log_warning("memory is not left out of core files: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
}

/* As many descriptors as the system allows where sessions need them: one costs its cell two. */
static void set_limits(const struct sandbox_row *row) {
    static const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none); /* memory holds keys */
    limit(RLIMIT_NOFILE, row->descriptors);
    if (row->megabytes)
        limit(RLIMIT_AS, addresses_used() + (row->megabytes << 20));
#ifndef SEKISHO_SANITIZE /* it looks for leaks from another process */
    if (row->processes >= 0 &&
        setrlimit(RLIMIT_NPROC, &(struct rlimit){(rlim_t)row->processes, (rlim_t)row->processes}) < 0)
        fail("setrlimit");
#endif
}

static void become(const char *ids) {
    char *end;
    if (!ids || geteuid() != 0)
        return;
    unsigned long uid = strtoul(ids, &end, 10);
    unsigned long gid = *end == ':' ? strtoul(end + 1, &end, 10) : 0;
    if (*end || uid == 0 || gid == 0)
        fail("it is told to become nobody");
    if (setgroups(0, NULL) < 0 || setresgid((gid_t)gid, (gid_t)gid, (gid_t)gid) < 0 ||
        setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid) < 0)
        fail("changing the user");
}

/* What no program that is executed from here on may get back; taking that away is itself a privilege. */
static void bound_capabilities(uint64_t kept) {
    for (int i = 0; i < 64; i++)
        if (!(kept >> i & 1) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
            break; /* the last one was passed; or we lack the right to drop, and so have none to lose */
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static void keep_capabilities(uint64_t kept) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct now[2], data[2] = {{0}};
    if (syscall(SYS_capget, &header, now) < 0)
        fail("capget");
    if (!now[0].permitted && !now[1].permitted)
        return;
    for (int i = 0; i < 2; i++)
        data[i].effective = data[i].permitted = now[i].permitted & (uint32_t)(kept >> (32 * i));
    if (syscall(SYS_capset, &header, data) < 0)
        fail("capset");
}

/* The configuration is the first message, and stays for the loop to take. */
static const struct settings *read_settings(void) {
    static struct settings settings;
    struct settings_error error;
    struct view text;
    if (!channel_first(SPAWN_CHANNEL_FD, M_SETTINGS, &text))
        _exit(0); /* the supervisor is gone already */
    if (!settings_parse(text, "settings", &settings, &error))
        fail(error.text);
    return &settings;
}

void sandbox_enter(const char *role) {
    const struct sandbox_row *row = row_of(role);
    if (!row) {
        errno = EINVAL;
        fail(role);
    }
    bool channel = row->user != USER_KEPT; /* guard and supervisor speak to nobody above them */
    bool limited = strcmp(row->places, "everything") != 0;
    log_open(role, LOG_LEVEL_INFO);
    /* Standard ones and one more: a channel, or the program that the supervisor starts cells from. */
    close_range(SPAWN_CHANNEL_FD + 1, ~0u, 0);
    keep_environment();
    set_limits(row);
    leave_out_of_core_files();
    read_early(limited);
    const struct settings *s = channel && limited && row->places[0] ? read_settings() : NULL;
    /* With accounts of their own, a group's members read what the owner writes: the log. */
    umask(getenv(SANDBOX_IDS) ? 0027 : 0077);
    bound_capabilities(channel ? 0 : KEPT_CAPABILITIES);
    if (channel)
        become(getenv(SANDBOX_IDS));
    keep_capabilities(channel ? 0 : KEPT_CAPABILITIES);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        fail("prctl");
#ifndef SEKISHO_SANITIZE /* tests that are not root count a process's descriptors */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        fail("prctl");
#endif
    if (limited && !sandbox_files(row, s))
        log_warning("this kernel has no Landlock: files are not out of reach");
    if (!sandbox_calls(row, channel))
        log_warning("this kernel has no seccomp: system calls are not limited");
}
