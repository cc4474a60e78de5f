/*
 * Sniffing and probing: the input is a file. Whatever it holds, the answer is a clear error or
 * facts that can be true, and what the first bytes say and what the whole file says do not
 * contradict.
 */
#include "fuzz.h"

#include "media/media.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void check_facts(const struct media_facts *facts)
{
    FUZZ_CHECK(facts->kind != MEDIA_UNKNOWN && facts->mime && facts->extension);
    FUZZ_CHECK(facts->duration_ms >= 0);
    FUZZ_CHECK(facts->width < 1u << 24 && facts->height < 1u << 24);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1; /* one for all inputs: making one is slower than the probe */
    struct media_facts sniffed;
    struct media_facts facts;
    struct err err = {0};
    size_t start_len = size < MEDIA_SNIFF_BYTES ? size : MEDIA_SNIFF_BYTES;
    uint8_t *start = malloc(start_len + (start_len == 0));
    int rc;

    FUZZ_CHECK(start != NULL);
    if (start_len)
        memcpy(start, data, start_len);
    rc = media_sniff(start, start_len, &sniffed);
    free(start);
    if (rc == 0)
        check_facts(&sniffed);
    if (fd < 0)
        fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
    FUZZ_CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
    if (media_probe(fd, &facts, &err)) {
        FUZZ_CHECK(err.kind == ERR_ANSWER && err.text[0]);
        return 0;
    }
    FUZZ_CHECK(rc == 0);
    check_facts(&facts);
    FUZZ_CHECK(facts.bytes == size);
    FUZZ_CHECK(facts.kind == sniffed.kind ||
               (facts.kind == MEDIA_AUDIO && sniffed.kind == MEDIA_VIDEO));
    if (facts.kind == MEDIA_IMAGE)
        FUZZ_CHECK(facts.width && facts.height);
    return 0;
}
