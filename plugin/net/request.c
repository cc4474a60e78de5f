/*
 * request.c - the call's own copy of a request and of its peer, and the header list of each hop.
 *
 * Which headers go along: to an origin of the peer, all, with secrets put in. To another origin
 * that the request itself names (an upload address), all but those that refer to a secret. To
 * another origin that a redirect names, only Accept and Range. Copies of secrets are wiped before
 * they are freed; libcurl keeps none past the transfer but in its own buffers.
 */
#include "net/inner.h"

#include <string.h>
#include <strings.h>

static int is_token(const char *text)
{
    return text && *text &&
           strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(text);
}

/* Anything that could end a header line early. */
static int is_one_line(const char *text)
{
    for (; *text; text++)
        if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
            return 0;
    return 1;
}

static int check_body(const struct http_request *request, struct err *err)
{
    int bodies =
        (request->body != NULL) + (request->body_path != NULL) + (request->parts_count > 0);

    if (bodies > 1)
        return err_field(err, "body", "a request has one body");
    if (bodies && strcmp(request->method, "HEAD") == 0)
        return err_field(err, "body", "HEAD has no body");
    if (request->parts_count > LIMIT_PARTS)
        return err_set(err, ERR_LIMIT, "more than %d parts in a request", LIMIT_PARTS);
    for (size_t i = 0; i < request->parts_count; i++) {
        const struct http_part *part = &request->parts[i];

        if (!part->name || !part->text == !part->path ||
            (part->path && !part->filename && !request->parts_joined))
            return err_field(err, "parts",
                             "a part has a name and a text, or a path and a filename");
    }
    return 0;
}

static int check_request(const struct http_request *request, struct err *err)
{
    if (!is_token(request->method) || strlen(request->method) > 16)
        return err_field(err, "method", "not an HTTP method");
    if (!request->url || !*request->url)
        return err_field(err, "url", "a request needs a URL");
    if (strlen(request->url) > LIMIT_URL)
        return err_set(err, ERR_LIMIT, "a URL longer than %d bytes", LIMIT_URL);
    if (request->headers_count > LIMIT_HEADERS)
        return err_set(err, ERR_LIMIT, "more than %d headers in a request", LIMIT_HEADERS);
    for (size_t i = 0; i < request->headers_count; i++)
        if (!is_token(request->headers[i].name) || !request->headers[i].value ||
            !is_one_line(request->headers[i].value))
            return err_field(err, "headers", "header %zu is not well-formed", i + 1);
    return check_body(request, err);
}

static void copy_texts(struct net_call *call, const struct http_request *from)
{
    struct arena *arena = &call->arena;
    struct http_request *to = call->request;

    to->method = arena_text(arena, from->method);
    to->url = NULL; /* call->target has it */
    to->body_path = arena_text(arena, from->body_path);
    to->secret_prefix = arena_text(arena, from->secret_prefix);
    to->crc64_header = arena_text(arena, from->crc64_header);
    if (from->body)
        to->body = arena_text_n(arena, from->body, from->body_len);
    for (size_t i = 0; i < from->headers_count; i++) {
        to->headers[i].name = arena_text(arena, from->headers[i].name);
        to->headers[i].value = arena_text(arena, from->headers[i].value);
    }
    for (size_t i = 0; i < from->parts_count; i++) {
        to->parts[i].name = arena_text(arena, from->parts[i].name);
        to->parts[i].text = arena_text(arena, from->parts[i].text);
        to->parts[i].path = arena_text(arena, from->parts[i].path);
        to->parts[i].filename = arena_text(arena, from->parts[i].filename);
        to->parts[i].mime = arena_text(arena, from->parts[i].mime);
        to->parts[i].secret = from->parts[i].secret;
    }
}

static int copy_hosts(struct net_call *call, const struct http_request *from)
{
    const char **hosts = arena_alloc(&call->arena, (from->hosts_count + 1) * sizeof(*hosts));

    for (size_t i = 0; hosts && i < from->hosts_count; i++)
        hosts[i] = arena_text(&call->arena, from->hosts[i]);
    call->request->hosts = hosts;
    return hosts ? 0 : -1;
}

