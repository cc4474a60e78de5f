/*
 * Work on pictures: the first byte chooses the operation, the rest is the picture (and, where one
 * is needed, the mask and the result, too). Whatever it holds, each operation ends with a clear
 * error or with a file of the size it says; nothing half-written stays.
 */
#include "fuzz.h"

#include "media/imaging.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct imaging_module *clawmedia_imaging_1(void);

#define STEPS_MAX 100000

static char folder[64];
static char input[96];
static char output[96];
static char second[96];

static void remove_folder(void)
{
    rmdir(folder);
}

static void set_up(void)
{
    snprintf(folder, sizeof(folder), "/tmp/fuzz-imaging-XXXXXX");
    FUZZ_CHECK(mkdtemp(folder));
    FUZZ_CHECK(atexit(remove_folder) == 0);
    snprintf(input, sizeof(input), "%s/in", folder);
    snprintf(output, sizeof(output), "%s/out.png", folder);
    snprintf(second, sizeof(second), "%s/mask.png", folder);
}

static int write_input(const uint8_t *data, size_t size)
{
    FILE *file = fopen(input, "w");
    int rc = file && (size == 0 || fwrite(data, 1, size, file) == size) ? 0 : -1;

    if (file)
        fclose(file);
    return rc;
}

static void clean(void)
{
    char part[112];

    unlink(input);
    unlink(output);
    unlink(second);
    snprintf(part, sizeof(part), "%s.part", output);
    FUZZ_CHECK(access(part, F_OK) != 0);
    snprintf(part, sizeof(part), "%s.part", second);
    FUZZ_CHECK(access(part, F_OK) != 0);
}

static void run(const struct imaging_job *job)
{
    const struct imaging_module *module = clawmedia_imaging_1();
    struct imaging_result result = {0};
    struct imaging_work *work = NULL;
    struct err err = {0};
    struct stat st;
    int rc = module->open(job, &work, &err) ? -1 : 1;

    for (int i = 0; rc > 0 && i < STEPS_MAX; i++)
        rc = module->step(work, &result, &err);
    module->close(work);
    if (rc < 0) {
        FUZZ_CHECK(err.kind != ERR_NONE && err.kind != ERR_INTERNAL && err.text[0]);
    } else if (rc == 0) {
        FUZZ_CHECK(result.width > 0 && result.height > 0 && stat(output, &st) == 0 &&
                   st.st_size > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *pictures[2] = {input, input};
    struct imaging_region region = {IMAGING_ELLIPSE, 1, 10, 10, 50, 50};
    struct imaging_job job = {.picture = input,
                              .mask = input,
                              .result = input,
                              .output = output,
                              .regions = &region,
                              .regions_count = 1,
                              .pictures = pictures,
                              .pictures_count = 2,
                              .width = 40,
                              .height = 30,
                              .tolerance = 40,
                              .left = 3,
                              .bottom = 2,
                              .output_mask = second,
                              .colour = {255, 0, 0, 99}};

    if (size < 1)
        return 0;
    if (!folder[0])
        set_up();
    job.kind = (enum imaging_kind)(1 + data[0] % (IMAGING_KINDS - 1));
    job.fit = (enum imaging_fit)(data[0] >> 4 & 1);
    job.fill = (enum imaging_fill)((data[0] >> 4) % 5);
    job.largest_only = data[0] >> 7;
    job.invert = data[0] >> 6 & 1;
    job.grow_px = (data[0] >> 5 & 1) * 2;
    job.feather_px = data[0] >> 4 & 1;
    if (write_input(data + 1, size - 1) == 0)
        run(&job);
    clean();
    return 0;
}
