/* SPDX-License-Identifier: ISC
 *
 * Runs every file of a corpus folder, and of folders of regressions, once through the fuzz target it is
 * linked with, so that what fuzzing found stays found with any compiler. A missing or empty corpus is a
 * failure: a test that ran nothing proves nothing.
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

/* How many inputs ran; -1 when one did not. */
static int run_folder(const char *folder) {
    DIR *d = opendir(folder);
    int ran = 0, failed = 0;
    if (!d)
        return 0; /* most targets have no regressions */
    for (struct dirent *entry; (entry = readdir(d));) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        int len = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (len < 0 || (size_t)len >= sizeof path || run_file(path) != 0)
            failed++;
        else
            ran++;
    }
    closedir(d);
    printf("%s: %d inputs ran, %d failed\n", folder, ran, failed);
    return failed > 0 ? -1 : ran;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: %s CORPUS [FOLDER...]\n", argv[0]);
        return 2;
    }
    int code = run_folder(argv[1]) > 0 ? 0 : 1;
    for (int i = 2; i < argc; i++)
        if (run_folder(argv[i]) < 0)
            code = 1;
    return code;
}
