/*
 * request.c - the bytes of what is sent. A body is JSON; with local pictures it is a form, or JSON
 * whose data URLs are put in while sending (http.h, parts_joined). Our own headers are the
 * account's, which carry the key by reference.
 */
#include "providers/openai/openai.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void add_header(struct http_request *request, const char *name, const char *value)
{
    for (size_t i = 0; i < request->headers_count; i++)
        if (strcasecmp(request->headers[i].name, name) == 0)
            return; /* the account's own word wins */
    if (request->headers_count < LIMIT_HEADERS)
        request->headers[request->headers_count++] =
            (struct http_header){.name = name, .value = value};
}

/* With `json`: our own Content-Type even where the account has another. */
static int start(const struct provider_turn *turn, struct http_request *request, int own_type,
                 struct err *err)
{
    const struct provider_account *account = turn->account;

    if (account->headers_count + 2 > LIMIT_HEADERS)
        return err_set(err, ERR_CONFIG, "provider %s has more than %d headers", account->id,
                       LIMIT_HEADERS - 2);
    for (size_t i = 0; i < account->headers_count; i++)
        if (!own_type || strcasecmp(account->headers[i].name, "Content-Type") != 0)
            request->headers[request->headers_count++] = account->headers[i];
    add_header(request, "Accept", "application/json");
    request->answer = HTTP_ANSWER_MEDIA;
    return 0;
}

