/* SPDX-License-Identifier: ISC
 *
 * relay KIND COUNT: bytes through a session that is open, TLS on both sides.
 *   query  a unit is a small query and its answer: one record each way
 *   out    a unit is 1 MiB from the instance, in the records of 8 KiB that PostgreSQL writes
 *   in     a unit is 1 MiB from the client, in records of 8 KiB
 */
#include "people.h"

#define RECORD 8192
#define BATCH 8
#define MEGABYTE (1u << 20)

/* 'd' (CopyData) and a length: a message that fills one record. */
static uint8_t bulk[RECORD] = {'d', 0, 0, (RECORD - 1) >> 8, (RECORD - 1) & 0xff};

static void query(void) {
    static const char rows[] = "T\0\0\0\x21\0\1abalance\0\0\0\x40\0\0\3\0\0\0\x17\0\4\xff\xff\xff\xff\0\0"
                               "D\0\0\0\x0b\0\1\0\0\0\1"
                               "0"
                               "C\0\0\0\x0dSELECT 1\0"
                               "Z\0\0\0\5I";
    static const char ask[] = "SELECT abalance FROM pgbench_accounts WHERE aid = 4711;";
    say_message(&ann, 'Q', view_of(ask, sizeof ask));
    until(instance.len == sizeof ask + 5);
    say(&instance, rows, sizeof rows - 1);
    until(ann.len == sizeof rows - 1);
    forget(&ann);
    forget(&instance);
}

/* Sixty-four KiB at a time: what a socket holds without anybody having to wait. */
static void megabyte(struct person *from, struct person *to) {
    for (size_t said = 0; said < MEGABYTE; said += BATCH * RECORD) {
        for (int i = 0; i < BATCH; i++)
            say(from, bulk, RECORD);
        until(to->len == BATCH * RECORD);
        forget(to);
    }
}

static void one(const char *kind) {
    if (strcmp(kind, "query") == 0)
        query();
    else if (strcmp(kind, "out") == 0)
        megabyte(&instance, &ann);
    else
        megabyte(&ann, &instance);
}

int main(int argc, char **argv) {
    cr_assert(argc == 3 && strstr("query out in", argv[1]));
    uint64_t count = number_of(argv[2]);
    walk_to(STEP_RELAY);
    for (const char *types = "RRSKZ"; *types; types++)
        next_message(&ann, *types);
    forget(&ann);
    forget(&instance);
    one(argv[1]);
    counting = true;
    for (uint64_t i = 0; i < count; i++)
        one(argv[1]);
    counting = false;
    printf("units %lu\n", count);
    corridor_end();
    return 0;
}
