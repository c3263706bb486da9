# SPDX-License-Identifier: ISC
"""What the two programs of the proxy are made of, read from the built files: sekisho-session, which strangers' bytes
reach, loads only the libraries it cannot do without, and neither program has the other's processes in it.
"""
import re
import subprocess

from house import SEKISHO, SESSION, run

LIBRARIES = {"libssl.so.3", "libcrypto.so.3", "libevent_core-2.1.so.7", "libinih.so.1", "libseccomp.so.2", "libc.so.6"}
# Of a build with sanitizers.
INSTRUMENTS = re.compile(r"lib(asan|ubsan|m|rt|dl|pthread|resolv|gcc_s)\.so\.\d+|ld-linux.*")
ENTRIES = {
    SESSION: {"gate_main", "cell_main", "operator_main", "lobby_main"},
    SEKISHO: {"supervisor_main", "broker_main", "keeper_main", "ledger_main", "console_main", "notifier_main"},
}


def read(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def check():
    needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", read("readelf", "-d", SESSION)))
    if "libc.so.6" not in needed:
        yield f"{SESSION.name} needs no libc: this check does not understand it"
    for library in sorted(needed - LIBRARIES):
        if not INSTRUMENTS.fullmatch(library):
            yield f"{SESSION.name} loads {library}, which a process that meets strangers does without"
    everybody = set.union(*ENTRIES.values())
    for program, entries in ENTRIES.items():
        present = set(re.findall(r" T (\w+_main)$", read("nm", program), re.M))
        for entry in sorted(everybody & present - entries):
            yield f"{program.name} has {entry} of the other program"
        for entry in sorted(entries - present):
            yield f"{program.name} lacks {entry}"


if __name__ == "__main__":
    run(check)
