/*
 * builtin.c - accounts that need no entry in models.providers: services with a catalogue of their
 * own (manifests/providers/<adapter>.json) that says, in `accounts`, where their address, keys and
 * headers come from. A key is looked for in the variables, in the skill's own apiKey, in the file
 * of the service's own tools; all secrets of an account come from one of these places. Not
 * configured is no problem to tell of: nobody uses every service.
 */
#include "config/config_private.h"

#include "base/embed.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FILE_BYTES_MAX 65536

/*
 * For accounts that say `skill_first`: the environment, then the skill's own, env.vars and env of
 * the configuration before any .env file, as these services' own tools have it.
 */
static const char *skill_variable(const struct config_load *load, const json_t *spec,
                                  const char *name, const char **ret_source)
{
    static const char *const sources[] = {"skills.entries", "env.vars", "env"};
    const char *source = "";
    const char *value = openclaw_env_get(&load->vars, name, &source);
    const json_t *entry =
        json_object_get(json_object_get(json_object_get(load->root, "skills"), "entries"),
                        json_text(spec, "skill"));
    const json_t *env = json_object_get(load->root, "env");
    const json_t *places[] = {json_is_false(json_object_get(entry, "enabled"))
                                  ? NULL
                                  : json_object_get(entry, "env"),
                              json_object_get(env, "vars"), env};

    for (size_t i = 0; (!value || strcmp(source, "environment") != 0) && i < 3; i++)
        if (*json_text(places[i], name)) {
            value = json_text(places[i], name);
            source = sources[i];
            break;
        }
    if (ret_source)
        *ret_source = source;
    return value && *value ? value : NULL;
}

/* A variable of the account's skill. */
static const char *variable(const struct config_load *load, const json_t *spec, const char *name,
                            const char **ret_source)
{
    if (json_is_true(json_object_get(spec, "skill_first")))
        return skill_variable(load, spec, name, ret_source);
    return config_load_variable(load, json_text(spec, "skill"), name, ret_source);
}

/* The first of a list of variables that is set to what the account may use. */
static const char *first_variable(const struct config_load *load, const json_t *spec,
                                  const json_t *names, const char *prefix, const char **ret_name,
                                  const char **ret_source)
{
    const json_t *name;
    size_t index;

    json_array_foreach((json_t *)names, index, name) {
        const char *value = variable(load, spec, json_string_value(name), ret_source);

        if (value && strncmp(value, prefix, strlen(prefix)) == 0) {
            *ret_name = json_string_value(name);
            return value;
        }
    }
    return NULL;
}

/* ---- address ---- */

static int fill_address(struct config *config, const struct config_load *load,
                        struct config_entry *entry, const json_t *spec, struct err *err)
{
    const json_t *settings = config_entry_settings(config, load, json_text(spec, "id"));
    const json_t *host;
    const char *base = json_text(spec, "base_url");
    const char *name, *source;
    const char *other = first_variable(load, spec, json_object_get(spec, "base_variables"), "",
                                       &name, &source);
    size_t count = 0;
    size_t index;
    int rc;

    if (!other)
        other = json_string_value(json_object_get(settings, "base_url"));
    rc = config_entry_address(entry, other ? other : base, err);
    if (rc != CONFIG_ENTRY_USABLE)
        return rc;
    json_array_foreach(json_object_get(spec, "result_hosts"), index, host)
        if (count < CONFIG_RESULT_HOSTS_MAX)
            entry->result_hosts[count++] = arena_text(&entry->arena, json_string_value(host));
    /* A service at another address serves its results there too. */
    if (other && count) {
        const char *start = strstr(entry->origin, "://");
        size_t len;

        start = start ? start + 3 : entry->origin;
        len = *start == '[' ? strcspn(start, "]") : strcspn(start, ":/");
        if (*start == '[') {
            start++;
            len--;
        }
        entry->result_hosts[count++] = arena_text_n(&entry->arena, start, len);
    }
    entry->provider.account.result_hosts = entry->result_hosts;
    entry->provider.account.result_hosts_count = count;
    return CONFIG_ENTRY_USABLE;
}

/* ---- secrets ---- */

static int add_secret(struct config *config, struct config_entry *entry, const json_t *secret,
                      const char *value, struct err *err)
{
    size_t i = entry->provider.peer.secrets_count;

    if (i == CONFIG_HEADERS_MAX)
        return err_set(err, ERR_INTERNAL, "a catalogue names more than %d secrets",
                       CONFIG_HEADERS_MAX);
    if (value[strcspn(value, "\r\n")]) {
        err_set(err, ERR_CONFIG, "its %s holds a line end, which nothing can be sent with",
                json_text(secret, "name"));
        return CONFIG_ENTRY_BROKEN;
    }
    if (env_secret_add(config->env, value))
        return err_nomem(err);
    entry->secrets[i].name = arena_text(&entry->arena, json_text(secret, "name"));
    entry->secrets[i].value = arena_text(&entry->arena, value);
    entry->provider.peer.secrets_count = i + 1;
    return CONFIG_ENTRY_USABLE;
}

