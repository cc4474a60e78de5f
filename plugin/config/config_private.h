/* config_private.h - shared by the files of config/ only. */
#ifndef CONFIG_CONFIG_PRIVATE_H
#define CONFIG_CONFIG_PRIVATE_H

#include "config/config.h"

#include <sys/stat.h>

#define CONFIG_ROOTS_MAX 16
#define CONFIG_PROVIDERS_MAX 64
#define CONFIG_HEADERS_MAX 8

/* An entry with everything that its parts point to. */
struct config_entry {
    struct config_provider provider;
    struct http_header headers[CONFIG_HEADERS_MAX + 1];
    struct net_secret secrets[CONFIG_HEADERS_MAX + 1];
    const char *origins[1];
    char *key;
    char key_tail[5];
    char origin[256];
    struct arena arena;
};

struct config {
    struct env *env;
    json_t *given; /* what create got */
    json_t *root;  /* the file */
    char *file;
    char *state_dir;
    char *workspace;
    char *output_root;
    char *images_dir;
    char *videos_dir;
    char *media_dir;
    char *locale;
    const char *roots[CONFIG_ROOTS_MAX];
    size_t roots_count;
    struct config_entry *entries[CONFIG_PROVIDERS_MAX]; /* by id */
    size_t entries_count;
    int loaded;
    struct stat seen;
    struct err broken; /* of the file as seen; ERR_NONE when it is good */
};

/* Makes the entries anew from config->root; on failure the old ones stay. */
int config_providers_load(struct config *config, struct err *err);
void config_providers_done(struct config *config);

#endif
