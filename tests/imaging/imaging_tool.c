/*
 * imaging_tool - runs picture jobs through the core and the real module:
 *
 *     imaging_tool MODULE [--no-work] [--stop-after N] [--fail-after N] JOB...
 *
 * Each JOB is a JSON object with the members of struct imaging_job, names of enums as words. Prints
 * a line of JSON for each, in the order they end, then one with what it cost: slices, the longest
 * of them, threads that were created and that are left, peak memory. MODULE "-" looks for it beside
 * this program. --stop-after N calls imaging_stop after N slices; with --fail-after N the core's
 * Nth allocation from there on fails.
 */
#include "base/mem.h"
#include "media/imaging.h"
#include "unit/mini_host.h"

#include <dirent.h>
#include <dlfcn.h>
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#define TURNS_MAX 1000000

static atomic_int threads_made;
static int pending;

/* Stands before libpthread's: whoever starts a thread in this process is counted. */
__attribute__((visibility("default"))) int
pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    static create_fn *real;

    if (!real) {
        void *symbol = dlsym(RTLD_NEXT, "pthread_create");

        memcpy(&real, &symbol, sizeof(real));
    }
    atomic_fetch_add(&threads_made, 1);
    return real(thread, attr, fn, arg);
}

static int word(const json_t *job, const char *key, const char *const *words, int count,
                int fallback)
{
    const char *given = json_string_value(json_object_get(job, key));

    for (int i = 0; given && i < count; i++)
        if (words[i] && strcmp(words[i], given) == 0)
            return i;
    return fallback;
}

#define WORD(job, key, words, fallback)                                                            \
    word(job, key, words, (int)(sizeof(words) / sizeof(*(words))), fallback)

static int whole(const json_t *job, const char *key)
{
    return (int)json_integer_value(json_object_get(job, key));
}

static double number(const json_t *job, const char *key)
{
    return json_number_value(json_object_get(job, key));
}

static const char *text(const json_t *job, const char *key)
{
    return json_string_value(json_object_get(job, key));
}

static uint8_t band(const json_t *list, size_t i)
{
    return (uint8_t)json_integer_value(json_array_get(list, i));
}

static void read_job(const json_t *json, struct imaging_job *job, struct imaging_region *regions,
                     const char **pictures)
{
    static const char *const kinds[] = {NULL,        "mask_file", "mask_regions",
                                        "mask_object", "mask_alpha", "canvas",
                                        "composite", "preview",   "fit", "sheet"};
    static const char *const selects[] = {"backdrop", "alpha"};
    static const char *const fills[] = {"transparent", "solid", "edge", "mirror", "blur"};
    static const char *const fits[] = {"cover", "contain", "stretch"};
    static const char *const shapes[] = {"rect", "ellipse"};
    const json_t *colour = json_object_get(json, "colour");
    json_t *item;
    size_t i;

    *job = (struct imaging_job){
        .kind = (enum imaging_kind)WORD(json, "kind", kinds, 0),
        .picture = text(json, "picture"),
        .mask = text(json, "mask"),
        .result = text(json, "result"),
        .output = text(json, "output"),
        .output_mask = text(json, "output_mask"),
        .regions = regions,
        .invert = whole(json, "invert"),
        .grow_px = whole(json, "grow_px"),
        .feather_px = number(json, "feather_px"),
        .select = (enum imaging_select)WORD(json, "select", selects, 0),
        .target_background = whole(json, "target_background"),
        .tolerance = number(json, "tolerance"),
        .corner_px = whole(json, "corner_px"),
        .has_colour = whole(json, "has_colour"),
        .largest_only = whole(json, "largest_only"),
        .left = whole(json, "left"),
        .top = whole(json, "top"),
        .right = whole(json, "right"),
        .bottom = whole(json, "bottom"),
        .fill = (enum imaging_fill)WORD(json, "fill", fills, 0),
        .colour = {band(colour, 0), band(colour, 1), band(colour, 2), band(colour, 3)},
        .blur_px = number(json, "blur_px"),
        .width = whole(json, "width"),
        .height = whole(json, "height"),
        .fit = (enum imaging_fit)WORD(json, "fit", fits, 0),
        .pictures = pictures,
        .columns = whole(json, "columns"),
        .cell_px = whole(json, "cell_px"),
    };
    json_array_foreach(json_object_get(json, "regions"), i, item)
        if (i < LIMIT_IMAGING_REGIONS)
            regions[job->regions_count++] = (struct imaging_region){
                .shape = (enum imaging_shape)WORD(item, "shape", shapes, 0),
                .percent = whole(item, "percent"),
                .x = number(item, "x"),
                .y = number(item, "y"),
                .width = number(item, "width"),
                .height = number(item, "height"),
            };
    json_array_foreach(json_object_get(json, "pictures"), i, item)
        if (i < LIMIT_IMAGING_PICTURES)
            pictures[job->pictures_count++] = json_string_value(item);
}