static int is_usable(const json_t *secret, const char *value)
{
    const char *prefix = json_text(secret, "prefix");

    return value && *value && strncmp(value, prefix, strlen(prefix)) == 0;
}

/* USABLE, INCOMPLETE when not all are there. */
static int from_variables(struct config *config, const struct config_load *load,
                          struct config_entry *entry, const json_t *spec, struct err *err)
{
    const json_t *secrets = json_object_get(spec, "secrets");
    const char *values[CONFIG_HEADERS_MAX];
    char place[OPENCLAW_PATH_MAX + 160] = "";
    const json_t *secret;
    size_t index;
    int rc = CONFIG_ENTRY_USABLE;

    json_array_foreach((json_t *)secrets, index, secret) {
        const char *name, *source;

        if (index == CONFIG_HEADERS_MAX)
            break;
        values[index] = first_variable(load, spec, json_object_get(secret, "variables"),
                                       json_text(secret, "prefix"), &name, &source);
        if (!values[index])
            return CONFIG_ENTRY_INCOMPLETE;
        if (!*place)
            snprintf(place, sizeof(place), "variable %s (%s)", name, source);
    }
    json_array_foreach((json_t *)secrets, index, secret)
        if (rc == CONFIG_ENTRY_USABLE)
            rc = add_secret(config, entry, secret, values[index], err);
    if (rc == CONFIG_ENTRY_USABLE)
        config_entry_key(entry, entry->secrets[0].value, place);
    return rc;
}

/* skills.entries.<skill>.apiKey, for accounts of one secret. */
static int from_skill(struct config *config, const struct config_load *load,
                      struct config_entry *entry, const json_t *spec, struct err *err)
{
    const json_t *secrets = json_object_get(spec, "secrets");
    const json_t *secret = json_array_get(secrets, 0);
    const char *skill = json_text(spec, "skill");
    const json_t *root = json_object_get(json_object_get(load->root, "skills"), "entries");
    const json_t *authored = json_object_get(json_object_get(load->authored, "skills"), "entries");
    const json_t *value = json_object_get(json_object_get(root, skill), "apiKey");
    char place[160], source[OPENCLAW_PATH_MAX + 320];
    char *key = NULL;
    int rc;

    if (!value || json_array_size(secrets) != 1 ||
        json_is_false(json_object_get(json_object_get(root, skill), "enabled")))
        return CONFIG_ENTRY_INCOMPLETE;
    snprintf(place, sizeof(place), "skills.entries.%.64s.apiKey", skill);
    rc = config_secret_find(config, load, value,
                            json_object_get(json_object_get(authored, skill), "apiKey"), place,
                            &key, source, sizeof(source), err);
    if (rc == CONFIG_SECRET_NONE || (rc == 0 && !is_usable(secret, key)))
        rc = CONFIG_ENTRY_INCOMPLETE;
    else if (rc == CONFIG_SECRET_BROKEN)
        rc = CONFIG_ENTRY_BROKEN;
    else if (rc == 0)
        rc = add_secret(config, entry, secret, key, err);
    if (rc == CONFIG_ENTRY_USABLE)
        config_entry_key(entry, key, source);
    mem_free_secret(key);
    return rc;
}

int config_builtin_file(const struct config *config, const struct config_load *load,
                        const json_t *spec, char *ret_path, size_t size)
{
    const json_t *file = json_object_get(spec, "file");
    const char *home = variable(load, spec, json_text(file, "home_variable"), NULL);
    char *folder;
    int len;

    if (!file)
        return -1;
    folder = home ? config_place(config, home)
                  : mem_format("%s/%s", config->home, json_text(file, "home"));
    len = folder ? snprintf(ret_path, size, "%s/%s", folder, json_text(file, "name")) : -1;
    mem_free(folder);
    return len < 0 || (size_t)len >= size ? -1 : 0;
}

