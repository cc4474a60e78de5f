/*
 * scan.c - finds the results in a text that people would read: HTML, Markdown, a bare address, a
 * data URL, base64 alone. What is certain (a tag's source, a Markdown picture, a data URL) shuts
 * out what is only likely (an address with a picture's extension), and that shuts out a mere file
 * path.
 */
#include "providers/openai/openai.h"

#include "media/spill.h"

#include <string.h>
#include <strings.h>

#define HITS_MAX 64
#define TAG_BYTES_MAX 1024 /* how far before src= its tag may begin */

enum tier {
    TIER_CERTAIN,
    TIER_LIKELY,
    TIER_PATH,
    TIERS
};

struct hit {
    enum tier tier;
    int media; /* 'i', 'v' or 0 */
    const char *text;
    size_t len;
};

struct scan {
    const char *text;
    size_t len;
    int page;     /* a whole HTML document, with ornaments */
    int partial;  /* what touches the end may go on */
    struct hit hits[HITS_MAX];
    size_t count;
};

static int starts(const struct scan *scan, size_t at, const char *word)
{
    size_t len = strlen(word);

    return at + len <= scan->len && strncasecmp(scan->text + at, word, len) == 0;
}

static void hit(struct scan *scan, enum tier tier, int media, size_t from, size_t to)
{
    if (to <= from || (scan->partial && to >= scan->len) || scan->count >= HITS_MAX)
        return;
    scan->hits[scan->count++] =
        (struct hit){.tier = tier, .media = media, .text = scan->text + from, .len = to - from};
}

static size_t url_end(const struct scan *scan, size_t at)
{
    while (at < scan->len && (unsigned char)scan->text[at] > ' ' &&
           !strchr("\"'<>)]}\\|`", scan->text[at]))
        at++;
    return at;
}

static size_t without_stop(const struct scan *scan, size_t from, size_t to)
{
    while (to > from && strchr(".,;:!?*", scan->text[to - 1]))
        to--;
    return to;
}

static int ends_with(const struct scan *scan, size_t from, size_t to, const char *word)
{
    size_t len = strlen(word);

    return to - from >= len && strncasecmp(scan->text + to - len, word, len) == 0;
}

static size_t scan_url(struct scan *scan, size_t at)
{
    size_t raw_end = url_end(scan, at);
    size_t end = without_stop(scan, at, raw_end);
    int media = openai_url_media(scan->text + at, end - at);

    if (scan->partial && raw_end >= scan->len)
        return raw_end;
    if (ends_with(scan, at, end, "generated_video.mp4"))
        hit(scan, TIER_CERTAIN, 'v', at, end);
    else if (media)
        hit(scan, TIER_LIKELY, media, at, end);
    return raw_end > at ? raw_end : at + 1;
}

