/*
 * providers.c - what an entry of models.providers means: base address, key, headers. Entries
 * without an address or a key are somebody else's business and are passed over.
 */
#include "config/config_private.h"
#include "base/mem.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void entry_free(struct config_entry *entry)
{
    if (!entry)
        return;
    for (size_t i = 0; i < entry->provider.peer.secrets_count; i++)
        if (entry->secrets[i].value)
            explicit_bzero((char *)entry->secrets[i].value, strlen(entry->secrets[i].value));
    arena_done(&entry->arena);
    mem_free(entry);
}

void config_providers_done(struct config *config)
{
    for (size_t i = 0; i < config->entries_count; i++)
        entry_free(config->entries[i]);
    config->entries_count = 0;
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

/* "<address>-<key>": a key may be renewed at the same address, another address is another account. */
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
    char *label = arena_format(&entry->arena, i ? "header%zu" : "key", i);

    entry->headers[i].name = arena_text(&entry->arena, name);
    entry->headers[i].value = arena_format(&entry->arena, format, label ? label : "");
    entry->secrets[i].name = label;
    entry->secrets[i].value = arena_text(&entry->arena, value);
    entry->provider.account.headers_count = i + 1;
    entry->provider.peer.secrets_count = i + 1;
}

static int add_headers(struct config_entry *entry, const json_t *headers, const char *file,
                       const char *id, struct err *err)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)headers, name, value) {
        if (!json_is_string(value))
            continue; /* a reference: resolved by the full configuration reader */
        if (entry->provider.account.headers_count > CONFIG_HEADERS_MAX)
            return err_set(err, ERR_CONFIG, "%s: models.providers.%s.headers has more than %d",
                           file, id, CONFIG_HEADERS_MAX);
        if (strpbrk(name, "\r\n: ") || strpbrk(json_string_value(value), "\r\n"))
            return err_set(err, ERR_CONFIG,
                           "%s: models.providers.%s.headers has a name or value that no HTTP "
                           "header may have",
                           file, id);
        add_header(entry, name, "{{%s}}", json_string_value(value));
    }
    return 0;
}

static int fill_entry(struct config *config, struct config_entry *entry, const char *id,
                      const json_t *json, struct err *err)
{
    struct provider_account *account = &entry->provider.account;
    const char *key = json_string_value(json_object_get(json, "apiKey"));
    char *base = arena_text(&entry->arena, json_string_value(json_object_get(json, "baseUrl")));

    if (!base)
        return err_nomem(err);
    for (size_t len = strlen(base); len && base[len - 1] == '/'; len--)
        base[len - 1] = '\0';
    if (net_origin(base, entry->origin, sizeof(entry->origin)))
        return err_set(err, ERR_CONFIG,
                       "%s: models.providers.%s.baseUrl is not an http or https address",
                       config->file, id);
    account->id = arena_text(&entry->arena, id);
    account->base_url = base;
    account->headers = entry->headers;
    account->models = json_object_get(json, "models");
    account->settings = json_object_get(config_setting(config, "providers"), id);
    entry->provider.adapter = &provider_openai;
    add_header(entry, "Authorization", "Bearer {{%s}}", key);
    if (add_headers(entry, json_object_get(json, "headers"), config->file, id, err))
        return -1;
    entry->origins[0] = entry->origin;
    entry->provider.peer.origins = entry->origins;
    entry->provider.peer.origins_count = 1;
    entry->provider.peer.secrets = entry->secrets;
    fingerprint(entry->provider.fingerprint, sizeof(entry->provider.fingerprint), base, key);
    if (strlen(key) >= 12)
        memcpy(entry->key_tail, key + strlen(key) - 4, 5);
    entry->provider.key_tail = entry->key_tail;
    if (entry->arena.failed)
        return err_nomem(err);
    for (size_t i = 0; i < entry->provider.peer.secrets_count; i++)
        if (env_secret_add(config->env, entry->secrets[i].value))
            return err_nomem(err);
    return 0;
}

static int by_id(const void *a, const void *b)
{
    const struct config_entry *const *x = a;
    const struct config_entry *const *y = b;

    return strcmp((*x)->provider.account.id, (*y)->provider.account.id);
}

static int usable(const json_t *json)
{
    const char *base = json_string_value(json_object_get(json, "baseUrl"));
    const char *key = json_string_value(json_object_get(json, "apiKey"));

    return base && *base && key && *key;
}

int config_providers_load(struct config *config, struct err *err)
{
    const json_t *all = json_object_get(json_object_get(config->root, "models"), "providers");
    struct config_entry *fresh[CONFIG_PROVIDERS_MAX];
    size_t count = 0;
    const char *id;
    json_t *json;

    if (all && !json_is_object(all))
        return err_set(err, ERR_CONFIG, "%s: models.providers must be an object", config->file);
    json_object_foreach((json_t *)all, id, json) {
        if (!usable(json))
            continue;
        if (count == CONFIG_PROVIDERS_MAX) {
            err_set(err, ERR_CONFIG, "%s: models.providers has more than %d entries", config->file,
                    CONFIG_PROVIDERS_MAX);
            goto fail;
        }
        fresh[count] = mem_alloc(sizeof(**fresh));
        if (!fresh[count]) {
            err_nomem(err);
            goto fail;
        }
        count++;
        if (fill_entry(config, fresh[count - 1], id, json, err))
            goto fail;
    }
    if (count)
        qsort(fresh, count, sizeof(*fresh), by_id);
    config_providers_done(config);
    memcpy(config->entries, fresh, count * sizeof(*fresh));
    config->entries_count = count;
    return 0;
fail:
    while (count)
        entry_free(fresh[--count]);
    return -1;
}

const struct config_provider *config_provider_at(const struct config *config, size_t index)
{
    return index < config->entries_count ? &config->entries[index]->provider : NULL;
}

const struct config_provider *config_provider_by_id(const struct config *config, const char *id)
{
    for (size_t i = 0; i < config->entries_count; i++)
        if (strcmp(config->entries[i]->provider.account.id, id) == 0)
            return &config->entries[i]->provider;
    return NULL;
}

/* "a, b, c" of what is configured, for messages. */
static void list_ids(const struct config *config, char *ret_text, size_t size)
{
    size_t len = 0;

    ret_text[0] = '\0';
    for (size_t i = 0; i < config->entries_count && len < size; i++)
        len += (size_t)snprintf(ret_text + len, size - len, "%s%s", i ? ", " : "",
                                config->entries[i]->provider.account.id);
}

const struct config_provider *config_provider_choose(const struct config *config,
                                                     const char *wanted, const char **ret_how,
                                                     struct err *err)
{
    const char *env = getenv("OPENCLAW_MEDIA_PROVIDER");
    const char *setting = json_string_value(config_setting(config, "default_provider"));
    const struct config_provider *found;
    const char *how = "first";
    char ids[256];

    if (!config->entries_count) {
        err_set(err, ERR_CONFIG,
                "no media provider is configured: models.providers in %s has no entry with a "
                "baseUrl and an apiKey",
                config->file);
        return NULL;
    }
    if (wanted && *wanted) {
        how = "argument";
    } else if (env && *env) {
        wanted = env;
        how = "environment";
    } else if (setting && *setting) {
        wanted = setting;
        how = "setting";
    } else {
        wanted = config->entries[0]->provider.account.id;
    }
    found = config_provider_by_id(config, wanted);
    if (!found) {
        list_ids(config, ids, sizeof(ids));
        err_field(err, "provider", "provider \"%s\" (%s) is not configured; configured: %s", wanted,
                  how, ids);
        return NULL;
    }
    *ret_how = how;
    return found;
}
