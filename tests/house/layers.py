# SPDX-License-Identifier: ISC
"""Every #include "..." of a room leads into the room itself or into one that it may include."""
import re

from house import ROOMS, name, room_files, run

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def where_headers_live():
    found = {}
    for room in ROOMS:
        for path in room_files(room, ".h", ".def"):
            found.setdefault(path.name, []).append(room)
    return found


def check():
    homes = where_headers_live()
    for header, rooms in homes.items():
        if len(rooms) > 1:
            yield f"{header} exists in {' and in '.join(rooms)}: which one an #include means depends on the order of folders"
    for room, allowed in ROOMS.items():
        for path in room_files(room, ".c", ".h"):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                found = INCLUDE.match(line)
                if not found:
                    continue
                rooms = homes.get(found[1])
                if not rooms:
                    yield f"{name(path)}:{number}: no room has {found[1]}"
                elif room not in rooms and not set(rooms) & set(allowed):
                    yield f"{name(path)}:{number}: {room} may not include {found[1]} of {rooms[0]}"


if __name__ == "__main__":
    run(check)
