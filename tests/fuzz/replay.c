/* SPDX-License-Identifier: ISC
 *
 * Runs every file of a corpus folder once through the fuzz target it is linked with, so that what fuzzing
 * found stays found with any compiler. A missing or empty folder is a failure: a test that ran nothing proves
 * nothing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of exactly `size` bytes, so that the address sanitizer sees a read behind the end. */
static int run_exact(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (!copy)
        return -1;
    if (size > 0)
        memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    return 0;
}

static int run_file(const char *path) {
    enum { LARGEST = 4 << 20 };
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return -1;
    }
    int result = -1;
    uint8_t *bytes = malloc(LARGEST + 1);
    if (bytes) {
        size_t size = fread(bytes, 1, LARGEST + 1, file);
        if (!ferror(file) && size <= LARGEST)
            result = run_exact(bytes, size);
    }
    if (result != 0)
        fprintf(stderr, "%s: not readable or over 4 MiB\n", path);
    free(bytes);
    fclose(file);
    return result;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    DIR *folder = opendir(argv[1]);
    if (!folder) {
        perror(argv[1]);
        return 1;
    }
    int failed = 0, ran = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        int len = snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        if (len < 0 || (size_t)len >= sizeof path || run_file(path) != 0)
            failed++;
        else
            ran++;
    }
    closedir(folder);
    printf("%s: %d inputs ran, %d failed\n", argv[1], ran, failed);
    return failed > 0 || ran == 0;
}
