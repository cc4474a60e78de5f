/*
 * libtv_rig.h - conversations with the LibTV adapter at either of its doors: the personal API (the
 * account "libtv") and the gateway ("nexu"). Every request that is looked at is looked at for its
 * door too: the key, the header it is in, and the host it goes to.
 */
#ifndef TESTS_LIBTV_RIG_H
#define TESTS_LIBTV_RIG_H

#include "unit/provider_rig.h"

#include "providers/libtv/libtv.h"

#define MEDIA "https://libtv-res.liblib.art/sd-gen-save-img/"
#define CLAW  "https://libtv-res.liblib.art/claw/"

/* One message each, as JSON: the agent calls a tool, the tool answers, the agent says something. */
#define CALL(seq)                                                                                  \
    "{\"seq\":" seq ",\"role\":\"assistant\",\"content\":\"Working\",\"toolCalls\":[{\"id\":\"c"   \
    seq "\"}]}"
#define TOOL(seq, call, content)                                                                   \
    "{\"seq\":" seq ",\"role\":\"tool\",\"toolCallId\":\"" call "\",\"content\":\"" content "\"}"
#define SAYS(seq, content) "{\"seq\":" seq ",\"role\":\"assistant\",\"content\":\"" content "\"}"
/* The first two of a turn: the tool c2, and its answer. */
#define CALLED(content) CALL("2") "," TOOL("3", "c2", content)
/* What a tool that made a video answers. */
#define VIDEO(url)                                                                                 \
    "{\\\"task_result\\\":{\\\"status\\\":\\\"success\\\",\\\"videos\\\":[{\\\"previewPath\\\":"   \
    "\\\"" url "\\\"}]}}"

extern const char *const doors[2];       /* "libtv" and "nexu" */
extern const char *const door_bound;     /* the personal API's answer to a session or a submit */
extern const char *const door_begun;     /* the gateway's answer to a submit */
extern const char *const door_uses;      /* the gateway's answer about a key with a use left */
extern const char *const door_from_file; /* arguments with a first frame, /w/a.png as k-a */

int door_is_gate(const struct talk *talk);

struct provider_account door_account(const char *id, const json_t *settings);
/* Plans, which must go well. */
void door_open(struct talk *talk, const char *id, const char *tool, const char *args);
/* Plans a video of "a boat 16:9" and goes on up to its submit. */
void door_order(struct talk *talk, const char *id);

/* The step must be this request, to the talk's own door. */
void door_sends(const struct talk *talk, const char *method, const char *path,
                enum http_effect effect);
void door_check(const struct talk *talk);

/* From the start up to the submit, with nothing said before. */
void door_to_submit(struct talk *talk);
/* A new order, up to the first question about the messages of session s-1. */
void door_to_poll(struct talk *talk, const char *id);
/* The messages are answered with these, in the form of the door, ours before them. */
void door_hear(struct talk *talk, const char *messages);

#endif
