/* Environment variables as the host's configuration sees them: layers of names and values, and
 * "${NAME}" in strings. Nothing here reads or changes the process's environment. */
#ifndef CONFIG_OPENCLAW_ENV_H
#define CONFIG_OPENCLAW_ENV_H

#include <stddef.h>
#include <jansson.h>

#define OPENCLAW_ENV_LAYERS_MAX 4
#define OPENCLAW_ENV_STRING_MAX (8u * 1024u * 1024u) /* one string after expansion */
#define OPENCLAW_ENV_WHERE_MAX  512

/* The value, or NULL. It must stay until the call that asks has returned. */
typedef const char *openclaw_lookup_fn(void *ud, const char *name);

/* Where values come from, first to last: the process (get), then each layer in the order it was
 * added. A name that an earlier source has, even with an empty value, is not looked up further;
 * only the configuration's own env.vars also fill in for what is blank. */
struct openclaw_env {
    openclaw_lookup_fn *get;
    void *ud;
    struct {
        json_t *values; /* owned: an object of strings */
        const char *source;
        int fills_blanks;
    } layers[OPENCLAW_ENV_LAYERS_MAX];
    size_t layers_count;
};

void openclaw_env_init(struct openclaw_env *env, openclaw_lookup_fn *get, void *ud);
void openclaw_env_done(struct openclaw_env *env);

/* Adds a source of lower rank; takes values on success. source must outlive env. -1: no room. */
int openclaw_env_add_take(struct openclaw_env *env, const char *source, json_t *values);

/* Adds what a loaded configuration sets in env.vars, under the host's conditions: portable names
 * that are not dangerous (openclaw_names.h), no blank values, none that refer to another variable.
 * Called at most once. -1 without memory. */
int openclaw_env_from_config(struct openclaw_env *env, const json_t *config);

/* NULL if no source has it. ret_source, unless NULL, is "environment" or the layer's source. */
const char *openclaw_env_get(const struct openclaw_env *env, const char *name,
                             const char **ret_source);

/* A name that nothing has, or that is empty; where is the place in the host's notation, such as
 * models.providers.x.headers["X-Key"] or list[0]. */
typedef void openclaw_missing_fn(void *ud, const char *name, const char *where);

/* A new value in which every "${NAME}" of a string is replaced once; "$${NAME}" becomes "${NAME}";
 * a missing one stays as written and is reported (missing may be NULL). Keys stay as they are. NULL
 * without memory, or if a string grows beyond OPENCLAW_ENV_STRING_MAX. */
json_t *openclaw_env_expand(json_t *value, const struct openclaw_env *env,
                            openclaw_missing_fn *missing, void *ud);

#endif