/* The service's own file, which is another program's too: read as it is, never repaired. */
static int read_file(struct config *config, const struct config_load *load, const json_t *spec,
                     char *ret_path, size_t size, json_t **ret_json, struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    json_error_t broken;
    json_t *json;
    int rc;

    if (config_builtin_file(config, load, spec, ret_path, size))
        return CONFIG_ENTRY_INCOMPLETE;
    rc = config->fs.read(config->fs.ud, ret_path, FILE_BYTES_MAX, 0, &text, &len);
    if (rc == -ENOMEM)
        return err_nomem(err);
    if (rc == -ENOENT || rc == -ENOTDIR)
        return CONFIG_ENTRY_INCOMPLETE;
    if (rc < 0) {
        err_set(err, ERR_CONFIG, "%s cannot be read: %s", ret_path, strerror(-rc));
        return CONFIG_ENTRY_BROKEN;
    }
    json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &broken);
    explicit_bzero(text, len);
    mem_free(text);
    if (json_is_object(json)) {
        *ret_json = json;
        return CONFIG_ENTRY_USABLE;
    }
    err_set(err, ERR_CONFIG, "%s, line %d, column %d: it is no JSON object", ret_path,
            json ? 1 : broken.line, json ? 1 : broken.column);
    json_decref(json);
    return CONFIG_ENTRY_BROKEN;
}

static int from_file(struct config *config, const struct config_load *load,
                     struct config_entry *entry, const json_t *spec, struct err *err)
{
    const json_t *secrets = json_object_get(spec, "secrets");
    char path[OPENCLAW_PATH_MAX];
    json_t *json = NULL;
    const json_t *secret;
    size_t index;
    int rc = read_file(config, load, spec, path, sizeof(path), &json, err);

    if (rc != CONFIG_ENTRY_USABLE)
        return rc;
    json_array_foreach((json_t *)secrets, index, secret)
        if (!is_usable(secret, json_text(json, json_text(secret, "member"))))
            rc = CONFIG_ENTRY_INCOMPLETE;
    json_array_foreach((json_t *)secrets, index, secret) {
        const char *value = json_text(json, json_text(secret, "member"));

        if (rc == CONFIG_ENTRY_USABLE)
            rc = add_secret(config, entry, secret, value, err);
    }
    if (rc == CONFIG_ENTRY_USABLE)
        config_entry_key(entry, entry->secrets[0].value, path);
    json_wipe(json);
    json_decref(json);
    return rc;
}

/* ---- settings that the service's own tools know, too ---- */

