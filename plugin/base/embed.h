/* The files of manifests/ as they were at build time; cmake/embed.cmake writes the table. */
#ifndef BASE_EMBED_H
#define BASE_EMBED_H

#include <jansson.h>
#include <stddef.h>

struct embed_file {
    const char *name; /* relative to manifests/, such as "tools/poll.json" */
    const char *text; /* ends in NUL, which size does not count */
    size_t size;
};

/* Ends with a row whose name is NULL. */
extern const struct embed_file embed_files[];

/*
 * The parsed file: a new reference to something shared that nobody may change. NULL: there is no
 * such file, or no memory (that they are sound the tests have seen). Any thread.
 */
json_t *embed_json(const char *name);

/*
 * A member of the file's outermost object, without reading the others: parsed, or as it stands in
 * the file, which has no white space between tokens. Both are the caller's to free, and NULL when
 * there is no such member. -1: no memory. Any thread.
 */
int embed_member(const char *name, const char *key, json_t **ret_json);
int embed_member_text(const char *name, const char *key, char **ret_text);

#endif
