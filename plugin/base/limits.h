/*
 * limits.h - every bound of the plugin, in one place. Growth past one of them is an error that
 * names it. Bytes, milliseconds and counts; a limit that a provider sets lives in its catalogue
 * instead.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* Ids and short texts, the terminating NUL included. */
#define LIMIT_ID 24       /* "job_" and 8 letters, with room */
#define LIMIT_PATH 4096   /* as PATH_MAX */
#define LIMIT_URL 8192    /* longer ones are refused before they are sent */
#define LIMIT_MIME 64
#define LIMIT_ERR_TEXT 480

/* Arguments and JSON. */
#define LIMIT_ARGS_BYTES (4u * 1024u * 1024u)
#define LIMIT_FOLDERS 64 /* that a call brings along */
#define LIMIT_PROMPT_BYTES (128u * 1024u)
#define LIMIT_JSON_DEPTH 64 /* deeper answers are refused before a parser recurses into them */
#define LIMIT_JSON_VALUES 131072 /* of one answer; each takes some hundred bytes once parsed */
#define LIMIT_JSON_WORDS 4096 /* bytes of a text that known words are looked for in */
#define LIMIT_CONFIG_BYTES (16u * 1024u * 1024u)

/* HTTP. */
#define LIMIT_HEADERS 16               /* of a request */
#define LIMIT_PARTS 40                 /* of a multipart request: 16 files and its fields */
#define LIMIT_HEADER_BYTES (64u * 1024u) /* of an answer, all together */
#define LIMIT_TEXT_BYTES (4u * 1024u * 1024u) /* of an answer kept in memory, base64 not counted */
#define LIMIT_REDIRECTS 5
#define LIMIT_TRANSFERS 256            /* side by side; further ones wait their turn */
#define LIMIT_TRANSFERS_PER_ORIGIN 32
#define LIMIT_CONNECT_MS 20000
#define LIMIT_STALL_MS 60000           /* a transfer without a byte for so long has failed */
#define LIMIT_STALL_BYTES 1024         /* a file that brings less in that time has stood still */
#define LIMIT_ADDRESSES 16             /* of one name */

/* Media. */
#define LIMIT_BLOBS 16                           /* base64 files in one answer */
#define LIMIT_FILES 16                           /* results of one job */
#define LIMIT_IMAGE_BYTES (256u * 1024u * 1024u) /* of one picture */
#define LIMIT_VIDEO_BYTES (8ull * 1024u * 1024u * 1024u)
#define LIMIT_INPUT_BYTES (256u * 1024u * 1024u) /* of one local input file */
#define LIMIT_SPILL_RUN 4096 /* a run of base64 letters at least this long is a file, not text */

/* Pictures that are looked into. */
#define LIMIT_IMAGING_PIXELS (128u * 1024u * 1024u)      /* of one picture, or of a canvas */
#define LIMIT_IMAGING_WHOLE_PIXELS (50u * 1024u * 1024u) /* where a decoder holds all of it */
#define LIMIT_IMAGING_SIDE 65535
#define LIMIT_IMAGING_MEMORY (32u * 1024u * 1024u) /* larger planes lie in a file */
#define LIMIT_IMAGING_RUNS (8u * 1024u * 1024u) /* pieces of rows in a search for the largest part */
#define LIMIT_IMAGING_REGIONS 32
#define LIMIT_IMAGING_PICTURES 1024 /* on one contact sheet */
#define LIMIT_IMAGING_CELL_PX 1024
#define LIMIT_IMAGING_GROW_PX 256
#define LIMIT_IMAGING_FEATHER_PX 256
#define LIMIT_IMAGING_QUEUE 256 /* jobs that wait, in one instance */

/* Jobs. */
#define LIMIT_JOBS 20000       /* unfinished in one process */
#define LIMIT_CALLS 4096       /* open at once */
#define LIMIT_FLOW_BYTES 65536 /* an adapter's saved state */
#define LIMIT_UPLOADS 16       /* local files of one job */
#define LIMIT_BATCH 10000      /* items of one batch */
#define LIMIT_RETRIES 8        /* of one request that may be repeated */
#define LIMIT_SUBMITS 4        /* retries of a submit that certainly was not carried out */
#define LIMIT_DELIVERY_TRIES 8
#define LIMIT_LIST 100         /* rows of one listing */

/* The ledger. */
#define LIMIT_LEDGER_OPS 65536 /* queued at once */
#define LIMIT_LEDGER_BATCH 64 /* in one transaction; what follows from it runs in one turn */
#define LIMIT_LEDGER_SCAN 64  /* jobs taken by one scan; a full answer means: scan again */

/* Times, ms. */
#define LEASE_MS 30000           /* a process that is silent for so long has lost its jobs */
#define LEASE_RENEW_MS 10000
#define LEASE_SCAN_MS 2000       /* how often somebody else's abandoned jobs are looked for */
#define LEDGER_BUSY_MS 15000   /* an operation gives up when another process writes for so long */
#define DEDUP_WINDOW_MS 120000
#define DEDUP_HOST_MS (24 * 3600 * 1000) /* of a key that the host gave */
#define STOP_MS 5000

#define LIMIT_RETRY_AFTER_MS (15 * 60 * 1000) /* of what a service asks for */
/* A finished job's file whose host gives no answer, or none but "not now", is asked for so long. */
#define LIMIT_FETCH_MS (12 * 3600 * INT64_C(1000))

/* Requests that ask how jobs are doing, an account and second, where a catalogue says nothing. */
#define PACE_PER_SECOND 20

#endif
