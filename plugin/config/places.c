/*
 * places.c - where the host's files and our own are, by the host's rules (OpenClaw 2026.9.6:
 * home-dir, paths, dotenv-global) and the skills' OPENCLAW_CONFIG. Found once, when the instance is
 * made: the host, too, does not follow these variables while it runs.
 */
#include "config/config_private.h"

#include "base/mem.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPACE " \t\n\v\f\r"
#define ACCOUNT_BYTES_MAX 16384

/*
 * A variable without the space around it, or NULL if nothing is left. The caller frees. *failed
 * becomes 1 without memory: what is not there and what could not be copied lead to other places.
 */
static char *trimmed(const char *text, int *failed)
{
    char *copy;
    size_t len;

    if (!text)
        return NULL;
    text += strspn(text, SPACE);
    for (len = strlen(text); len && strchr(SPACE, text[len - 1]); len--)
        ;
    if (!len)
        return NULL;
    copy = mem_text_n(text, len);
    if (!copy)
        *failed = 1;
    return copy;
}

/* As a home folder these two are what a careless script wrote, not names. */
static char *home_variable(const char *name, int *failed)
{
    char *home = trimmed(getenv(name), failed);

    if (home && (strcmp(home, "undefined") == 0 || strcmp(home, "null") == 0)) {
        mem_free(home);
        home = NULL;
    }
    return home;
}

static char *account_home(int *failed)
{
    char *room = mem_alloc(ACCOUNT_BYTES_MAX);
    struct passwd account, *found = NULL;
    char *home = NULL;

    if (room && getpwuid_r(geteuid(), &account, room, ACCOUNT_BYTES_MAX, &found) == 0 && found)
        home = trimmed(found->pw_dir, failed);
    if (!room)
        *failed = 1;
    mem_free(room);
    return home;
}

/* text from the working directory; "~" and "~/" is home. NULL without memory or if it is too long.
 */
static char *resolve(const char *home, const char *text)
{
    char cwd[PATH_MAX], path[OPENCLAW_PATH_MAX];
    char *joined = NULL, *result = NULL;

    if (!getcwd(cwd, sizeof(cwd)))
        memcpy(cwd, "/", 2);
    if (home && text[0] == '~' && (text[1] == '/' || !text[1]))
        joined = mem_format("%s%s", home, text + 1);
    else
        joined = mem_text(text);
    if (joined && openclaw_path_join(cwd, joined, path) == 0)
        result = mem_text(path);
    mem_free(joined);
    return result;
}

/* OPENCLAW_HOME, else HOME, else USERPROFILE, else the account's, else the working directory. */
static char *find_home(void)
{
    int failed = 0;
    char *wanted = home_variable("OPENCLAW_HOME", &failed);
    char *home = home_variable("HOME", &failed);
    char *result = NULL;

    if (!home)
        home = home_variable("USERPROFILE", &failed);
    if (!home)
        home = account_home(&failed);
    if (!failed)
        result = resolve(home, wanted ? wanted : home ? home : ".");
    mem_free(wanted);
    mem_free(home);
    return result;
}

char *config_place(const struct config *config, const char *path)
{
    int failed = 0;
    char *text = trimmed(path, &failed);
    char *result = text ? resolve(config->home, text) : NULL;

    mem_free(text);
    return result;
}

static int is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* folder/name if it is there. 0, or -1 without memory. */
static int take_if_there(char **ret_path, const char *folder, const char *name)
{
    char *path = mem_format("%s/%s", folder, name);

    if (!path)
        return -1;
    if (!*ret_path && is_there(path))
        *ret_path = path;
    else
        mem_free(path);
    return 0;
}

/* OPENCLAW_STATE_DIR, else ~/.openclaw, but the older ~/.clawdbot where only that is there. */
static int find_host_state(struct config *config, char *const *folders)
{
    int failed = 0;
    char *wanted = trimmed(getenv("OPENCLAW_STATE_DIR"), &failed);

    if (wanted)
        config->host_state = resolve(config->home, wanted);
    else if (!failed)
        config->host_state =
            mem_text(!is_there(folders[0]) && is_there(folders[1]) ? folders[1] : folders[0]);
    mem_free(wanted);
    return config->host_state ? 0 : -1;
}

/* Without an override: the first that is there, else where the host would make one. */
static int find_default_file(struct config *config, char *const *folders)
{
    static const char *const names[] = {"openclaw.json", "clawdbot.json"};
    int has_state = getenv("OPENCLAW_STATE_DIR") &&
                    getenv("OPENCLAW_STATE_DIR")[strspn(getenv("OPENCLAW_STATE_DIR"), SPACE)];

    for (size_t i = 0; i < 2; i++)
        if (take_if_there(&config->file, config->host_state, names[i]))
            return -1;
    for (size_t i = 0; !has_state && i < 4; i++)
        if (take_if_there(&config->file, folders[i / 2], names[i % 2]))
            return -1;
    if (!config->file)
        config->file = mem_format("%s/openclaw.json", config->host_state);
    return config->file ? 0 : -1;
}

