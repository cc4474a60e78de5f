/*
 * parcel.h - one delivery on its way into the outbox folder: plain file work, no loop, no ABI
 * calls, so it may run on any thread as long as it is one at a time.
 *
 * Files first, then the message: media are copied beside it, synced and renamed, and the message is
 * linked under its final name last. So a message that can be seen is complete, and a kill at any
 * moment leaves either none or a whole one. Linking refuses a name that is there: two hosts on one
 * folder never write one key twice.
 */
#ifndef CLI_PARCEL_H
#define CLI_PARCEL_H

#include <ahp/deliver.h>

/* One step copies at most so much, so that a step never holds a loop for long. */
#define PARCEL_STEP_BYTES (256u * 1024u)

enum parcel_end {
    PARCEL_WRITTEN, /* the message is in the folder, or in held/ */
    PARCEL_REPEAT,  /* it was there already */
    PARCEL_GONE,    /* a file of it cannot be read: it will never be complete */
    PARCEL_FAILED   /* the folder could not be written: maybe later */
};

struct parcel;

/* Copies what it needs. With is_held the message goes into held/, for parcel_release. NULL: no
 * memory. At most AHP_FILES_MAX files. */
struct parcel *parcel_new(const char *dir, const ahp_delivery *delivery, int is_held);

/* Does a piece of the work. 0: call again; 1: done, see parcel_end_get. */
int parcel_step(struct parcel *p);

enum parcel_end parcel_end_get(const struct parcel *p);
const char *parcel_error(const struct parcel *p);
const char *parcel_key(const struct parcel *p);
const char *parcel_job(const struct parcel *p);
const char *parcel_reply_to(const struct parcel *p);

/* The first picture in the folder, or NULL: when it is written. */
const char *parcel_picture(const struct parcel *p);

/* The message's file name in the folder. */
const char *parcel_file(const struct parcel *p);

/* Closes and removes what is unfinished. NULL is ignored. */
void parcel_free(struct parcel *p);

/*
 * Puts a held message in its place, durably. It stays in held/ too, as the mark that its receipt is
 * not settled. As parcel_end: PARCEL_REPEAT when it was in its place already; `file` as
 * parcel_file.
 */
enum parcel_end parcel_release(const char *dir, const char *file);

/* The receipt of that key is settled: removes its mark in held/, if there is one. */
void parcel_settle(const char *dir, ahp_text key);

/* Adds a line to repeats.log. */
void parcel_note_repeat(const char *dir, const char *key, uint32_t attempt);

/* Removes what killed processes left half-written in that folder. A folder that is not there is
 * ok. */
void parcel_sweep(const char *dir);

/* fsync of a folder; 0 or -1. */
int parcel_sync_dir(const char *path);

#endif
