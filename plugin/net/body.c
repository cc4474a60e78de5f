/*
 * body.c - request bodies. Text lies in the call's arena and is sent from there. Files are opened
 * when the exchange is accepted, so that what was checked is what is sent whatever happens to the
 * name afterwards, and read in libcurl's buffers: constant memory for any size. A file that has
 * become shorter ends the exchange; what was added to it is not sent.
 *
 * Reading a local file blocks for as long as the disk takes, as every read of a file does.
 */
#include "net/inner.h"

#include "base/crc64.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UPLOAD_BUFFER_BYTES (256L * 1024)

static int open_file(struct body_file *file, const char *path, struct err *err)
{
    /* NONBLOCK: opening a pipe must not wait; it is then refused for not being a file. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat info;

    if (fd < 0)
        return err_set(err, ERR_IO, "cannot read %s: %s", path, strerror(errno));
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(fd);
        return err_set(err, ERR_IO, "%s is not a file", path);
    }
    file->fd = fd;
    file->size = (uint64_t)info.st_size;
    return 0;
}

int body_open(struct net_call *call, struct err *err)
{
    const struct http_request *request = call->request;
    size_t wanted = request->body_path ? 1 : 0;

    for (size_t i = 0; i < request->parts_count; i++)
        wanted += request->parts[i].path != NULL;
    if (wanted == 0)
        return 0;
    call->files = arena_alloc(&call->arena, wanted * sizeof(*call->files));
    if (!call->files)
        return err_nomem(err);
    if (request->body_path) {
        call->files[0].call = call;
        if (open_file(&call->files[0], request->body_path, err))
            return -1;
        call->files_count = 1;
    }
    for (size_t i = 0; i < request->parts_count; i++) {
        struct body_file *file = &call->files[call->files_count];

        if (!request->parts[i].path)
            continue;
        file->call = call;
        file->part = &request->parts[i];
        if (open_file(file, request->parts[i].path, err))
            return -1;
        call->files_count++;
    }
    return 0;
}

void body_close(struct net_call *call)
{
    for (size_t i = 0; i < call->files_count; i++)
        close(call->files[i].fd);
    call->files_count = 0;
}

static size_t on_read(char *into, size_t size, size_t count, void *ud)
{
    struct body_file *file = ud;
    struct net_call *call = file->call;
    uint64_t left = file->size - file->at;
    size_t want = size * count;
    ssize_t got;

    if (want > left)
        want = (size_t)left;
    if (want == 0)
        return 0;
    got = pread(file->fd, into, want, (off_t)file->at);
    if (got <= 0) {
        net_hop_verdict(call->hop, HTTP_LOST, "a file changed while it was being sent");
        return CURL_READFUNC_ABORT;
    }
    /* A body that is sent once more is the same again; only what is new is added. */
    if (call->request->crc64_header && file->at <= call->crc64_at &&
        call->crc64_at < file->at + (uint64_t)got) {
        size_t known = (size_t)(call->crc64_at - file->at);

        call->crc64 = crc64_add(call->crc64, into + known, (size_t)got - known);
        call->crc64_at = file->at + (uint64_t)got;
    }
    file->at += (uint64_t)got;
    return (size_t)got;
}

static int on_seek(void *ud, curl_off_t offset, int origin)
{
    struct body_file *file = ud;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > file->size)
        return CURL_SEEKFUNC_FAIL;
    file->at = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

#define SET(option, value) (void)(code = code ? code : curl_easy_setopt(easy, option, value))

static CURLcode apply_text(const struct http_request *request, CURL *easy)
{
    CURLcode code = CURLE_OK;

    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
    SET(CURLOPT_POSTFIELDS, request->body ? request->body : "");
    return code;
}

static CURLcode apply_file(struct body_file *file, CURL *easy)
{
    CURLcode code = CURLE_OK;

    file->at = 0;
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)file->size);
    SET(CURLOPT_READFUNCTION, on_read);
    SET(CURLOPT_READDATA, file);
    SET(CURLOPT_SEEKFUNCTION, on_seek);
    SET(CURLOPT_SEEKDATA, file);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER_BYTES);
    return code;
}

static CURLcode add_part(struct hop *hop, const struct http_part *part, struct body_file *file)
{
    curl_mimepart *to = curl_mime_addpart(hop->mime);
    const char *text = file ? NULL : request_part_text(hop, part);
    CURLcode code;

    if (!to || (!file && !text))
        return CURLE_OUT_OF_MEMORY;
    code = curl_mime_name(to, part->name);
    if (code || !file)
        return code ? code : curl_mime_data(to, text, CURL_ZERO_TERMINATED);
    file->at = 0;
    code = curl_mime_data_cb(to, (curl_off_t)file->size, on_read, on_seek, NULL, file);
    if (!code)
        code = curl_mime_filename(to, part->filename);
    if (!code)
        code = curl_mime_type(to, part->mime ? part->mime : "application/octet-stream");
    return code;
}

static CURLcode apply_parts(struct hop *hop, CURL *easy)
{
    const struct net_call *call = hop->call;
    size_t files = 0;
    CURLcode code = CURLE_OK;

    hop->mime = curl_mime_init(easy);
    if (!hop->mime)
        return CURLE_OUT_OF_MEMORY;
    for (size_t i = 0; i < call->request->parts_count && !code; i++) {
        const struct http_part *part = &call->request->parts[i];

        code = add_part(hop, part, part->path ? &call->files[files++] : NULL);
    }
    SET(CURLOPT_MIMEPOST, hop->mime);
    SET(CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER_BYTES);
    return code;
}

int body_apply(struct hop *hop)
{
    const struct http_request *request = hop->call->request;
    const char *method = request->method;

    if (request->parts_count && request->parts_joined)
        return joined_apply(hop) ? -1 : 0;
    if (request->parts_count)
        return apply_parts(hop, hop->easy) ? -1 : 0;
    if (request->body_path)
        return apply_file(&hop->call->files[0], hop->easy) ? -1 : 0;
    /* These have a body even when it is empty, and servers want its length said. */
    if (request->body || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
        strcmp(method, "PATCH") == 0)
        return apply_text(request, hop->easy) ? -1 : 0;
    return 0;
}