static const char *extension(const char *mime)
{
    static const char *const known[][2] = {
        {"image/png", "png"},  {"image/jpeg", "jpg"}, {"image/webp", "webp"},
        {"image/gif", "gif"},  {"video/mp4", "mp4"},  {"video/webm", "webm"},
        {"video/quicktime", "mov"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strcasecmp(mime, known[i][0]) == 0)
            return known[i][1];
    return "bin";
}

static int add_part(struct http_request *request, const struct http_part *part, struct err *err)
{
    if (request->parts_count >= LIMIT_PARTS)
        return err_set(err, ERR_LIMIT, "the form has more than %d parts", LIMIT_PARTS);
    request->parts[request->parts_count++] = *part;
    return 0;
}

static int add_file(struct provider_turn *turn, struct http_request *request, const char *name,
                    const json_t *input, struct err *err)
{
    const char *mime = json_text(input, "mime");
    struct http_part part = {.name = arena_text(turn->arena, name),
                             .path = arena_text(turn->arena, json_text(input, "path"))};

    part.mime = arena_text(turn->arena, *mime ? mime : "application/octet-stream");
    part.filename = arena_format(turn->arena, "%s%zu.%s", json_text(input, "role"),
                                 request->parts_count, extension(mime));
    return turn->arena->failed ? err_nomem(err) : add_part(request, &part, err);
}

static int into_buf(const char *data, size_t len, void *ud)
{
    return buf_add(ud, data, len) ? -1 : 0;
}

/* The text lives in the turn's arena. */
static char *dump(struct provider_turn *turn, const json_t *value, struct err *err)
{
    struct buf buf;
    char *text = NULL;

    buf_init(&buf, LIMIT_ARGS_BYTES);
    if (json_dump_callback(value, into_buf, &buf, JSON_COMPACT | JSON_ENCODE_ANY) == 0)
        text = arena_text_n(turn->arena, buf.data ? buf.data : "", buf.len);
    if (!text && buf.len > buf.max / 2)
        err_set(err, ERR_LIMIT, "the request is larger than %u bytes", LIMIT_ARGS_BYTES);
    else if (!text)
        err_nomem(err);
    buf_done(&buf);
    return text;
}

/* One value of the body as a text part: texts as they are, other scalars in JSON's words. */
static int add_field(struct provider_turn *turn, struct http_request *request, const char *name,
                     const json_t *value, struct err *err)
{
    struct http_part part = {.name = arena_text(turn->arena, name)};

    if (json_is_null(value))
        return 0;
    if (json_is_string(value)) {
        part.text = arena_text(turn->arena, json_string_value(value));
    } else {
        part.text = dump(turn, value, err);
        if (!part.text)
            return -1;
    }
    return turn->arena->failed ? err_nomem(err) : add_part(request, &part, err);
}

/* Lists become name[], objects name[key]; what is deeper stays JSON. */
static int add_fields(struct provider_turn *turn, struct http_request *request, const json_t *body,
                      struct err *err)
{
    const char *name;
    const char *key;
    json_t *value;
    json_t *inner;
    size_t index;
    char *full;

    json_object_foreach((json_t *)body, name, value) {
        if (json_is_array(value)) {
            full = arena_format(turn->arena, "%s[]", name);
            if (!full)
                return err_nomem(err);
            json_array_foreach(value, index, inner)
                if (add_field(turn, request, full, inner, err))
                    return -1;
        } else if (json_is_object(value)) {
            json_object_foreach(value, key, inner) {
                full = arena_format(turn->arena, "%s[%s]", name, key);
                if (!full)
                    return err_nomem(err);
                if (add_field(turn, request, full, inner, err))
                    return -1;
            }
        } else if (add_field(turn, request, name, value, err)) {
            return -1;
        }
    }
    return 0;
}

static int is_local(const json_t *input)
{
    return *json_text(input, "path") != '\0';
}

static int any_local(const json_t *inputs)
{
    size_t index;
    json_t *input;

    json_array_foreach((json_t *)inputs, index, input)
        if (is_local(input))
            return 1;
    return 0;
}

static int all_local(const json_t *inputs)
{
    size_t index;
    json_t *input;

    json_array_foreach((json_t *)inputs, index, input)
        if (!is_local(input))
            return 0;
    return 1;
}

/* The field that an input goes into, in a form or in JSON. */
static const char *field_of(const json_t *request, const json_t *input, int form)
{
    const json_t *wire = json_object_get(request, "wire");
    const char *role = json_text(input, "role");

    if (strcmp(role, "mask") == 0)
        return "mask";
    if (strcmp(json_text(request, "kind"), "image") == 0)
        return form ? "image" : json_text(wire, "references_field");
    return json_text(wire, strcmp(role, "first") == 0  ? "first"
                             : strcmp(role, "last") == 0 ? "last"
                                                         : "references");
}

static size_t count_of(const json_t *request, const char *field, int form)
{
    size_t count = 0;
    size_t index;
    json_t *input;

    json_array_foreach(json_object_get(request, "inputs"), index, input)
        count += strcmp(field_of(request, input, form), field) == 0;
    return count;
}

static int form_body(struct provider_turn *turn, struct http_request *request, struct err *err)
{
    const char *shape = json_text(json_object_get(turn->request, "wire"), "shape");
    size_t index;
    json_t *input;

    if (add_fields(turn, request, json_object_get(turn->request, "body"), err))
        return -1;
    json_array_foreach(json_object_get(turn->request, "inputs"), index, input) {
        const char *field = field_of(turn->request, input, 1);
        const char *list = count_of(turn->request, field, 1) > 1 ? "[]" : "";
        const char *open = *shape && strcmp(shape, "string") != 0 ? "[" : "";
        char *name = is_local(input)
                         ? arena_format(turn->arena, "%s%s", field, list)
                         : arena_format(turn->arena, "%s%s%s%s%s", field, list, open,
                                        *open ? shape : "", *open ? "]" : "");

        if (!name)
            return err_nomem(err);
        if (is_local(input) ? add_file(turn, request, name, input, err)
                            : add_field(turn, request, name, json_object_get(input, "url"), err))
            return -1;
    }
    return 0;
}

/* A word that is nowhere in the body: what stands for a file's data until it is cut out again. */
static int find_token(struct provider_turn *turn, char *ret_token, size_t size, struct err *err)
{
    char *text = dump(turn, turn->request, err);

    if (!text)
        return -1;
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(ret_token, size, "local-file-%u-", i);
        if (!strstr(text, ret_token))
            return 0;
    }
    return err_set(err, ERR_INVALID, "the prompt cannot be sent");
}

static json_t *shaped(const char *shape, json_t *value)
{
    if (!*shape || strcmp(shape, "string") == 0 || strcmp(shape, "first") == 0)
        return value;
    return json_pack("{s:o}", shape, value);
}

/* The body with its inputs in it; new, or NULL without memory. */
static json_t *body_with_inputs(struct provider_turn *turn, const char *token)
{
    const json_t *wire = json_object_get(turn->request, "wire");
    int image = strcmp(json_text(turn->request, "kind"), "image") == 0;
    const char *shape = json_text(wire, image ? "references_shape" : "shape");
    json_t *body = json_whole_copy(json_object_get(turn->request, "body"));
    int failed = !body;
    size_t index;
    json_t *input;

    json_array_foreach(json_object_get(turn->request, "inputs"), index, input) {
        const char *field = field_of(turn->request, input, 0);
        const char *role = json_text(input, "role");
        int list = (image && strcmp(role, "mask") != 0 && strcmp(shape, "first") != 0) ||
                   (!image && strcmp(role, "reference") == 0 &&
                    strcmp(field, json_text(wire, "first")) != 0) ||
                   (!image && count_of(turn->request, field, 0) > 1);
        json_t *value = shaped(shape, is_local(input)
                                          ? json_sprintf("%s%zu.", token, index)
                                          : json_string(json_text(input, "url")));

        if (list && !json_is_array(json_object_get(body, field)))
            failed |= json_object_set_new(body, field, json_array());
        if (list)
            failed |= json_array_append_new(json_object_get(body, field), value);
        else if (json_object_get(body, field) && strcmp(shape, "first") == 0)
            json_decref(value);
        else
            failed |= json_object_set_new(body, field, value);
    }
    if (!failed)
        return body;
    json_decref(body);
    return NULL;
}