/* The values of one setting, the one that counts first: variable, our configuration, the file. */
static json_t *setting_values(const struct config_load *load, const json_t *spec,
                              const json_t *setting, const json_t *configured, const json_t *file)
{
    const char *name, *source;
    const char *values[3];
    json_t *list = json_array();

    values[0] =
        first_variable(load, spec, json_object_get(setting, "variables"), "", &name, &source);
    values[1] = json_text(configured, json_text(setting, "name"));
    values[2] = json_text(file, json_text(setting, "member"));
    for (size_t i = 0; i < 3; i++)
        if (values[i] && *values[i] && json_array_append_new(list, json_string(values[i]))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* A file that is broken was told of where the key was looked for. */
static int fill_settings(struct config *config, const struct config_load *load,
                         struct config_entry *entry, const json_t *spec, struct err *err)
{
    const json_t *configured = entry->provider.account.settings;
    const json_t *settings = json_object_get(spec, "settings");
    char path[OPENCLAW_PATH_MAX];
    struct err ignored;
    json_t *file = NULL;
    const json_t *setting;
    size_t index;
    int failed = 0;

    if (!json_array_size(settings))
        return CONFIG_ENTRY_USABLE;
    if (read_file(config, load, spec, path, sizeof(path), &file, &ignored) < 0)
        return err_nomem(err);
    entry->settings = configured ? json_copy((json_t *)configured) : json_object();
    json_array_foreach((json_t *)settings, index, setting)
        failed |= json_object_set_new(entry->settings, json_text(setting, "name"),
                                      setting_values(load, spec, setting, configured, file));
    json_wipe(file);
    json_decref(file);
    if (failed)
        return err_nomem(err);
    entry->provider.account.settings = entry->settings;
    return CONFIG_ENTRY_USABLE;
}

/* ---- one account ---- */

static int add_headers(struct config_entry *entry, const json_t *spec)
{
    const json_t *header;
    size_t count = 0;
    size_t index;

    json_array_foreach(json_object_get(spec, "headers"), index, header) {
        if (count > CONFIG_HEADERS_MAX)
            break;
        entry->headers[count].name = arena_text(&entry->arena, json_text(header, "name"));
        entry->headers[count].value = arena_text(&entry->arena, json_text(header, "value"));
        count++;
    }
    entry->provider.account.headers_count = count;
    return entry->arena.failed ? -1 : 0;
}

static int fill_secrets(struct config *config, const struct config_load *load,
                        struct config_entry *entry, const json_t *spec, struct err *err)
{
    int rc = from_variables(config, load, entry, spec, err);

    if (rc == CONFIG_ENTRY_INCOMPLETE)
        rc = from_skill(config, load, entry, spec, err);
    if (rc == CONFIG_ENTRY_INCOMPLETE)
        rc = from_file(config, load, entry, spec, err);
    entry->provider.account.signed_in = rc == CONFIG_ENTRY_USABLE;
    /* Who has to log in first is an account all the same: the login is asked of it. */
    if (json_is_true(json_object_get(spec, "login")) &&
        (rc == CONFIG_ENTRY_INCOMPLETE || rc == CONFIG_ENTRY_BROKEN)) {
        /* What is wrong with its file is where the key would come from, for people. */
        config_entry_key(entry, "", rc == CONFIG_ENTRY_BROKEN ? err->text : "");
        rc = CONFIG_ENTRY_USABLE;
    }
    return rc;
}

static int load_account(struct config *config, struct config_load *load,
                        const struct provider *adapter, const json_t *spec, struct err *err)
{
    struct config_entry *entry = mem_alloc(sizeof(*entry));
    struct provider_account *account;
    struct err why = {.kind = ERR_NONE};
    int rc;

    if (!entry)
        return err_nomem(err);
    account = &entry->provider.account;
    account->id = arena_text(&entry->arena, json_text(spec, "id"));
    account->headers = entry->headers;
    account->settings = config_entry_settings(config, load, json_text(spec, "id"));
    entry->provider.adapter = adapter;
    entry->provider.peer.secrets = entry->secrets;
    rc = fill_address(config, load, entry, spec, &why);
    if (rc == CONFIG_ENTRY_USABLE)
        rc = fill_secrets(config, load, entry, spec, &why);
    if (rc == CONFIG_ENTRY_USABLE)
        rc = fill_settings(config, load, entry, spec, &why);
    if (rc == CONFIG_ENTRY_USABLE && (add_headers(entry, spec) || entry->arena.failed))
        rc = err_nomem(&why);
    /* Who does not use a service that has a login does not want to hear of it. */
    if (rc == CONFIG_ENTRY_USABLE && !account->signed_in && !account->settings &&
        !*entry->provider.key_source && load->logins_count < CONFIG_BUILTIN_MAX) {
        load->logins[load->logins_count++] = entry;
        return 0;
    }
    if (rc == CONFIG_ENTRY_USABLE && load->entries_count < CONFIG_ENTRIES_MAX) {
        load->entries[load->entries_count++] = entry;
        return 0;
    }
    if (rc < 0)
        *err = why;
    else if (rc == CONFIG_ENTRY_BROKEN)
        rc = config_problem_add(load, account->id, account->base_url, NULL, 0, &why, err);
    else
        rc = 0;
    config_entry_free(entry);
    return rc;
}

/* The user's own entry of that name goes first. */
static int is_taken(const struct config_load *load, const char *id)
{
    return json_object_get(json_object_get(json_object_get(load->root, "models"), "providers"),
                           id) != NULL;
}

/* The rest of the catalogue is read by the first job that needs it. */
static int accounts(const struct provider *adapter, json_t **ret_specs)
{
    char name[80];

    snprintf(name, sizeof(name), "providers/%s.json", adapter->name);
    return embed_member(name, "accounts", ret_specs);
}

int config_builtin_load(struct config *config, struct config_load *load, struct err *err)
{
    const struct provider *adapter;
    int rc = 0;

    for (size_t i = 0; rc == 0 && (adapter = provider_at(i)); i++) {
        json_t *specs;
        json_t *spec;
        size_t index;

        if (accounts(adapter, &specs))
            return err_nomem(err); /* that they are sound the tests have seen */
        json_array_foreach(specs, index, spec)
            if (rc == 0 && !is_taken(load, json_text(spec, "id")))
                rc = load_account(config, load, adapter, spec, err);
        json_decref(specs);
    }
    return rc;
}

json_t *config_builtin_spec(const char *id)
{
    const struct provider *adapter;
    json_t *found = NULL;

    for (size_t i = 0; !found && (adapter = provider_at(i)); i++) {
        json_t *specs = NULL;
        json_t *spec;
        size_t index;

        (void)accounts(adapter, &specs);
        json_array_foreach(specs, index, spec)
            if (strcmp(json_text(spec, "id"), id) == 0)
                found = json_incref(spec);
        json_decref(specs);
    }
    return found;
}

int config_provider_logs_in(const char *id)
{
    json_t *spec = config_builtin_spec(id);
    int logs_in = json_is_true(json_object_get(spec, "login"));

    json_decref(spec);
    return logs_in;
}

int config_provider_is_builtin(const char *id)
{
    json_t *spec = config_builtin_spec(id);

    json_decref(spec);
    return spec != NULL;
}
