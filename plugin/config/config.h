/*
 * config.h - what the user configured: the host's own openclaw.json, the environment names of the
 * skills that clawmedia replaces, and what the host passed to create. The only room that reads the
 * host's files.
 *
 * The file is read again when it has changed. A broken one is an error that names file, line and
 * column; it is never repaired or written to. While it is broken the last good state stays in use.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/env.h"
#include "base/err.h"
#include "net/net.h"
#include "providers/provider.h"

#include <jansson.h>

struct config;

/* One usable entry of models.providers. Lives until the next config_refresh that changes anything. */
struct config_provider {
    const struct provider *adapter;
    struct provider_account account;
    struct net_peer peer;   /* its origin, and its secrets */
    char fingerprint[20];   /* of the key: tells accounts apart without showing anything */
    const char *key_tail;   /* the last four of the key, for people; "" for a short one */
};

/* What a job kind's model is when the arguments do not say. */
enum config_model {
    CONFIG_MODEL_IMAGE, /* OPENCLAW_MEDIA_IMAGE_MODEL */
    CONFIG_MODEL_EDIT,  /* OPENCLAW_MEDIA_EDIT_MODEL */
    CONFIG_MODEL_VIDEO, /* OPENCLAW_MEDIA_VIDEO_MODEL */
};

/*
 * `text` is what the host passed to create: a JSON object with config_file, state_dir, workspace,
 * locale, settings, each optional. ERR_INVALID for a member of the wrong type or an unknown one.
 * A missing or broken openclaw.json is no error here: config_refresh reports it.
 */
int config_open(struct env *env, const ahp_text *text, struct config **ret_config,
                struct err *err);
void config_close(struct config *config);

/*
 * Reads the file again if it has changed since. -1 with the error while the file is broken; what was
 * good before stays. A file that is not there is an empty one.
 */
int config_refresh(struct config *config, struct err *err);

const char *config_file(const struct config *config);      /* its path, also when it is not there */
const char *config_state_dir(const struct config *config); /* ours, for the ledger */
const char *config_images_dir(const struct config *config);
const char *config_videos_dir(const struct config *config);
const char *config_locale(const struct config *config); /* or NULL */

/*
 * Should this process take up jobs that others left? Not one that ends with its answer: it would
 * begin what it cannot see through.
 */
int config_resume(const struct config *config);

/* Folders that local inputs may come from, the workspace first. */
const char *const *config_roots(const struct config *config, size_t *ret_count);

/* A member of plugins.entries.clawmedia.config, or NULL. */
const json_t *config_setting(const struct config *config, const char *name);

/* By index, in alphabetical order; NULL past the end. */
const struct config_provider *config_provider_at(const struct config *config, size_t index);
const struct config_provider *config_provider_by_id(const struct config *config, const char *id);

/*
 * The provider to use: `wanted` if it is not NULL, else OPENCLAW_MEDIA_PROVIDER, else the setting
 * default_provider, else the first in the alphabet; ret_how tells which ("argument", "environment",
 * "setting", "first"). ERR_CONFIG when nothing is configured; ERR_INVALID lists what there is.
 */
const struct config_provider *config_provider_choose(const struct config *config,
                                                     const char *wanted, const char **ret_how,
                                                     struct err *err);

/* The configured model of that kind, or NULL. */
const char *config_model(const struct config *config, enum config_model which);

/* Proxy settings as the environment has them. */
void config_net_options(const struct config *config, struct net_options *ret_options);

#endif
