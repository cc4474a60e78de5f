/*
 * providers.c - what the entries of models.providers mean: base address, key, headers. One that
 * cannot be used goes to the list of problems with its reason, and the others go on. The services
 * that need no entry there are in builtin.c.
 */
#include "config/config_private.h"

#include "base/mem.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void config_entry_free(struct config_entry *entry)
{
    if (!entry)
        return;
    for (size_t i = 0; i < entry->provider.peer.secrets_count; i++)
        if (entry->secrets[i].value)
            explicit_bzero((char *)entry->secrets[i].value, strlen(entry->secrets[i].value));
    json_decref(entry->settings);
    arena_done(&entry->arena);
    mem_free(entry);
}

void config_providers_done(struct config_load *load)
{
    for (size_t i = 0; i < load->entries_count; i++)
        config_entry_free(load->entries[i]);
    for (size_t i = 0; i < load->logins_count; i++)
        config_entry_free(load->logins[i]);
    load->entries_count = 0;
    load->logins_count = 0;
}

/* Eight hex digits of SHA-256: enough to tell two apart, useless for finding the key. */
static void short_hash(char ret_text[9], const char *text)
{
    struct sha256_ctx ctx;
    uint8_t digest[SHA256_DIGEST_SIZE];

    sha256_init(&ctx);
    sha256_update(&ctx, strlen(text), (const uint8_t *)text);
    sha256_digest(&ctx, sizeof(digest), digest);
    for (size_t i = 0; i < 4; i++)
        snprintf(ret_text + 2 * i, 3, "%02x", digest[i]);
}

/* "<address>-<key>": a key may be renewed at the same address, another address is another account.
 */
static void fingerprint(char *ret_text, size_t size, const char *base_url, const char *key)
{
    char address[9];
    char secret[9];

    short_hash(address, base_url);
    short_hash(secret, key);
    snprintf(ret_text, size, "%s-%s", address, secret);
}

/* Adds a header whose value is a secret; only its name goes into what adapters see. */
static void add_header(struct config_entry *entry, const char *name, const char *format,
                       const char *value)
{
    size_t i = entry->provider.account.headers_count;
    const char *hole = strstr(format, "%s");
    char *label =
        i ? arena_format(&entry->arena, "header%zu", i) : arena_text(&entry->arena, "key");

    entry->headers[i].name = arena_text(&entry->arena, name);
    entry->headers[i].value = arena_format(&entry->arena, "%.*s%s%s", (int)(hole - format), format,
                                           label ? label : "", hole + 2);
    entry->secrets[i].name = label;
    entry->secrets[i].value = arena_text(&entry->arena, value);
    entry->provider.account.headers_count = i + 1;
    entry->provider.peer.secrets_count = i + 1;
}

static int is_token(const char *name)
{
    return *name && !name[strspn(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZ")];
}

/* The members of `headers`, but for the one that the key already is. */
static int add_headers(struct config *config, const struct config_load *load,
                       struct config_entry *entry, const json_t *headers, const json_t *authored,
                       const char *place, struct err *err)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)headers, name, value) {
        char source[OPENCLAW_PATH_MAX], where[320];
        char *secret = NULL;
        int rc;

        snprintf(where, sizeof(where), "%s.%.64s", place, name);
        if (strcasecmp(name, entry->headers[0].name) == 0)
            continue;
        if (entry->provider.account.headers_count > CONFIG_HEADERS_MAX) {
            err_set(err, ERR_CONFIG, "%s has more than %d", place, CONFIG_HEADERS_MAX);
            return CONFIG_ENTRY_BROKEN;
        }
        if (!is_token(name)) {
            err_set(err, ERR_CONFIG, "%s is no name that an HTTP header may have", where);
            return CONFIG_ENTRY_BROKEN;
        }
        rc = config_secret_find(config, load, value, json_object_get(authored, name), where,
                                &secret, source, sizeof(source), err);
        if (rc == CONFIG_SECRET_NONE)
            continue; /* an empty header says nothing */
        if (rc)
            return rc < 0 ? -1 : CONFIG_ENTRY_BROKEN;
        add_header(entry, name, "{{%s}}", secret);
        mem_free_secret(secret);
    }
    return CONFIG_ENTRY_USABLE;
}

/* What the entry asks of the transport that we cannot do: better said than passed over. */
static int check_request(const json_t *request, struct err *err)
{
    const json_t *proxy = json_object_get(request, "proxy");
    const char *mode = json_string_value(json_object_get(proxy, "mode"));

    if (mode && strcmp(mode, "explicit-proxy") == 0) {
        err_set(err, ERR_CONFIG,
                "request.proxy names a proxy for this provider alone, which is not supported: set "
                "HTTPS_PROXY and NO_PROXY, or proxy.proxyUrl");
        return CONFIG_ENTRY_BROKEN;
    }
    if (json_object_size(json_object_get(request, "tls")) ||
        json_object_size(json_object_get(proxy, "tls"))) {
        err_set(err, ERR_CONFIG,
                "request.tls asks for certificates of its own, which is not supported: set "
                "SSL_CERT_FILE");
        return CONFIG_ENTRY_BROKEN;
    }
    return CONFIG_ENTRY_USABLE;
}