/*
 * What the host passed, else OPENCLAW_CONFIG_PATH, the host's name for it, else OPENCLAW_CONFIG,
 * the skills'.
 */
static int find_file(struct config *config, const char *given, char *const *folders,
                     int *ret_is_own)
{
    int failed = 0;
    char *wanted = trimmed(given ? given : getenv("OPENCLAW_CONFIG_PATH"), &failed);

    if (!wanted && !given)
        wanted = trimmed(getenv("OPENCLAW_CONFIG"), &failed);
    *ret_is_own = wanted != NULL;
    if (!wanted)
        return failed || given ? -1 : find_default_file(config, folders);
    config->file = resolve(config->home, wanted);
    mem_free(wanted);
    return config->file ? 0 : -1;
}

/*
 * The .env of the state folder, which is that of the file where only the file was moved; and
 * gateway.env, which belongs to the default state folder.
 */
static int find_dotenvs(struct config *config, int is_own_file)
{
    int failed = 0;
    char *wanted = trimmed(getenv("OPENCLAW_STATE_DIR"), &failed);
    char *usual = mem_format("%s/.openclaw/.env", config->home);
    int rc = -1;

    if (wanted) {
        config->dotenv = mem_format("%s/.env", config->host_state);
    } else if (is_own_file) {
        const char *slash = strrchr(config->file, '/');

        config->dotenv = mem_format("%.*s/.env", (int)(slash - config->file), config->file);
    } else {
        config->dotenv = usual ? mem_text(usual) : NULL;
    }
    if (failed || !usual || !config->dotenv)
        goto out;
    if (!getenv("OPENCLAW_STATE_DIR") || strcmp(usual, config->dotenv) == 0) {
        config->gateway = mem_format("%s/.config/openclaw/gateway.env", config->home);
        if (!config->gateway)
            goto out;
    }
    rc = 0;
out:
    mem_free(wanted);
    mem_free(usual);
    return rc;
}

/* A path among what create got; *ret_text stays as it is when it is not there. */
static int given_path(const json_t *given, const char *name, const char **ret_text,
                      struct err *err)
{
    const json_t *value = json_object_get(given, name);

    if (!value)
        return 0;
    if (!json_is_string(value) || !json_string_length(value))
        return err_field(err, name, "%s must be a path as text", name);
    *ret_text = json_string_value(value);
    return 0;
}

/* MEDIA_GENERATION_OUTPUT_ROOT, which is the user's word; else what create got; else tmp/. */
static int find_outputs(struct config *config, const char *given)
{
    int failed = 0;
    char *output = trimmed(getenv("MEDIA_GENERATION_OUTPUT_ROOT"), &failed);
    char path[OPENCLAW_PATH_MAX];

    if (failed)
        return -1;
    if (output && output[0] == '~')
        config->output_root = resolve(config->home, output);
    else if (!output && given)
        config->output_root = resolve(config->home, given);
    else if (openclaw_path_join(config->workspace, output ? output : "tmp", path) == 0)
        config->output_root = mem_text(path);
    config->output_is_fixed = output != NULL;
    mem_free(output);
    if (!config->output_root)
        return -1;
    config->media_dir = mem_format("%s/media", config->host_state);
    return config->media_dir ? 0 : -1;
}

int config_places_find(struct config *config, const json_t *given, struct err *err)
{
    const char *file = NULL, *state = NULL, *workspace = ".", *output = NULL;
    char *folders[2] = {NULL, NULL}, *own_state = NULL;
    int is_own_file, rc = -1;

    if (given_path(given, "config_file", &file, err) ||
        given_path(given, "state_dir", &state, err) ||
        given_path(given, "workspace", &workspace, err) ||
        given_path(given, "output_dir", &output, err))
        return -1;
    err_set(err, ERR_NOMEM, "no memory, or a path of more than %d bytes", OPENCLAW_PATH_MAX);
    config->home = find_home();
    if (config->home) {
        folders[0] = mem_format("%s/.openclaw", config->home);
        folders[1] = mem_format("%s/.clawdbot", config->home);
    }
    if (!folders[0] || !folders[1] || find_host_state(config, folders) ||
        find_file(config, file, folders, &is_own_file) || find_dotenvs(config, is_own_file))
        goto out;
    own_state = mem_format("%s/clawmedia", config->host_state);
    if (!own_state)
        goto out;
    config->state_dir = resolve(config->home, state ? state : own_state);
    config->workspace = resolve(config->home, workspace);
    if (!config->state_dir || !config->workspace || find_outputs(config, output))
        goto out;
    rc = 0;
out:
    mem_free(folders[0]);
    mem_free(folders[1]);
    mem_free(own_state);
    return rc;
}
