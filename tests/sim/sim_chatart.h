/*
 * What the files of provider "chatart" share: the account by login, images, videos and character
 * replacement as the published ChatArt skill speaks them, and the storage host uploads go to.
 *
 * Every answer is an envelope {"code","message","data"} with HTTP 200, mistakes included. The
 * storage host answers in XML, as object storage does; it lives under /oss/{bucket}/{key} here.
 */
#ifndef CLAWMEDIA_SIM_CHATART_H
#define CLAWMEDIA_SIM_CHATART_H

#include "sim.h"

#define CHATART_BUCKET "sim-uploads"
#define CHATART_REGION "us-sim-1"

/* Small stores of JSON objects; nothing here is ever large. */
struct sim_chatart {
    json_t *logins;      /* device -> {code, state, polls, key} */
    json_t *credentials; /* access key id -> {secret, token, expires_s, account} */
    json_t *objects;     /* "bucket/key" -> {bytes, sha256, crc64, type, width, height} */
    json_t *unbound;     /* identity -> true */
};

/* Answers with {"code":200,"message":"success","data":…}. */
void chatart_answer_take(struct sim_request *r, json_t *data);
void chatart_refuse(struct sim_request *r, unsigned status, const char *code, const char *param,
                    const char *message);
/* This server's own origin, without a slash at the end. */
void chatart_origin(const struct sim_request *r, char *buf, size_t size);

void chatart_login_init(struct sim_request *r);
void chatart_login_token(struct sim_request *r);
void chatart_login_page(struct sim_request *r);
void chatart_unbind(struct sim_request *r);

void chatart_upload_policy(struct sim_request *r);
void chatart_oss_put(struct sim_request *r);
/* Is the address one of this storage host's? Then *ret_object is its object, or NULL. */
bool chatart_is_upload(struct sim_request *r, const char *url, const json_t **ret_object);

void chatart_art_create(struct sim_request *r);
void chatart_video_create(struct sim_request *r);
void chatart_art_state(struct sim_request *r);
void chatart_video_state(struct sim_request *r);
void chatart_art_history(struct sim_request *r);
void chatart_video_history(struct sim_request *r);

/* Credits of a picture; -1: the model does not take these. NULL quality: none was sent. */
int64_t chatart_price_image(const char *model, int64_t definition, const char *quality,
                            int64_t scale);
/* What a video request is; see sim_chatart_price.c for the letters. */
#define CHATART_TEXT   1u
#define CHATART_SINGLE 2u
#define CHATART_FRAMES 4u
#define CHATART_OMNI   8u
#define CHATART_EXTEND 16u
int64_t chatart_price_video(const char *model, unsigned mode, const char *quality, int64_t seconds,
                            const char *ratio);
int64_t chatart_price_replace(const char *model, const char *mode, const char *quality,
                              int64_t seconds);

#endif
