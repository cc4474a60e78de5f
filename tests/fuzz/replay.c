/* Runs a fuzz target over the files of a folder, so that old finds stay fixed in every build.
 * An empty or missing folder is a failure: a test that ran nothing has shown nothing. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define INPUT_BYTES_MAX (1024u * 1024u)

static int replay(const char *folder, const char *name)
{
    char path[4096];
    uint8_t *data = malloc(INPUT_BYTES_MAX), *exact;
    size_t size;
    FILE *in;

    if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path) || !data)
        return -1;
    in = fopen(path, "rbe");
    if (!in)
        return -1;
    size = fread(data, 1, INPUT_BYTES_MAX, in);
    fclose(in);
    printf("%s\n", name);
    fflush(stdout);                     /* so that the last line names the file that trapped */
    exact = malloc(size + (size == 0)); /* no slack behind the input */
    if (!exact)
        return -1;
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    struct dirent *entry;
    size_t runs = 0;
    DIR *folder;

    folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return 2;
    }
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        if (replay(argv[1], entry->d_name) < 0) {
            fprintf(stderr, "%s: cannot read\n", entry->d_name);
            return 1;
        }
        runs++;
    }
    closedir(folder);
    printf("%zu inputs\n", runs);
    return runs > 0 ? 0 : 1;
}
