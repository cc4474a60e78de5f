/* Reading the host's configuration file: JSON5 text, $include and the merging of parts, with the
 * rules of OpenClaw 2026.9.6 (observed, and read in its published package: env-substitution,
 * includes, deep-merge). Files are reached through struct openclaw_fs only.
 *
 * The host's order is: openclaw_file_load, then env.vars (openclaw_env_from_config), then
 * openclaw_env_expand, then its schema.
 *
 * Meant differences: text that is not UTF-8 is an error here; parts that together nest deeper than
 * JSON5_DEPTH_MAX, or more than OPENCLAW_INCLUDES_MAX files in all, are refused.
 */
#ifndef CONFIG_OPENCLAW_FILE_H
#define CONFIG_OPENCLAW_FILE_H

#include <stddef.h>
#include <jansson.h>

#define OPENCLAW_PATH_MAX          4096 /* the host's own limit, NUL included */
#define OPENCLAW_FILE_BYTES_MAX    (16u * 1024u * 1024u)
#define OPENCLAW_INCLUDE_BYTES_MAX (2u * 1024u * 1024u) /* the host's */
#define OPENCLAW_INCLUDE_DEPTH_MAX 10                   /* the host's */
#define OPENCLAW_INCLUDES_MAX      1000
#define OPENCLAW_ERROR_TEXT_MAX    512

#define OPENCLAW_E_MISSING (-1) /* the configuration file itself is not there */
#define OPENCLAW_E_INVALID (-2) /* anything the user can put right */
#define OPENCLAW_E_MEMORY  (-3)

struct openclaw_error {
    char path[OPENCLAW_PATH_MAX]; /* the file to look at; "" if it is about none */
    size_t line, column;          /* from 1; 0 if the trouble has no place in the text */
    char text[OPENCLAW_ERROR_TEXT_MAX];
};

/* What read checks beyond "a regular file". */
#define OPENCLAW_FS_ONE_LINK 1u /* no hard links */
#define OPENCLAW_FS_PRIVATE  2u /* ours, and nobody else may read or write it; one link */

/* Both give 0 or a negative errno. paths are absolute. */
struct openclaw_fs {
    /* The whole file, NUL added behind; *ret_text is freed with mem_free(). -EFBIG beyond
     * bytes_max, -EMLINK and -EACCES where a check of `checks` fails, -EINVAL for anything but a
     * file. */
    int (*read)(void *ud, const char *path, size_t bytes_max, unsigned checks, char **ret_text,
                size_t *ret_len);
    /* The path without symbolic links; ret_path has OPENCLAW_PATH_MAX bytes. */
    int (*resolve)(void *ud, const char *path, char *ret_path);
    void *ud;
};

/* The machine's own files. May be used from any thread; reads block as local files do. */
extern const struct openclaw_fs openclaw_fs_system;

/* Reads path, which must be absolute, and all it includes. roots are further folders that parts may
 * lie in (OPENCLAW_INCLUDE_ROOTS, already split; entries that are not absolute are ignored).
 * 0 and a new reference, or OPENCLAW_E_* with *ret_error filled and *ret_config untouched. */
int openclaw_file_load(const struct openclaw_fs *fs, const char *path, const char *const *roots,
                       size_t roots_count, json_t **ret_config, struct openclaw_error *ret_error);

/* folder/path, or path if it is absolute, without "." and "..", whatever links there are. ret_path
 * has OPENCLAW_PATH_MAX bytes. -1 if that is not enough. */
int openclaw_path_join(const char *folder, const char *path, char *ret_path);

/* The host's deep merge: objects merge, arrays are joined, else override wins; keys that could
 * reach a JavaScript prototype are left out. A new reference, or NULL without memory. */
json_t *openclaw_merge(json_t *base, json_t *override);

#endif