static size_t scan_data(struct scan *scan, size_t at)
{
    int media = starts(scan, at, "data:video/") ? 'v' : 'i';
    size_t end = at;

    while (end < scan->len && end - at < 100 && scan->text[end] != ',')
        end++;
    if (end >= scan->len || scan->text[end] != ',')
        return at + 5;
    for (end++; end < scan->len; end++) {
        char c = scan->text[end];

        if (!((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
              strchr("+/=-_:", c)))
            break;
    }
    hit(scan, TIER_CERTAIN, media, at, end);
    return end;
}

/* The kind of picture a tag shows, -1 for a tag of another kind. */
static int tag_media(const struct scan *scan, size_t at)
{
    size_t from = at > TAG_BYTES_MAX ? at - TAG_BYTES_MAX : 0;
    const char *open = memrchr(scan->text + from, '<', at - from);
    size_t begin;

    if (!open || memchr(open, '>', (size_t)(scan->text + at - open)))
        return -1;
    begin = (size_t)(open - scan->text);
    if (starts(scan, begin, "<video") || starts(scan, begin, "<source"))
        return 'v';
    return starts(scan, begin, "<img") ? 'i' : -1;
}

static int is_ornament(const char *text, size_t len)
{
    static const char *const words[] = {"logo",   "icon",  "avatar", "sprite",
                                        "banner", "badge", "pixel",  ".svg"};

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (json_find_word(text, len, words[i]))
            return 1;
    return 0;
}

static size_t scan_src(struct scan *scan, size_t at)
{
    int media = tag_media(scan, at);
    size_t from = at + 4;
    size_t to;
    char quote;

    while (from < scan->len && scan->text[from] == '\\')
        from++;
    if (media < 0 || from >= scan->len || (scan->text[from] != '"' && scan->text[from] != '\''))
        return at + 4;
    quote = scan->text[from++];
    for (to = from; to < scan->len && scan->text[to] != quote && scan->text[to] != '\\'; to++)
        ;
    if (to >= scan->len)
        return to;
    if (!scan->page || !is_ornament(scan->text + from, to - from))
        hit(scan, TIER_CERTAIN, media, from, to);
    return to;
}

/* "![video](address)" */
static size_t scan_markdown(struct scan *scan, size_t at)
{
    size_t close = at + 2;
    size_t end;
    int media;

    while (close < scan->len && close - at < 300 && scan->text[close] != ']')
        close++;
    if (!starts(scan, close, "]("))
        return at + 2;
    end = url_end(scan, close + 2);
    if (end >= scan->len)
        return end;
    media = openai_url_media(scan->text + close + 2, end - close - 2);
    if (!media)
        media = json_find_word(scan->text + at, close - at, "video") ? 'v' : 'i';
    if (starts(scan, close + 2, "data:") && !json_find_word(scan->text + at, close - at, "video"))
        media = starts(scan, close + 2, "data:video/") ? 'v' : 'i';
    hit(scan, TIER_CERTAIN, media, close + 2, end);
    return end;
}

static size_t scan_path(struct scan *scan, size_t at)
{
    size_t raw_end = url_end(scan, at);

    hit(scan, TIER_PATH, 0, at, without_stop(scan, at, raw_end));
    return raw_end;
}

static size_t scan_mark(struct scan *scan, size_t at)
{
    size_t end = at + strlen(SPILL_MARK);

    while (end < scan->len && scan->text[end] >= '0' && scan->text[end] <= '9')
        end++;
    hit(scan, TIER_CERTAIN, 0, at, end);
    return end;
}

static size_t scan_at(struct scan *scan, size_t at)
{
    switch (scan->text[at] | 32) {
    case 'h':
        if (starts(scan, at, "http://") || starts(scan, at, "https://"))
            return scan_url(scan, at);
        break;
    case 'd':
        if (starts(scan, at, "data:image/") || starts(scan, at, "data:video/"))
            return scan_data(scan, at);
        break;
    case 's':
        if (starts(scan, at, "src="))
            return scan_src(scan, at);
        break;
    case '!' | 32:
        if (starts(scan, at, "!["))
            return scan_markdown(scan, at);
        break;
    case '/' | 32:
        if (starts(scan, at, "/v1/files/"))
            return scan_path(scan, at);
        break;
    case 'c':
        if (starts(scan, at, SPILL_MARK))
            return scan_mark(scan, at);
        break;
    default:
        break;
    }
    return at + 1;
}

/* Of the best tier that has any of the wanted kind; a still picture is no video. */
static void take(struct openai_collect *collect, const struct scan *scan)
{
    int want = collect->video ? 'v' : 'i';
    int other = collect->video ? 'i' : 'v';

    for (size_t i = 0; collect->all && i < scan->count; i++)
        if (scan->hits[i].tier != TIER_PATH)
            openai_take_url(collect, scan->hits[i].text, scan->hits[i].len, NULL);
    if (collect->all)
        return;
    for (int tier = 0; tier < TIERS && !collect->out->results_count; tier++)
        for (int pass = 0; pass < (collect->video ? 1 : 2) && !collect->out->results_count; pass++)
            for (size_t i = 0; i < scan->count; i++) {
                const struct hit *one = &scan->hits[i];

                if ((int)one->tier != tier ||
                    (pass == 0 ? one->media == other : one->media == want))
                    continue;
                openai_take_url(collect, one->text, one->len, NULL);
            }
}

void openai_collect_text(struct openai_collect *collect, const char *text, size_t len)
{
    struct scan scan = {.text = text, .len = len};
    size_t at = 0;

    if (len < 8)
        return;
    scan.partial = collect->turn->reply->outcome != HTTP_ANSWERED;
    scan.page = json_find_word(text, len < 1000 ? len : 1000, "<html") != NULL ||
                json_find_word(text, len < 1000 ? len : 1000, "<!doctype") != NULL;
    while (at < len)
        at = scan_at(&scan, at);
    take(collect, &scan);
}