int config_entry_address(struct config_entry *entry, const char *text, struct err *err)
{
    size_t len;
    char *base;
    int rc;

    if (text)
        text += strspn(text, " \t\r\n");
    if (!text || !*text) {
        err_set(err, ERR_CONFIG, "it has no baseUrl");
        return CONFIG_ENTRY_INCOMPLETE;
    }
    for (len = strlen(text); len && strchr(" \t\r\n/", text[len - 1]); len--)
        ;
    base = arena_text_n(&entry->arena, text, len);
    if (!base)
        return err_nomem(err);
    rc = net_origin(base, entry->origin, sizeof(entry->origin));
    if (rc == -2)
        return err_nomem(err);
    if (rc == 0 && base[strcspn(base, "?#")]) {
        /* What is asked for is put behind it, and would be a part of the query. */
        err_set(err, ERR_CONFIG, "its baseUrl has a \"?\" or \"#\": it must end with a path");
        return CONFIG_ENTRY_BROKEN;
    }
    if (rc || strstr(base, "${")) {
        err_set(err, ERR_CONFIG, strstr(base, "${")
                                     ? "its baseUrl refers to a variable that is not set"
                                     : "its baseUrl is not an http or https address");
        return CONFIG_ENTRY_BROKEN;
    }
    entry->provider.account.base_url = base;
    entry->origins[0] = entry->origin;
    entry->provider.peer.origins = entry->origins;
    entry->provider.peer.origins_count = 1;
    return CONFIG_ENTRY_USABLE;
}

void config_entry_key(struct config_entry *entry, const char *key, const char *source)
{
    size_t len = strlen(key);

    fingerprint(entry->provider.fingerprint, sizeof(entry->provider.fingerprint),
                entry->provider.account.base_url, key);
    if (len >= 12)
        memcpy(entry->key_tail, key + len - 4, 5);
    entry->provider.key_tail = entry->key_tail;
    entry->provider.key_source = arena_text(&entry->arena, source);
}

static int fill_key(struct config *config, const struct config_load *load,
                    struct config_entry *entry, const char *id, struct config_key *key,
                    struct err *err)
{
    int rc = config_key_find(config, load, id, key, err);

    if (rc == CONFIG_SECRET_NONE)
        err_set(err, ERR_CONFIG, "it has no apiKey");
    if (rc)
        return rc < 0                     ? -1
               : rc == CONFIG_SECRET_NONE ? CONFIG_ENTRY_INCOMPLETE
                                          : CONFIG_ENTRY_BROKEN;
    if (!is_token(key->header)) {
        err_set(err, ERR_CONFIG, "request.auth.headerName is no name of a header");
        return CONFIG_ENTRY_BROKEN;
    }
    add_header(entry, key->header, key->format, key->value);
    config_entry_key(entry, key->value, key->source);
    return CONFIG_ENTRY_USABLE;
}

static int fill_headers(struct config *config, const struct config_load *load,
                        struct config_entry *entry, const char *id, const json_t *json,
                        struct err *err)
{
    const json_t *authored = json_object_get(
        json_object_get(json_object_get(load->authored, "models"), "providers"), id);
    const json_t *request = json_object_get(json, "request");
    char place[192];
    int rc;

    snprintf(place, sizeof(place), "models.providers.%.128s.headers", id);
    rc = add_headers(config, load, entry, json_object_get(json, "headers"),
                     json_object_get(authored, "headers"), place, err);
    if (rc != CONFIG_ENTRY_USABLE)
        return rc;
    snprintf(place, sizeof(place), "models.providers.%.128s.request.headers", id);
    return add_headers(config, load, entry, json_object_get(request, "headers"),
                       json_object_get(json_object_get(authored, "request"), "headers"), place,
                       err);
}

const json_t *config_entry_settings(const struct config *config, const struct config_load *load,
                                    const char *id)
{
    const json_t *given = json_object_get(json_object_get(config->given, "settings"), "providers");

    return json_object_get(given ? given
                                 : json_object_get(config_load_settings(load), "providers"),
                           id);
}

static int fill_entry(struct config *config, const struct config_load *load,
                      struct config_entry *entry, const char *id, const json_t *json,
                      struct config_key *key, struct err *err)
{
    struct provider_account *account = &entry->provider.account;
    int rc, address;

