/*
 * What ChatArt's models take and cost, written down a second time on purpose: the plugin reads its
 * catalogue, the simulator judges by this table, and a difference shows.
 */
#include "sim_chatart.h"

#include <string.h>

struct video_model {
    const char *name;
    unsigned modes;
    const char *ratios;     /* "|9:16|…|" for text; NULL: takes none */
    unsigned ratio_modes;   /* modes in which a ratio may be sent */
    const char *qualities;  /* credits for five seconds: "|480p=60|…|" */
    const char *no_extend;  /* qualities extend does not take */
    int64_t seconds_max;
};

#define FIVE "|9:16|3:4|1:1|4:3|16:9|"
#define TFO  (CHATART_TEXT | CHATART_FRAMES | CHATART_OMNI)

static const struct video_model video_models[] = {
    {"seedance-2.0", TFO | CHATART_EXTEND, FIVE, TFO, "|480p=60|720p=90|1080p=120|", "|1080p|", 15},
    {"seedance-2.0-fast", TFO | CHATART_EXTEND, FIVE, TFO, "|480p=30|720p=60|", "", 15},
    {"seedance-2.0-mini", TFO, FIVE "21:9|", TFO, "|480p=40|720p=60|", "", 15},
    {"seedance-1.5-pro", CHATART_TEXT | CHATART_SINGLE, FIVE, CHATART_TEXT,
     "|480p=32|720p=48|1080p=64|", "", 10},
    {"kling-3-0", CHATART_TEXT | CHATART_SINGLE | CHATART_FRAMES | CHATART_EXTEND,
     "|9:16|1:1|16:9|", CHATART_TEXT, "|720p=40|1080p=60|4k=200|", "|4k|", 15},
    {"happy-horse-1-0", CHATART_TEXT | CHATART_OMNI, FIVE, CHATART_TEXT, "|720p=48|1080p=72|", "",
     10},
    {"pix-verse-6", CHATART_EXTEND, NULL, 0, "|360p=20|540p=25|720p=30|1080p=50|", "", 15},
};

static bool listed(const char *list, const char *word)
{
    char marked[32];
    if (!word || strlen(word) + 3 > sizeof marked || strpbrk(word, "|="))
        return false;
    marked[0] = '|';
    sim_copy_text(marked + 1, sizeof marked - 2, word);
    strncat(marked, "|", 2);
    return strstr(list, marked) != NULL;
}

/* The number behind "|word=" in a list; -1 without. */
static int64_t priced(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = list; (p = strchr(p, '|')) != NULL && p[1]; p++) {
        if (strncmp(p + 1, word, len) == 0 && p[1 + len] == '=') {
            int64_t n = 0;
            for (const char *d = p + len + 2; *d >= '0' && *d <= '9'; d++)
                n = n * 10 + (*d - '0');
            return n;
        }
    }
    return -1;
}

int64_t chatart_price_video(const char *model, unsigned mode, const char *quality, int64_t seconds,
                            const char *ratio)
{
    for (size_t i = 0; i < sizeof video_models / sizeof video_models[0]; i++) {
        const struct video_model *m = &video_models[i];
        if (strcmp(m->name, model) != 0)
            continue;
        int64_t five = priced(m->qualities, quality);
        if (!(m->modes & mode) || five < 0 || seconds > m->seconds_max || seconds < 5 ||
            seconds % 5 != 0 || (mode == CHATART_EXTEND && listed(m->no_extend, quality)))
            return -1;
        if (ratio && (!(m->ratio_modes & mode) || !m->ratios || !listed(m->ratios, ratio)))
            return -1;
        return five * seconds / 5;
    }
    return -1;
}

int64_t chatart_price_replace(const char *model, const char *mode, const char *quality,
                              int64_t seconds)
{
    bool animate = strcmp(mode, "animate") == 0, replace = strcmp(mode, "replace") == 0;
    int64_t a_second = -1;

    if (strcmp(model, "kling-animate") == 0 && animate)
        a_second = priced("|480p=12|720p=18|", quality);
    else if (strcmp(model, "wan-2.2") == 0 && (animate || replace))
        a_second = priced("|480p=6|720p=12|", quality);
    return a_second < 0 || seconds < 1 ? -1 : a_second * seconds;
}

struct image_model {
    const char *name;
    int64_t scale_max;
    const char *prices; /* by definition, or by quality and definition */
};

static const struct image_model image_models[] = {
    {"gpt-image-2", 9, "|low1=6|low2=8|low3=10|medium1=20|medium2=30|medium3=50|high1=70|"
                       "high2=100|high3=180|"},
    {"nano-banana-2", 7, "|2=6|3=10|"},
    {"nano-banana-pro", 7, "|2=10|3=16|"},
    {"seedream-5.0-lite", 7, "|2=6|4=10|"},
};

int64_t chatart_price_image(const char *model, int64_t definition, const char *quality,
                            int64_t scale)
{
    char word[16] = "";

    if (definition < 1 || definition > 4 || (quality && strlen(quality) > 8))
        return -1;
    for (size_t i = 0; i < sizeof image_models / sizeof image_models[0]; i++) {
        const struct image_model *m = &image_models[i];
        if (strcmp(m->name, model) != 0)
            continue;
        if (scale < 1 || scale > m->scale_max)
            return -1;
        sim_copy_text(word, sizeof word, quality ? quality : "");
        size_t len = strlen(word);
        word[len] = (char)('0' + definition);
        word[len + 1] = '\0';
        return priced(m->prices, word);
    }
    return -1;
}
