/*
 * What the files of the OpenAI-compatible provider share.
 *
 * Source of every shape: the official OpenAI API description 2.3.0 and SDK 6.49.0 for images and
 * videos, and the published shapes of relay services for the rest (see the fact sheet in the
 * README's references).
 */
#ifndef CLAWMEDIA_SIM_OPENAI_H
#define CLAWMEDIA_SIM_OPENAI_H

#include "sim.h"

#define OPENAI_OUTPUTS_MAX 10

/* A checked picture request, generation or edit. */
struct openai_picture {
    struct sim_media_spec spec;
    const char *prompt;
    const char *size_text;
    const char *quality;
    const char *format;
    const char *background;
    int64_t count;
    int64_t partials;
    bool stream;
    bool edit;
    char want[16]; /* "url", "b64_json" or "" */
};

void openai_refuse(struct sim_request *r, unsigned status, const char *code, const char *param,
                   const char *message);

/* Reads and checks the fields common to generations and edits; false: the answer is set. */
bool openai_picture_read(struct sim_request *r, struct openai_picture *p);
/* Charges and answers. */
void openai_picture_answer(struct sim_request *r, const struct openai_picture *p);

void openai_images_generate(struct sim_request *r);
void openai_images_edit(struct sim_request *r);

void openai_video_create(struct sim_request *r);
void openai_video_get(struct sim_request *r);
void openai_video_list(struct sim_request *r);
void openai_video_content(struct sim_request *r);
void openai_video_remix(struct sim_request *r);
void openai_video_delete(struct sim_request *r);

void openai_relay_create(struct sim_request *r);
void openai_relay_get(struct sim_request *r);
void openai_status_get(struct sim_request *r);

/* A job of this account by id, or NULL with the answer set; counts the poll. */
struct sim_job *openai_job_poll(struct sim_request *r, const char *id);
/* Reads the size of a video and makes its job and file; the request is checked. Charges. */
struct sim_job *openai_job_new(struct sim_request *r, const char *family, const char *prefix,
                               int width, int height, int64_t seconds);
/* Adds the result's address to a finished family A object, as video_mode and video_edge ask. */
void openai_shape_result(struct sim_request *r, struct sim_job *j, json_t *o);
/* The create answer of modes that finish at once and bring the video along; false: another mode. */
bool openai_shape_at_once(struct sim_request *r, struct sim_job *j);
/* The status word of a state in the job's dialect. */
const char *openai_word(const struct sim_job *j, enum sim_job_state state);

#endif
