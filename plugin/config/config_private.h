/* config_private.h - shared by the files of config/ only. */
#ifndef CONFIG_CONFIG_PRIVATE_H
#define CONFIG_CONFIG_PRIVATE_H

#include "config/config.h"
#include "config/openclaw_env.h"
#include "config/openclaw_file.h"
#include "config/openclaw_secret.h"

#include <sys/stat.h>

#define CONFIG_PROVIDERS_MAX 64
#define CONFIG_BUILTIN_MAX 16
#define CONFIG_ENTRIES_MAX (CONFIG_PROVIDERS_MAX + CONFIG_BUILTIN_MAX)
#define CONFIG_HEADERS_MAX 8
#define CONFIG_RESULT_HOSTS_MAX 16
#define CONFIG_ALLOWED_HOSTS_MAX 16 /* as in config.schema.json */
#define CONFIG_DOTENVS 3 /* working directory, state folder, gateway.env */
#define CONFIG_INCLUDE_ROOTS_MAX 32

/* An entry with everything that its parts point to. */
struct config_entry {
    struct config_provider provider;
    struct http_header headers[CONFIG_HEADERS_MAX + 1];
    struct net_secret secrets[CONFIG_HEADERS_MAX + 1];
    const char *origins[1];
    const char *result_hosts[CONFIG_RESULT_HOSTS_MAX + 1];
    char key_tail[5];
    char origin[256];
    json_t *settings; /* account.settings, where they come from several places; or NULL */
    struct arena arena;
};

/* What was looked at while loading, and what it was like then. */
struct config_watch {
    struct {
        char *path;
        int is_there;
        struct stat stat;
    } *files;
    size_t files_count, files_room;
    struct {
        char *name;
        uint64_t hash; /* of the value; 0: it was not set */
    } *names;
    size_t names_count, names_room;
    int failed; /* no memory: nothing may be concluded from it */
};

/* Everything that one reading of the files gave. */
struct config_load {
    json_t *authored; /* with its includes, before variables: it tells where a value comes from */
    json_t *root;
    struct openclaw_env vars;
    char *dotenvs[CONFIG_DOTENVS]; /* their paths, which are the sources' names in vars */
    struct config_entry *entries[CONFIG_ENTRIES_MAX]; /* by id */
    size_t entries_count;
    struct config_entry *logins[CONFIG_BUILTIN_MAX]; /* that nobody has logged in to or spoken of */
    size_t logins_count;
    struct config_problem problems[CONFIG_ENTRIES_MAX]; /* by id */
    size_t problems_count;
    struct arena arena; /* of the problems */
    json_t *defaults;   /* of set_default; NULL when its file is broken */
    struct err defaults_broken;
    const char *roots[CONFIG_ROOTS_MAX];
    size_t roots_count;
    const char *allowed_hosts[CONFIG_ALLOWED_HOSTS_MAX]; /* although private */
    size_t allowed_hosts_count;
    struct config_provider web; /* nobody's account, for what only fetches */
};

struct config {
    struct env *env;
    json_t *given; /* what create got */
    char *home;    /* the host's, after OPENCLAW_HOME */
    char *host_state;
    char *file;
    char *dotenv;  /* of the state folder */
    char *gateway; /* gateway.env, or NULL where the host does not read it */
    char *state_dir;
    char *workspace;
    char *output_root;
    int output_is_fixed; /* output_root is the environment's word, which is the user's */
    char *media_dir;
    char *locale;
    struct config_load *load; /* the last good one; never NULL after config_open */
    struct config_watch watch;
    struct openclaw_fs fs; /* the machine's files, noting each in watch */
    int loaded;
    struct err broken; /* of the files as seen; ERR_NONE when they are good */
    size_t broken_line, broken_column;
    struct config_saving *savings; /* of saving.c; the first is under way */
};

/* places.c: everything of struct config that is a path. */
int config_places_find(struct config *config, const json_t *given, struct err *err);
/* path from there with "~" and "~/" as the host's home. NULL without memory or if it is too long.
 */
char *config_place(const struct config *config, const char *path);

