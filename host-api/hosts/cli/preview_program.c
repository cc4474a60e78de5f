/*
 * preview_program.c - agent-host-preview, which agent-host starts for each picture that it shows:
 *
 *   agent-host-preview COLUMNSxROWS WIDTHxHEIGHT FILE
 *
 * writes FILE as at most so many character cells of so many pixels for the terminal that the
 * environment describes, without a newline at the end, and exits with 0; or else writes nothing. A
 * process of its own, so that a file that its decoder trips over ends nothing else, time and memory
 * can be bounded, and nobody else loads libvips and libchafa.
 *
 * What it writes is made of decoded pixels, by libchafa: nothing in it comes from the file's bytes.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chafa.h>
#include <vips/vips.h>

#include <vips/vector.h>

#define FILE_BYTES_MAX (64 * 1024 * 1024)
#define PIXELS_MAX     (64 * 1000 * 1000)
#define SIDE_MAX       65500
#define CELLS_MAX      200
#define CELL_WIDTH_MAX 8 /* what symbols are compared at; more is not seen in so small a picture */

#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_BYTES_MAX RLIM_INFINITY /* its shadow takes up terabytes */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMORY_BYTES_MAX RLIM_INFINITY
#endif
#endif
#ifndef MEMORY_BYTES_MAX
#define MEMORY_BYTES_MAX ((rlim_t)2048 * 1024 * 1024)
#endif
#define CPU_S_MAX 10

struct grid {
    int columns;
    int rows;
    int cell_width;
    int cell_height;
};

static void limit(__rlimit_resource_t what, rlim_t most)
{
    struct rlimit r = {most, most};

    (void)setrlimit(what, &r); /* at worst there is the limit that was there */
}

static int parse_pair(const char *text, int most, int *ret_a, int *ret_b)
{
    char rest;

    if (sscanf(text, "%dx%d%c", ret_a, ret_b, &rest) != 2)
        return -1;
    return *ret_a >= 1 && *ret_a <= most && *ret_b >= 1 && *ret_b <= most ? 0 : -1;
}

static int parse_grid(char **argv, struct grid *ret_grid)
{
    struct grid g;

    if (parse_pair(argv[1], CELLS_MAX, &g.columns, &g.rows) != 0 ||
        parse_pair(argv[2], CELLS_MAX, &g.cell_width, &g.cell_height) != 0)
        return -1;
    if (g.cell_width > CELL_WIDTH_MAX) {
        g.cell_height = (g.cell_height * CELL_WIDTH_MAX + g.cell_width / 2) / g.cell_width;
        g.cell_width = CELL_WIDTH_MAX;
    }
    if (g.cell_height < 1 || g.cell_height > 4 * CELL_WIDTH_MAX)
        g.cell_height = 2 * g.cell_width;
    *ret_grid = g;
    return 0;
}

/* ---- the picture ---- */