static int copy_secrets(struct net_call *call, const struct net_peer *peer, struct err *err)
{
    if (peer->secrets_count == 0)
        return 0;
    call->secrets = arena_alloc(&call->arena, peer->secrets_count * sizeof(*call->secrets));
    if (!call->secrets)
        return err_nomem(err);
    for (size_t i = 0; i < peer->secrets_count; i++) {
        const struct net_secret *from = &peer->secrets[i];

        if (!is_one_line(from->value))
            return err_field(err, "secrets", "the value of %s has a control character", from->name);
        call->secrets[i].name = arena_text(&call->arena, from->name);
        call->secrets[i].value = mem_text(from->value);
        if (!call->secrets[i].value)
            return err_nomem(err);
        call->secrets_count++;
    }
    return 0;
}

static int copy_peer(struct net_call *call, const struct net_peer *peer, struct err *err)
{
    struct arena *arena = &call->arena;

    if (peer->origins_count > 0)
        call->origins = arena_alloc(arena, peer->origins_count * sizeof(*call->origins));
    if (peer->allowed_hosts_count > 0)
        call->allowed_hosts =
            arena_alloc(arena, peer->allowed_hosts_count * sizeof(*call->allowed_hosts));
    if (arena->failed)
        return err_nomem(err);
    for (size_t i = 0; i < peer->origins_count; i++) {
        struct target target;
        enum target_fault fault = target_parse(peer->origins[i], &target);

        if (fault == TARGET_NOMEM)
            return err_nomem(err);
        if (fault)
            return err_field(err, "origins", "an origin of the provider is not an http(s) URL");
        call->origins[call->origins_count++] = arena_text(arena, target.origin);
        target_done(&target);
    }
    for (size_t i = 0; i < peer->allowed_hosts_count; i++)
        call->allowed_hosts[call->allowed_hosts_count++] =
            arena_text(arena, peer->allowed_hosts[i]);
    return arena->failed ? err_nomem(err) : copy_secrets(call, peer, err);
}

int request_copy(struct net_call *call, const struct http_request *request,
                 const struct net_peer *peer, struct err *err)
{
    if (check_request(request, err))
        return -1;
    call->request = arena_alloc(&call->arena, sizeof(*call->request));
    if (!call->request)
        return err_nomem(err);
    *call->request = *request;
    copy_texts(call, request);
    if (copy_hosts(call, request) || call->arena.failed)
        return err_nomem(err);
    if (peer && copy_peer(call, peer, err))
        return -1;
    return body_open(call, err);
}

void request_done(struct net_call *call)
{
    body_close(call);
    for (size_t i = 0; i < call->secrets_count; i++)
        mem_free_secret((char *)(uintptr_t)call->secrets[i].value);
    call->secrets_count = 0;
    target_done(&call->target);
    arena_done(&call->arena);
}

int request_is_own(const struct net_call *call, const char *origin)
{
    for (size_t i = 0; i < call->origins_count; i++)
        if (strcmp(call->origins[i], origin) == 0)
            return 1;
    return 0;
}

int request_may_private(const struct net_call *call, const struct target *target)
{
    if (request_is_own(call, target->origin))
        return 1;
    for (size_t i = 0; i < call->allowed_hosts_count; i++)
        if (strcasecmp(call->allowed_hosts[i], target->host) == 0)
            return 1;
    return 0;
}

int request_may_go(const struct net_call *call, const struct target *target)
{
    size_t len = strlen(target->host);

    for (size_t i = 0; i < call->request->hosts_count; i++) {
        const char *host = call->request->hosts[i];
        size_t part = strlen(host);

        if (strcasecmp(host, target->host) == 0 ||
            (*host == '.' && len > part && strcasecmp(host, target->host + len - part) == 0))
            return 1;
    }
    return call->request->hosts_count == 0;
}

/* ---- header lines ---- */

static const char *secret_value(const struct net_call *call, const char *name, size_t len)
{
    for (size_t i = 0; i < call->secrets_count; i++)
        if (strlen(call->secrets[i].name) == len && memcmp(call->secrets[i].name, name, len) == 0)
            return call->secrets[i].value;
    return NULL;
}

/* The next "{{name}}" at or after `at`: where it begins, and its name. NULL: none. */
static const char *find_reference(const char *at, const char **ret_name, size_t *ret_len)
{
    const char *from = strstr(at, "{{");
    const char *to = from ? strstr(from, "}}") : NULL;

    if (!to)
        return NULL;
    *ret_name = from + 2;
    *ret_len = (size_t)(to - from) - 2;
    return from;
}

