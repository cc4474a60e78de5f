/*
 * file.h - small files that are whole or not there: what we keep or leave for other programs beside
 * the ledger and the media. Blocks for file access: off the loop where it can be. Any thread.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

/* All of it, whatever the number of writes that takes. -1 with errno. */
int file_write_all(int fd, const char *data, size_t len);

/*
 * Writes a new file beside `path`, syncs it and renames it over what was there; the folder is
 * synced too. Missing folders are made, for everybody to read if the file is (mode 0644), else
 * private. On failure what was there stays, and nothing half-written does. ERR_IO names the path;
 * ERR_NOMEM.
 */
int file_replace(const char *path, const char *data, size_t len, mode_t mode, struct err *err);

#endif