/* Only what providers send is read: each other reader of libvips stays shut. */
static int start_vips(void)
{
    static const char *const readers[] = {"VipsForeignLoadJpeg", "VipsForeignLoadPng",
                                          "VipsForeignLoadWebp", "VipsForeignLoadNsgif",
                                          "VipsForeignLoadHeif"};
    size_t i;

    if (vips_init("agent-host-preview") != 0)
        return -1;
    vips_concurrency_set(1);
    vips_vector_set_enabled(FALSE); /* which would write machine code into a file */
    vips_cache_set_max(0);
    vips_operation_block_set("VipsForeignLoad", TRUE);
    for (i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
        vips_operation_block_set(readers[i], FALSE);
    return 0;
}

/* NULL: this is no picture, or one that is not worth its decoding. The source has the descriptor's
 * copy, the image has the source. */
static VipsImage *open_picture(const char *path)
{
    VipsSource *source = NULL;
    VipsImage *image = NULL;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
        st.st_size <= FILE_BYTES_MAX)
        source = vips_source_new_from_descriptor(fd);
    close(fd);
    if (source == NULL)
        return NULL;
    image = vips_image_new_from_source(source, "", "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                                       VIPS_FAIL_ON_ERROR, NULL);
    g_object_unref(source);
    if (image != NULL && (image->Xsize > SIDE_MAX || image->Ysize > SIDE_MAX ||
                          (int64_t)image->Xsize * image->Ysize > PIXELS_MAX)) {
        g_object_unref(image);
        image = NULL;
    }
    return image;
}

/* Puts what an operation made of *image in its place. `rc` is that operation's. */
static int take(VipsImage **image, int rc, VipsImage *made)
{
    if (rc != 0)
        return -1;
    g_object_unref(*image);
    *image = made;
    return 0;
}

/* To what fits into the grid's pixels, in 8-bit RGBA and the right way up. */
static int fit(VipsImage **image, const struct grid *g)
{
    VipsImage *made = NULL;
    int rc = vips_thumbnail_image(*image, &made, g->columns * g->cell_width, "height",
                                  g->rows * g->cell_height, "export_profile", "srgb", NULL);

    if (take(image, rc, made) != 0)
        return -1;
    rc = vips_colourspace(*image, &made, VIPS_INTERPRETATION_sRGB, NULL);
    if (take(image, rc, made) != 0)
        return -1;
    rc = vips_cast_uchar(*image, &made, NULL);
    if (take(image, rc, made) != 0)
        return -1;
    if (!vips_image_hasalpha(*image)) {
        rc = vips_addalpha(*image, &made, NULL);
        if (take(image, rc, made) != 0)
            return -1;
    }
    rc = vips_extract_band(*image, &made, 0, "n", 4, NULL);
    return take(image, rc, made);
}

/* g_malloc'ed RGBA. NULL: it cannot be read to its end. */
static guint8 *read_picture(const char *path, const struct grid *g, int *ret_width, int *ret_height)
{
    VipsImage *image = open_picture(path);
    guint8 *pixels = NULL;
    size_t bytes = 0;

    if (image == NULL)
        return NULL;
    if (fit(&image, g) == 0) {
        pixels = vips_image_write_to_memory(image, &bytes);
        *ret_width = image->Xsize;
        *ret_height = image->Ysize;
    }
    if (pixels != NULL && bytes != (size_t)*ret_width * (size_t)*ret_height * 4) {
        g_free(pixels);
        pixels = NULL;
    }
    g_object_unref(image);
    return pixels;
}

/* ---- the terminal ---- */

static ChafaPixelMode pixel_mode_of(const ChafaTermInfo *info)
{
    if (chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_BEGIN_KITTY_IMMEDIATE_IMAGE_V1))
        return CHAFA_PIXEL_MODE_KITTY;
    if (chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_BEGIN_ITERM2_IMAGE))
        return CHAFA_PIXEL_MODE_ITERM2;
    if (chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_BEGIN_SIXELS))
        return CHAFA_PIXEL_MODE_SIXELS;
    return CHAFA_PIXEL_MODE_SYMBOLS;
}

/* libchafa expects 16 million colours of whatever calls itself xterm-256color. Some that do cannot,
 * and those that can say so. */
static int is_truecolor(const ChafaTermInfo *info)
{
    const char *says = getenv("COLORTERM");

    return chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_SET_COLOR_FGBG_DIRECT) && says != NULL &&
           (strcmp(says, "truecolor") == 0 || strcmp(says, "24bit") == 0);
}

static ChafaCanvasMode canvas_mode_of(const ChafaTermInfo *info)
{
    if (is_truecolor(info))
        return CHAFA_CANVAS_MODE_TRUECOLOR;
    if (chafa_term_info_have_seq(info, CHAFA_TERM_SEQ_SET_COLOR_FGBG_256))
        return CHAFA_CANVAS_MODE_INDEXED_240;
    return CHAFA_CANVAS_MODE_INDEXED_16;
}