/* watch.c */
void config_watch_file(struct config_watch *watch, const char *path);
void config_watch_name(struct config_watch *watch, const char *name);
int config_watch_changed(const struct config_watch *watch);
void config_watch_done(struct config_watch *watch);
void config_watch_fs(struct config *config); /* fills config->fs */

/* load.c */
int config_load_read(struct config *config, struct config_load **ret_load, struct err *err);
struct config_load *config_load_empty(struct config *config, struct err *err);
void config_load_free(struct config_load *load);
const json_t *config_load_settings(const struct config_load *load); /* the file's, or NULL */

/* providers.c: entries and problems of load; -1 only without memory or past a limit. */
int config_providers_load(struct config *config, struct config_load *load, struct err *err);
void config_providers_done(struct config_load *load);

/* What became of an entry; less than 0 ends the whole load. */
enum {
    CONFIG_ENTRY_USABLE,
    CONFIG_ENTRY_INCOMPLETE,
    CONFIG_ENTRY_BROKEN,
};

int config_entry_address(struct config_entry *entry, const char *text, struct err *err);
/* After the address: what tells accounts apart, and what people may see of the key. */
void config_entry_key(struct config_entry *entry, const char *key, const char *source);
const json_t *config_entry_settings(const struct config *config, const struct config_load *load,
                                    const char *id);
void config_entry_free(struct config_entry *entry);
int config_problem_add(struct config_load *load, const char *id, const char *base,
                       const char *key_source, int is_incomplete, const struct err *why,
                       struct err *err);

/* builtin.c: the accounts that catalogues name; -1 only without memory. */
int config_builtin_load(struct config *config, struct config_load *load, struct err *err);
/* The path of the file that the service's own tools keep its secrets in; -1: none. */
int config_builtin_file(const struct config *config, const struct config_load *load,
                        const json_t *spec, char *ret_path, size_t size);
/* What a catalogue says of an account of that id; new, or NULL. */
json_t *config_builtin_spec(const char *id);

/* config.c: config_skill_variable of a load that is not in use yet. */
const char *config_load_variable(const struct config_load *load, const char *skill,
                                 const char *name, const char **ret_source);

/* provider_key.c: which secret stands for an entry's key, and in which header it goes. */
struct config_key {
    char *value;         /* for mem_free_secret */
    const char *header;  /* its name; lives in the configuration or is static */
    const char *format;  /* with one %s for the secret's label */
    char source[OPENCLAW_PATH_MAX + 320]; /* where it came from, for people */
};

#define CONFIG_SECRET_NONE   1 /* nothing is configured */
#define CONFIG_SECRET_BROKEN 2 /* it cannot be had */

/* 0; CONFIG_SECRET_*, with err and the source that was meant; -1 without memory. */
int config_key_find(struct config *config, const struct config_load *load, const char *id,
                    struct config_key *ret_key, struct err *err);
/* The same for any field: authored is what stands in the file, or NULL; place its name. */
int config_secret_find(struct config *config, const struct config_load *load, const json_t *value,
                       const json_t *authored, const char *place, char **ret_value,
                       char *ret_source, size_t source_size, struct err *err);

/* defaults.c: what set_default chose; -1 only without memory. */
int config_defaults_load(struct config *config, struct config_load *load, struct err *err);
/* For a kind, or for all (which NULL); NULL: it was not chosen. */
const char *config_default_provider(const struct config_load *load, const enum config_model *which);
const char *config_default_model(const struct config_load *load, enum config_model which,
                                 const char *id);

/*
 * saving.c: writes off the loop where the host can, then done as config_saved_fn says, never
 * inline. `write` touches nothing but its item: 1, 0 when there was nothing to change, -1 with err.
 * The item is taken on success, and dropped after done. -1: ERR_BUSY, ERR_NOMEM.
 */
typedef int config_write_fn(void *item, struct err *err);
typedef void config_drop_fn(void *item);
int config_saving_add(struct config *config, void *item_take, config_write_fn *write,
                      config_drop_fn *drop, config_saved_fn *done, void *ud, struct err *err);

/* settings.c: plugins.entries.clawmedia.config, or what create got, against the schema. */
int config_settings_check(const json_t *settings, const char *place, struct err *err);

#endif
