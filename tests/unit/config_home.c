/* config_home.c - see config_home.h. */
#include "config_home.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const movers[] = {
    "OPENCLAW_CONFIG_PATH",        "OPENCLAW_CONFIG",
    "OPENCLAW_STATE_DIR",          "OPENCLAW_HOME",
    "OPENCLAW_PROFILE",            "OPENCLAW_INCLUDE_ROOTS",
    "OPENCLAW_MEDIA_PROVIDER",     "OPENCLAW_MEDIA_IMAGE_MODEL",
    "OPENCLAW_MEDIA_EDIT_MODEL",   "OPENCLAW_MEDIA_VIDEO_MODEL",
    "MEDIA_GENERATION_OUTPUT_ROOT", "USERPROFILE",
    "OPENCLAW_PROXY_URL",          "HTTPS_PROXY",
    "https_proxy",                 "http_proxy",
    "ALL_PROXY",                   "all_proxy",
    "NO_PROXY",                    "no_proxy",
    "SSL_CERT_FILE",               "CM_KEY",
    "CM_OTHER",
};

static void forget(void)
{
    for (size_t i = 0; i < sizeof(movers) / sizeof(*movers); i++)
        unsetenv(movers[i]);
}

int home_make(void **state)
{
    struct home *home = calloc(1, sizeof(*home));

    if (!home || !getcwd(home->cwd, sizeof(home->cwd)))
        return -1;
    forget();
    snprintf(home->path, sizeof(home->path), "/tmp/clawmedia-home-XXXXXX");
    if (!mkdtemp(home->path) || chdir(home->path) || setenv("HOME", home->path, 1) ||
        mini_init(&home->mini, 0))
        return -1;
    *state = home;
    return 0;
}

static int drop_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    return remove(path);
}

int home_remove(void **state)
{
    struct home *home = *state;
    int rc;

    home_close(home);
    env_done(&home->mini.env);
    forget();
    rc = chdir(home->cwd) | nftw(home->path, drop_one, 16, FTW_DEPTH | FTW_PHYS);
    free(home);
    return rc;
}

char *home_path(const struct home *home, const char *name)
{
    char path[4200];

    snprintf(path, sizeof(path), "%s%s%s", home->path, *name ? "/" : "", name);
    return strdup(path);
}

void home_put_mode(const struct home *home, const char *name, const char *text, unsigned mode)
{
    char *path = home_path(home, name), *slash = path + strlen(home->path);
    FILE *out;

    while ((slash = strchr(slash + 1, '/'))) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    out = fopen(path, "wbe");
    assert_non_null(out);
    for (; *text; text++)
        assert_true(*text == '@' ? fputs(home->path, out) >= 0 : fputc(*text, out) != EOF);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(path, mode), 0);
    free(path);
}

void home_put(const struct home *home, const char *name, const char *text)
{
    home_put_mode(home, name, text, 0600);
}

void home_drop(const struct home *home, const char *name)
{
    char *path = home_path(home, name);

    assert_int_equal(unlink(path), 0);
    free(path);
}

int home_try(struct home *home, const char *given)
{
    ahp_text text = {given ? given : "", given ? strlen(given) : 0};

    home_close(home);
    if (config_open(&home->mini.env, &text, &home->config, &home->err))
        fail_msg("config_open: %s", home->err.text);
    return config_refresh(home->config, &home->err);
}

void home_open(struct home *home, const char *given)
{
    if (home_try(home, given))
        fail_msg("config_refresh: %s", home->err.text);
}

void home_close(struct home *home)
{
    config_close(home->config);
    home->config = NULL;
}
