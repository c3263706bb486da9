/* SPDX-License-Identifier: ISC
 *
 * Every system call that would be a way out of a cell. The arguments are such that an unconfined process
 * would succeed, or at least be heard by the kernel.
 */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static char byte;
static struct iovec here = {&byte, 1};
static char *const nothing[] = {NULL};

static void ignore(int number) {
}

static const struct sigaction mine = {.sa_handler = ignore};
static struct rlimit more = {1 << 20, 1 << 20};

/* number: the process id of somebody else. */
bool hostile_call(const char *name, long number) {
    const struct {
        const char *name;
        long call, a, b, c, d, e;
    } calls[] = {
        {"socket", SYS_socket, AF_INET, SOCK_STREAM, 0, 0, 0},
        {"socket-unix", SYS_socket, AF_UNIX, SOCK_STREAM, 0, 0, 0},
        {"socket-netlink", SYS_socket, AF_NETLINK, SOCK_RAW, 0, 0, 0},
        {"socketpair", SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, (long)&byte, 0},
        {"connect", SYS_connect, 3, (long)&byte, 1, 0, 0},
        {"bind", SYS_bind, 3, (long)&byte, 1, 0, 0},
        {"listen", SYS_listen, 3, 1, 0, 0, 0},
        {"open", SYS_open, (long)"/etc/passwd", O_RDONLY, 0, 0, 0},
        {"openat", SYS_openat, AT_FDCWD, (long)"/etc/passwd", O_RDONLY, 0, 0},
        {"openat2", SYS_openat2, AT_FDCWD, (long)"/etc/passwd", (long)&byte, 24, 0},
        {"creat", SYS_creat, (long)"/tmp/hostile", 0600, 0, 0, 0},
        {"stat", SYS_newfstatat, AT_FDCWD, (long)"/etc/passwd", (long)&byte, 0, 0},
        {"unlink", SYS_unlinkat, AT_FDCWD, (long)"/tmp/hostile", 0, 0, 0},
        {"rename", SYS_renameat2, AT_FDCWD, (long)"/tmp/a", AT_FDCWD, (long)"/tmp/b", 0},
        {"readlink", SYS_readlinkat, AT_FDCWD, (long)"/proc/self/exe", (long)&byte, 1, 0},
        {"chmod", SYS_fchmodat, AT_FDCWD, (long)"/tmp", 0777, 0, 0},
        {"memfd", SYS_memfd_create, (long)"x", 0, 0, 0, 0},
        {"ptrace", SYS_ptrace, PTRACE_ATTACH, number, 0, 0, 0},
        {"kill", SYS_kill, number, SIGKILL, 0, 0, 0},
        {"tkill", SYS_tkill, number, SIGKILL, 0, 0, 0},
        {"tgkill", SYS_tgkill, number, number, SIGKILL, 0, 0},
        {"pidfd", SYS_pidfd_open, number, 0, 0, 0, 0},
        {"execve", SYS_execve, (long)"/bin/true", (long)nothing, (long)nothing, 0, 0},
        {"execveat", SYS_execveat, AT_FDCWD, (long)"/bin/true", (long)nothing, (long)nothing, 0},
        {"fork", SYS_fork, 0, 0, 0, 0, 0},
        {"vfork", SYS_vfork, 0, 0, 0, 0, 0},
        {"clone", SYS_clone, SIGCHLD, 0, 0, 0, 0},
        {"clone3", SYS_clone3, (long)&byte, 88, 0, 0, 0},
        {"readv", SYS_process_vm_readv, number, (long)&here, 1, (long)&here, 1},
        {"writev", SYS_process_vm_writev, number, (long)&here, 1, (long)&here, 1},
        {"mmap-exec", SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1},
        {"mprotect-exec", SYS_mprotect, (long)&byte & ~4095L, 4096, PROT_READ | PROT_EXEC, 0, 0},
        {"sigsys", SYS_rt_sigaction, SIGSYS, (long)&mine, 0, 8, 0},
        {"dumpable", SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0},
        {"limit", SYS_prlimit64, number, RLIMIT_NOFILE, (long)&more, 0, 0},
        {"setuid", SYS_setuid, 0, 0, 0, 0, 0},
        {"capset", SYS_capset, (long)&byte, (long)&byte, 0, 0, 0},
        {"unshare", SYS_unshare, CLONE_NEWUSER, 0, 0, 0, 0},
        {"mount", SYS_mount, (long)"x", (long)"/tmp", (long)"tmpfs", 0, 0},
        {"chroot", SYS_chroot, (long)"/tmp", 0, 0, 0, 0},
        {"bpf", SYS_bpf, 0, (long)&byte, 1, 0, 0},
        {"perf", SYS_perf_event_open, (long)&byte, 0, -1, -1, 0},
        {"userfault", SYS_userfaultfd, 0, 0, 0, 0, 0},
        {"uring", SYS_io_uring_setup, 8, (long)&byte, 0, 0, 0},
        {"keyctl", SYS_keyctl, 0, 0, 0, 0, 0},
        {"seccomp", SYS_seccomp, 1, 0, (long)&byte, 0, 0},
        {"personality", SYS_personality, 0x0040000, 0, 0, 0, 0},
        {"ioctl", SYS_ioctl, 2, 0x5412, (long)&byte, 0, 0}, /* TIOCSTI: typing into a terminal */
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if (strcmp(calls[i].name, name) != 0)
            continue;
        char said[64];
        long got = syscall(calls[i].call, calls[i].a, calls[i].b, calls[i].c, calls[i].d, calls[i].e, 0L);
        snprintf(said, sizeof said, "the kernel answered %ld, errno %d", got, errno);
        hostile_say(name, said);
        return true;
    }
    return false;
}