/* The dumped body, cut at each token into texts and files. */
static int join_parts(struct provider_turn *turn, struct http_request *request, char *text,
                      const char *token, struct err *err)
{
    const json_t *inputs = json_object_get(turn->request, "inputs");
    size_t token_len = strlen(token);
    char *found;

    request->parts_joined = 1;
    while ((found = strstr(text, token))) {
        char *end;
        size_t index = (size_t)strtoul(found + token_len, &end, 10);
        struct http_part part = {.name = "", .text = text};

        *found = '\0';
        if (add_part(request, &part, err) ||
            add_file(turn, request, "", json_array_get(inputs, index), err))
            return -1;
        text = end + 1; /* past the dot */
    }
    return add_part(request, &(struct http_part){.name = "", .text = text}, err);
}

static int json_body(struct provider_turn *turn, struct http_request *request, struct err *err)
{
    const json_t *inputs = json_object_get(turn->request, "inputs");
    char token[32] = "";
    json_t *body;
    char *text;

    add_header(request, "Content-Type", "application/json");
    if (any_local(inputs) && find_token(turn, token, sizeof(token), err))
        return -1;
    body = body_with_inputs(turn, token);
    if (!body)
        return err_nomem(err);
    text = dump(turn, body, err);
    json_decref(body);
    if (!text)
        return -1;
    if (*token)
        return join_parts(turn, request, text, token, err);
    request->body = text;
    request->body_len = strlen(text);
    return 0;
}

int openai_request_submit(struct provider_turn *turn, struct http_request *ret_request,
                          struct err *err)
{
    const json_t *wire = json_object_get(turn->request, "wire");
    const json_t *inputs = json_object_get(turn->request, "inputs");
    int image = strcmp(json_text(turn->request, "kind"), "image") == 0;
    int many = json_array_size(inputs) > 0;
    const char *way = json_text(wire, image ? "references" : "input");
    const char *path = json_text(wire, "submit");
    int form = many && strcmp(way, "multipart") == 0 &&
               (image ? all_local(inputs) : any_local(inputs));
    struct http_request *request = ret_request;

    if (image && many && strcmp(way, "json") != 0)
        path = json_text(wire, "edit");
    memset(request, 0, sizeof(*request));
    request->effect = HTTP_SPENDS;
    request->method = "POST";
    request->timeout_ms = json_int(turn->request, "timeout_ms", 0);
    request->url = openai_url_api(turn->arena, turn->account->base_url, path, "");
    if (!*path || !request->url)
        return turn->arena->failed ? err_nomem(err)
                                   : err_set(err, ERR_CONFIG, "provider %s has no usable address",
                                             turn->account->id);
    if (start(turn, request, 1, err))
        return -1;
    return form ? form_body(turn, request, err) : json_body(turn, request, err);
}

int openai_request_poll(struct provider_turn *turn, struct http_request *ret_request,
                        struct err *err)
{
    const json_t *wire = json_object_get(turn->request, "wire");
    const char *stored = json_text(turn->flow, "poll_url");
    const char *job = json_text(turn->flow, "job");
    const char *path = json_text(wire, "poll");
    struct http_request *request = ret_request;

    memset(request, 0, sizeof(*request));
    request->effect = HTTP_READS;
    request->method = "GET";
    request->timeout_ms = json_int(wire, "poll_timeout_ms", 60000);
    /* The base may have been configured anew since: the key goes to its origin only. */
    if (*stored && openai_url_same_origin(stored, turn->account->base_url))
        request->url = arena_text(turn->arena, stored);
    else if (*job && *path)
        request->url = openai_url_api(turn->arena, turn->account->base_url, path, job);
    if (!request->url)
        return turn->arena->failed ? err_nomem(err)
                                   : err_set(err, ERR_CONFIG,
                                             "there is no address on provider %s to ask about the job",
                                             turn->account->id);
    return start(turn, request, 1, err);
}