    if (!json_is_object(json)) {
        err_set(err, ERR_CONFIG, "it is not an object");
        return CONFIG_ENTRY_BROKEN;
    }
    account->id = arena_text(&entry->arena, id);
    account->headers = entry->headers;
    account->models = json_object_get(json, "models");
    account->settings = config_entry_settings(config, load, id);
    entry->provider.adapter = &provider_openai;
    entry->provider.peer.secrets = entry->secrets;
    account->signed_in = 1;
    if (strcmp(id, load->web.account.id) == 0) {
        err_set(err, ERR_CONFIG,
                "the name \"%s\" stands for the web itself: give this provider another", id);
        return CONFIG_ENTRY_BROKEN;
    }
    address = config_entry_address(entry, json_string_value(json_object_get(json, "baseUrl")), err);
    if (address != CONFIG_ENTRY_USABLE)
        return address;
    rc = check_request(json_object_get(json, "request"), err);
    if (rc == CONFIG_ENTRY_USABLE)
        rc = fill_key(config, load, entry, id, key, err);
    if (rc == CONFIG_ENTRY_USABLE)
        rc = fill_headers(config, load, entry, id, json, err);
    return entry->arena.failed ? err_nomem(err) : rc;
}

/* An address for people: some write a password or a key into it. */
static char *shown_address(struct arena *arena, const char *base)
{
    const char *host = base ? strstr(base, "://") : NULL;
    size_t end, user;

    if (!base)
        return NULL;
    host = host ? host + 3 : base;
    end = strcspn(host, "?#");
    user = end; /* a password may have a slash in it */
    while (user && host[user] != '@')
        user--;
    return arena_format(arena, "%.*s%s%.*s%s", (int)(host - base), base, user ? "***" : "",
                        (int)(end - user), host + user, host[end] ? "?***" : "");
}

int config_problem_add(struct config_load *load, const char *id, const char *base,
                       const char *key_source, int is_incomplete, const struct err *why,
                       struct err *err)
{
    struct config_problem *problem = &load->problems[load->problems_count];

    if (load->problems_count == CONFIG_ENTRIES_MAX)
        return err_set(err, ERR_CONFIG, "more than %d providers", CONFIG_ENTRIES_MAX);
    load->problems_count++;
    problem->id = arena_text(&load->arena, id);
    problem->base_url = shown_address(&load->arena, base);
    problem->key_source = arena_text(&load->arena, key_source);
    problem->reason = arena_text(&load->arena, why->text);
    problem->is_incomplete = is_incomplete;
    return load->arena.failed ? err_nomem(err) : 0;
}

static int load_entry(struct config *config, struct config_load *load, const char *id,
                      const json_t *json, struct err *err)
{
    struct config_entry *entry = mem_alloc(sizeof(*entry));
    struct config_key *key = mem_alloc(sizeof(*key));
    struct err why = {.kind = ERR_NONE};
    int rc = -1;

    if (!entry || !key) {
        err_nomem(err);
        goto out;
    }
    rc = fill_entry(config, load, entry, id, json, key, &why);
    if (rc < 0) {
        *err = why;
        goto out;
    }
    if (rc != CONFIG_ENTRY_USABLE) {
        rc = config_problem_add(load, id, json_string_value(json_object_get(json, "baseUrl")),
                                *key->source && json_object_get(json, "apiKey") ? key->source
                                                                                : NULL,
                                rc == CONFIG_ENTRY_INCOMPLETE, &why, err);
        goto out;
    }
    load->entries[load->entries_count++] = entry;
    entry = NULL;
out:
    if (key)
        mem_free_secret(key->value);
    mem_free(key);
    config_entry_free(entry);
    return rc;
}

static int by_id(const void *a, const void *b)
{
    const struct config_entry *const *x = a;
    const struct config_entry *const *y = b;

    return strcmp((*x)->provider.account.id, (*y)->provider.account.id);
}

static int problem_by_id(const void *a, const void *b)
{
    const struct config_problem *x = a;
    const struct config_problem *y = b;

    return strcmp(x->id, y->id);
}

int config_providers_load(struct config *config, struct config_load *load, struct err *err)
{
    const json_t *models = json_object_get(load->root, "models");
    const json_t *all = json_object_get(models, "providers");
    const char *id;
    json_t *json;

    if ((models && !json_is_object(models)) || (all && !json_is_object(all)))
        return err_set(err, ERR_CONFIG, "%s: models and models.providers must be objects",
                       config->file);
    if (json_object_size(all) > CONFIG_PROVIDERS_MAX)
        return err_set(err, ERR_CONFIG, "%s: models.providers has more than %d entries",
                       config->file, CONFIG_PROVIDERS_MAX);
    json_object_foreach((json_t *)all, id, json)
        if (load_entry(config, load, id, json, err))
            return -1;
    if (config_builtin_load(config, load, err))
        return -1;
    if (load->entries_count)
        qsort(load->entries, load->entries_count, sizeof(*load->entries), by_id);
    if (load->problems_count)
        qsort(load->problems, load->problems_count, sizeof(*load->problems), problem_by_id);
    return 0;
}
