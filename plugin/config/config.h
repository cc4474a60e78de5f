/*
 * config.h - what the user configured: the host's own openclaw.json, the environment names of the
 * skills that clawmedia replaces, and what the host passed to create. The only room that reads the
 * host's files.
 *
 * What the host reads is read by its rules (OpenClaw 2026.9.6; openclaw_*.h): JSON5, $include,
 * env.vars,
 * "${NAME}", .env files, secret references of the sources env and file. Not read: env.shellEnv and
 * references of the source exec, which need a child process, and the host's own secret store. The
 * host's schema is not enforced beyond what is used here; the host does that.
 *
 * Everything is read again when a file that it came from has changed, or a variable has been set or
 * has changed. A broken file is an error that names path, line and column; it is never repaired or
 * written to. While it is broken the last good state stays in use. An entry of models.providers
 * that cannot be used does not disturb the others: see config_problem_at.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/env.h"
#include "base/err.h"
#include "net/net.h"
#include "providers/provider.h"

#include <jansson.h>

struct config;

/* One usable entry of models.providers. Lives until the next config_refresh that changes anything.
 */
struct config_provider {
    const struct provider *adapter;
    struct provider_account account;
    struct net_peer peer;   /* its origin, and its secrets */
    char fingerprint[20];   /* of the key: tells accounts apart without showing anything */
    const char *key_tail;   /* the last four of the key, for people; "" for a short one */
    const char *key_source; /* where it came from, for people: a place in a file, a variable */
};

/*
 * An entry of models.providers that cannot be used. Lives as long as a config_provider. Incomplete
 * ones have no key or no address and may be somebody else's business; the others are mistakes.
 */
struct config_problem {
    const char *id;
    const char *base_url;   /* without user and query, or NULL */
    const char *key_source; /* where its key would come from, or NULL when there is no apiKey */
    const char *reason;
    int is_incomplete;
};

/* What a job kind's model is when the arguments do not say. */
enum config_model {
    CONFIG_MODEL_IMAGE, /* OPENCLAW_MEDIA_IMAGE_MODEL */
    CONFIG_MODEL_EDIT,  /* OPENCLAW_MEDIA_EDIT_MODEL */
    CONFIG_MODEL_VIDEO, /* OPENCLAW_MEDIA_VIDEO_MODEL */
};

/*
 * `text` is what the host passed to create: a JSON object with config_file, state_dir, workspace,
 * output_dir (where results are written, in images/ and videos/; without it tmp/ of the workspace),
 * locale, resume, settings, each optional. ERR_INVALID for a member of the wrong type or an unknown
 * one. A missing or broken openclaw.json is no error here: config_refresh reports it.
 */
int config_open(struct env *env, const ahp_text *text, struct config **ret_config,
                struct err *err);
void config_close(struct config *config);

/*
 * Reads the files again if one has changed since, else costs a stat for each. -1 with the error
 * while one is broken; what was good before stays. A configuration file that is not there is an
 * empty one; an included one that is not there is an error.
 */
int config_refresh(struct config *config, struct err *err);

/*
 * Why the last config_refresh failed, or NULL; with the place in the text, 0 when there is none.
 * What was read before is in use if config_root is not NULL.
 */
const struct err *config_broken(const struct config *config, size_t *ret_line, size_t *ret_column);

const char *config_file(const struct config *config);      /* its path, also when it is not there */
const char *config_state_dir(const struct config *config); /* ours, for the ledger */
const char *config_media_dir(const struct config *config); /* the host's own, that skills share */
const char *config_locale(const struct config *config); /* or NULL */

/*
 * Should this process take up jobs that others left? Not one that ends with its answer: it would
 * begin what it cannot see through.
 */
int config_resume(const struct config *config);

/*
 * Where results of a kind ("image" or "video") go: below `given`, the caller's own folder, or NULL
 * for ours; but a folder that the user has named in the environment is final. mem_free; NULL: no
 * memory.
 */
char *config_output_dir(const struct config *config, const char *given, const char *kind);

/*
 * Folders that local inputs may come from, the workspace first; that and the folder of results are
 * the caller's own, or ours for NULL. Returns their count; borrowed.
 */
#define CONFIG_ROOTS_MAX 16
#define CONFIG_ROOT_WORKSPACE 0
#define CONFIG_ROOT_OUTPUT 1
size_t config_roots(const struct config *config, const char *workspace, const char *output_dir,
                    const char *ret_roots[CONFIG_ROOTS_MAX]);

/* A member of plugins.entries.clawmedia.config, checked against config.schema.json; or NULL. */
const json_t *config_setting(const struct config *config, const char *name);

/* When a person is asked before money is spent, and how much may be. */
struct config_spending {
    int asks;         /* 0: never */
    double above;     /* asks: at estimates above this, and at those that are not known; < 0: always */
    char currency[8]; /* of `above`; "": whatever the estimate is in */
    double day;          /* the most in 24 hours, < 0: no limit */
    double conversation; /* the most in a conversation, < 0: no limit */
    char limits_currency[8];
};
void config_spending(const struct config *config, struct config_spending *ret_spending);

/* The whole configuration as the host resolves it, secret references left alone; NULL before the
 * first good config_refresh. */
const json_t *config_root(const struct config *config);

/*
 * A variable as the host's configuration sees it: the process, .env files, env.vars; NULL when it
 * is not set or empty. ret_source (may be NULL) is "environment", the path of a .env file, or
 * "env.vars". Value and source live as long as a config_provider.
 */
const char *config_variable(const struct config *config, const char *name, const char **ret_source);

/*
 * The same, or else what skills.entries.<skill> sets, unless it is off; its source then is
 * "skills.entries".
 */