/* Every reference in `text` has a value, and one of the kind that this request may carry. */
static int check_references(const struct net_call *call, const char *text, const char *field,
                            struct err *err)
{
    const char *prefix = call->request->secret_prefix;
    const char *name;
    size_t len;

    while ((text = find_reference(text, &name, &len))) {
        const char *value = secret_value(call, name, len);

        if (!value)
            return err_field(err, field, "there is no value for {{%.*s}}",
                             (int)(len < 64 ? len : 64), name);
        if (prefix && strncmp(value, prefix, strlen(prefix)) != 0)
            return err_set(err, ERR_REFUSED,
                           "the key is of another service's kind: nothing was sent");
        text = name + len + 2;
    }
    return 0;
}

/* At home every reference must have its value: without it the request makes no sense. */
int request_check_secrets(const struct net_call *call, struct err *err)
{
    const struct http_request *request = call->request;
    int is_own = request_is_own(call, call->target.origin);

    for (size_t i = 0; i < request->parts_count; i++) {
        if (request->parts[i].secret && !is_own)
            return err_field(err, "parts", "a secret in a form goes to its own service only");
        if (request->parts[i].secret &&
            check_references(call, request->parts[i].text, "parts", err))
            return -1;
    }
    for (size_t i = 0; is_own && i < request->headers_count; i++)
        if (check_references(call, request->headers[i].value, "headers", err))
            return -1;
    return 0;
}

const char *request_part_text(struct hop *hop, const struct http_part *part)
{
    const char *name;
    size_t len;

    if (!part->secret)
        return part->text;
    /* A redirect may have led elsewhere since the check. */
    if (!request_is_own(hop->call, hop->call->target.origin) ||
        !find_reference(part->text, &name, &len))
        return NULL;
    hop->has_secret = 1;
    return secret_value(hop->call, name, len);
}

/* Adds value with its references resolved. 0; 1: a name without a value; -1: no memory. */
static int add_value(struct hop *hop, struct buf *line, const char *value)
{
    const char *name;
    const char *from;
    size_t len;

    while ((from = find_reference(value, &name, &len))) {
        const char *secret = secret_value(hop->call, name, len);

        if (!secret)
            return 1;
        if (buf_add(line, value, (size_t)(from - value)) || buf_text(line, secret))
            return -1;
        hop->has_secret = 1;
        value = name + len + 2;
    }
    return buf_text(line, value) ? -1 : 0;
}

static int append(struct hop *hop, const char *line)
{
    struct curl_slist *longer = curl_slist_append(hop->headers, line);

    if (!longer)
        return -1;
    hop->headers = longer;
    return 0;
}

static int add_header(struct hop *hop, const struct http_header *header, int is_own)
{
    const char *name;
    struct buf line;
    size_t len;
    int rc = 0;

    if (!is_own && find_reference(header->value, &name, &len))
        return 0;
    if (hop->call->is_abroad && strcasecmp(header->name, "Accept") != 0 &&
        strcasecmp(header->name, "Range") != 0)
        return 0;
    buf_init(&line, LIMIT_HEADER_BYTES);
    if (*header->value == '\0')
        rc = buf_format(&line, "%s;", header->name); /* libcurl's way to say "empty" */
    else if (buf_format(&line, "%s: ", header->name))
        rc = -1;
    else
        rc = add_value(hop, &line, header->value);
    if (rc == 0)
        rc = append(hop, line.data);
    if (line.data)
        explicit_bzero(line.data, line.len);
    buf_done(&line);
    return rc < 0 ? -1 : 0;
}

int request_headers(struct hop *hop)
{
    const struct net_call *call = hop->call;
    const struct http_request *request = call->request;
    int is_own = request_is_own(call, call->target.origin);
    int has_type = 0;

    for (size_t i = 0; i < request->headers_count; i++) {
        if (add_header(hop, &request->headers[i], is_own))
            return -1;
        has_type |= strcasecmp(request->headers[i].name, "Content-Type") == 0;
    }
    /* No waiting for "100 Continue"; and no type that libcurl makes up for a text. */
    if (append(hop, "Expect:") ||
        (!has_type && !request->parts_count && append(hop, "Content-Type:")))
        return -1;
    return 0;
}

void request_wipe(struct curl_slist *list)
{
    for (struct curl_slist *item = list; item; item = item->next)
        explicit_bzero(item->data, strlen(item->data));
    curl_slist_free_all(list);
}