static void print(json_t *line)
{
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(line);
}

static void on_done(void *ud, const struct imaging_result *result, const struct err *err)
{
    int index = (int)(intptr_t)ud;

    pending--;
    if (err)
        print(json_pack("{s:i, s:s, s:s, s:s}", "job", index, "error", err_kind_name(err->kind),
                        "field", err->field, "text", err->text));
    else
        print(json_pack("{s:i, s:i, s:i, s:b, s:I, s:i, s:i, s:b, s:i}", "job", index, "width",
                        result->width, "height", result->height, "has_alpha", result->has_alpha,
                        "masked_pixels", (json_int_t)result->masked_pixels, "source_width",
                        result->source_width, "source_height", result->source_height, "was_scaled",
                        result->was_scaled, "unreadable", result->unreadable));
}

static int threads_left(void)
{
    DIR *folder = opendir("/proc/self/task");
    int count = 0;

    while (folder && readdir(folder))
        count++;
    if (folder)
        closedir(folder);
    return count - 3; /* ".", "..", and this one */
}

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void start(struct imaging *imaging, const char *json_text, int index)
{
    struct imaging_region regions[LIMIT_IMAGING_REGIONS];
    const char *pictures[LIMIT_IMAGING_PICTURES];
    struct imaging_job job;
    struct err err;
    json_t *json = json_loads(json_text, 0, NULL);

    if (!json) {
        fprintf(stderr, "imaging_tool: no JSON: %s\n", json_text);
        exit(2);
    }
    read_job(json, &job, regions, pictures);
    pending++;
    if (imaging_run(imaging, &job, on_done, (void *)(intptr_t)index, &err))
        on_done((void *)(intptr_t)index, NULL, &err);
    json_decref(json);
}

int main(int argc, char **argv)
{
    struct mini_host host;
    struct imaging *imaging;
    struct rusage usage;
    double longest_ms = 0;
    double began_ms = now_ms();
    int stop_after = -1;
    int has_work = 1;
    long fail_after = 0;
    int turns = 0;
    int at = 2;

    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--no-work") == 0)
            has_work = 0;
        else if (strcmp(argv[at], "--stop-after") == 0 && at + 1 < argc)
            stop_after = (int)strtol(argv[++at], NULL, 10);
        else if (strcmp(argv[at], "--fail-after") == 0 && at + 1 < argc)
            fail_after = strtol(argv[++at], NULL, 10);
    }
    if (at >= argc || mini_init(&host, has_work) || imaging_new(&host.env, &imaging))
        return 2;
    if (strcmp(argv[1], "-") != 0)
        imaging_set_module(argv[1]);
    mem_fail_after(fail_after, 0);
    for (int i = at; i < argc; i++)
        start(imaging, argv[i], i - at);
    while (pending && turns < TURNS_MAX) {
        double turn_ms = now_ms();

        if (turns++ == stop_after)
            imaging_stop(imaging);
        mini_turn(&host);
        turn_ms = now_ms() - turn_ms;
        /* The first two load the module and start libvips. */
        if (turns > 2 && turn_ms > longest_ms)
            longest_ms = turn_ms;
    }
    imaging_free(imaging);
    env_done(&host.env);
    getrusage(RUSAGE_SELF, &usage);
    print(json_pack("{s:i, s:f, s:f, s:i, s:i, s:I}", "turns", turns, "longest_ms", longest_ms,
                    "ms", now_ms() - began_ms, "threads_made", (int)threads_made, "threads_left",
                    threads_left(), "peak_kib", (json_int_t)usage.ru_maxrss));
    return pending != 0;
}