/* Blocks that fonts have in one width; the text console's have halves and no quarters. */
static ChafaSymbolMap *symbols_of(ChafaCanvasMode mode)
{
    ChafaSymbolMap *map = chafa_symbol_map_new();

    chafa_symbol_map_add_by_tags(map, CHAFA_SYMBOL_TAG_SPACE);
    chafa_symbol_map_add_by_tags(map, CHAFA_SYMBOL_TAG_SOLID);
    chafa_symbol_map_add_by_tags(map, CHAFA_SYMBOL_TAG_HALF);
    if (mode != CHAFA_CANVAS_MODE_INDEXED_16)
        chafa_symbol_map_add_by_tags(map, CHAFA_SYMBOL_TAG_QUAD);
    return map;
}

static ChafaCanvasConfig *configure(const ChafaTermInfo *info, const struct grid *g)
{
    ChafaCanvasConfig *config = chafa_canvas_config_new();
    ChafaCanvasMode mode = canvas_mode_of(info);
    ChafaPixelMode pixel_mode = pixel_mode_of(info);
    ChafaSymbolMap *map = symbols_of(mode);

    chafa_canvas_config_set_geometry(config, g->columns, g->rows);
    chafa_canvas_config_set_cell_geometry(config, g->cell_width, g->cell_height);
    chafa_canvas_config_set_pixel_mode(config, pixel_mode);
    chafa_canvas_config_set_canvas_mode(
        config, pixel_mode == CHAFA_PIXEL_MODE_SYMBOLS ? mode : CHAFA_CANVAS_MODE_TRUECOLOR);
    chafa_canvas_config_set_symbol_map(config, map);
    chafa_symbol_map_unref(map);
    return config;
}

/* The cells that so many pixels take, within the grid. */
static int cells(int pixels, int cell, int most)
{
    int n = (pixels + cell / 2) / cell;

    return n < 1 ? 1 : n > most ? most : n;
}

static GString *draw(const guint8 *pixels, int width, int height, struct grid g)
{
    gchar **environment = g_get_environ();
    ChafaTermInfo *info = chafa_term_db_detect(chafa_term_db_get_default(), environment);
    ChafaCanvasConfig *config;
    ChafaCanvas *canvas;
    GString *text;

    g.columns = cells(width, g.cell_width, g.columns);
    g.rows = cells(height, g.cell_height, g.rows);
    chafa_set_n_threads(1);
    config = configure(info, &g);
    canvas = chafa_canvas_new(config);
    chafa_canvas_draw_all_pixels(canvas, CHAFA_PIXEL_RGBA8_UNASSOCIATED, pixels, width, height,
                                 width * 4);
    text = chafa_canvas_print(canvas, info);
    chafa_canvas_unref(canvas);
    chafa_canvas_config_unref(config);
    chafa_term_info_unref(info);
    g_strfreev(environment);
    return text;
}

int main(int argc, char **argv)
{
    struct grid g;
    guint8 *pixels;
    GString *text;
    int width = 0;
    int height = 0;
    int rc = EXIT_FAILURE;

    if (argc != 4 || parse_grid(argv, &g) != 0) {
        fputs("agent-host-preview is for agent-host: COLUMNSxROWS WIDTHxHEIGHT FILE\n", stderr);
        return 2;
    }
    limit(RLIMIT_AS, MEMORY_BYTES_MAX);
    limit(RLIMIT_CPU, CPU_S_MAX);
    limit(RLIMIT_FSIZE, 0); /* standard output is a pipe */
    limit(RLIMIT_CORE, 0);
    if (start_vips() != 0)
        return EXIT_FAILURE;
    pixels = read_picture(argv[3], &g, &width, &height);
    if (pixels != NULL) {
        text = draw(pixels, width, height, g);
        if (fwrite(text->str, 1, text->len, stdout) == text->len && fflush(stdout) == 0)
            rc = EXIT_SUCCESS;
        g_string_free(text, TRUE);
        g_free(pixels);
    }
    vips_shutdown();
    return rc;
}