const char *config_skill_variable(const struct config *config, const char *skill, const char *name,
                                  const char **ret_source);

/* By index, in alphabetical order; NULL past the end. */
const struct config_provider *config_provider_at(const struct config *config, size_t index);
/* Services that could be logged in to, of which the configuration says nothing; by index. */
const struct config_provider *config_login_at(const struct config *config, size_t index);
const struct config_provider *config_provider_by_id(const struct config *config, const char *id);

/* 1 for a service that needs no entry in models.providers, configured or not. */
int config_provider_is_builtin(const char *id);

/* 1 for a service whose account comes by a login (account->signed_in). */
int config_provider_logs_in(const char *id);

/*
 * How a change to a file of ours ended, on the loop and never inline; but not when the instance
 * ends first. `changed`: 1 it is on disk, 0 there was nothing to change, -1 with err. Such changes
 * are written off the loop where the host can, one after the other in the order of the calls; the
 * next config_refresh sees them.
 */
typedef void config_saved_fn(void *ud, int changed, const struct err *err);
int config_is_saving(const struct config *config); /* done is still to come: no end before it */

/*
 * The file in which a built-in account's own tools keep its secrets (credential.c), 0600 in a
 * folder of 0700. Saving replaces what was there; a file that is no JSON object is set aside first,
 * as <name>.damaged. Removing what is not there is fine. 0: done follows; -1: nothing was begun,
 * ERR_CONFIG when that account has no file. done: ERR_IO.
 */
int config_credential_path(const struct config *config, const char *id, char *ret_path,
                           size_t size); /* 0, or -1: it has none */
int config_credential_save(struct config *config, const char *id, const json_t *members,
                           config_saved_fn *done, void *ud, struct err *err);
int config_credential_remove(struct config *config, const char *id, config_saved_fn *done, void *ud,
                             struct err *err);
/*
 * Puts one text into that file, or with value NULL takes it out; all else in it stays. `name` is a
 * secret's or a setting's in the catalogue. CONFIG_MEMBER_NONE: that account keeps no such thing in
 * a file, or gets it by a login; done does not follow. -1: ERR_INVALID for a value that is none of
 * this account's. done: ERR_CONFIG for a file that is no JSON object, which is left as it is,
 * ERR_IO.
 */
#define CONFIG_MEMBER_NONE 1
int config_credential_member(struct config *config, const char *id, const char *name,
                             const char *value, config_saved_fn *done, void *ud, struct err *err);

/*
 * The name under which that service knows this machine and user: always the same, and it tells
 * nothing. By its catalogue's `device`: a variable, or else a prefix and 16 hexadecimal digits.
 */
void config_device_name(const struct config *config, const char *id, char *ret_name, size_t size);

/* The entries that cannot be used, by index, in alphabetical order; NULL past the end. */
const struct config_problem *config_problem_at(const struct config *config, size_t index);

/*
 * The provider to use: `wanted` if it is not NULL, else OPENCLAW_MEDIA_PROVIDER, else what
 * set_default chose, else the setting default_provider, else the first in the alphabet; ret_how
 * tells which ("argument", "environment", "set_default", "setting", "first"). ERR_CONFIG when
 * nothing is configured, or the file of set_default is broken; ERR_INVALID lists what there is.
 */
const struct config_provider *config_provider_choose(const struct config *config,
                                                     const char *wanted, const char **ret_how,
                                                     struct err *err);

/*
 * The same for a request of that kind: before "first" comes the provider of the host's own
 * agents.defaults.mediaModels, if it is one of ours; ret_how is "host" then.
 */
const struct config_provider *config_provider_choose_for(const struct config *config,
                                                         enum config_model which,
                                                         const char *wanted, const char **ret_how,
                                                         struct err *err);

/* The model of that kind that the skills' variables name, or NULL. */
const char *config_model(const struct config *config, enum config_model which);

/*
 * The model to use with that provider when the arguments do not say, or NULL when that is for the
 * adapter to decide (settings of the provider included): the skills' variables, then set_default's,
 * then the host's default if that is this provider's.
 */
const char *config_model_for(const struct config *config, enum config_model which,
                             const struct config_provider *provider);

/*
 * The same, and who decides: "environment", "set_default", "host"; with NULL "setting", when our
 * settings name one, or "provider", when it is the adapter's own choice.
 */
const char *config_model_choose(const struct config *config, enum config_model which,
                                const struct config_provider *provider, const char **ret_how);

const char *config_kind_name(enum config_model which); /* "image", "edit", "video" */

/* Why what set_default stored cannot be read, or NULL. */
const struct err *config_defaults_broken(const struct config *config);

/*
 * A change to what set_default stored. All texts are copied; what is configured is not checked
 * here. `kind` NULL with a provider: it is the default of every kind from now on.
 */
struct config_default_change {
    int clear;                  /* first forget what was chosen, for `kind` or everything */
    const char *kind;           /* config_kind_name's, or NULL: all */
    const char *provider;       /* the new default, or NULL: as it was */
    const char *model;          /* the new default of model_provider for `kind`, or NULL */
    const char *model_provider; /* with model */
};

/* Stores it. 0: done follows; -1: nothing was begun. done: ERR_BUSY while another process does the
 * same. */
int config_defaults_save(struct config *config, const struct config_default_change *change,
                         config_saved_fn *done, void *ud, struct err *err);

/*
 * Proxy settings: the configuration's proxy.proxyUrl and OPENCLAW_PROXY_URL, unless proxy.enabled
 * is false; else the usual variables. Live as long as a config_provider. A change takes effect when
 * the instance is made anew.
 */
void config_net_options(const struct config *config, struct net_options *ret_options);

#endif
