/*
 * saving.c - the small files that config/ writes: off the loop where the host can, and one after
 * the other, so that two changes to one file are both in it. What was begun is written even when
 * the instance ends meanwhile; only nobody is told then.
 */
#include "config/config_private.h"

#include "base/mem.h"

#include <utlist.h>

/* More callers than people who log in or choose a default at the same moment. */
#define SAVINGS_MAX 64

/* The one at the head of the list is under way, or was and is about to be told. */
struct config_saving {
    struct config_saving *prev;
    struct config_saving *next;
    struct config *config;
    void *item;
    config_write_fn *write;
    config_drop_fn *drop;
    int changed;
    struct err err;
    config_saved_fn *done;
    void *ud;
};

/* Off the loop: touches nothing but its item. */
static void save(void *item)
{
    struct config_saving *it = item;

    it->changed = it->write(it->item, &it->err);
}

static void end(struct config_saving *it)
{
    if (!it->config->env->ending)
        it->done(it->ud, it->changed, it->changed < 0 ? &it->err : NULL);
    it->drop(it->item);
    mem_free(it);
}

static void saved(void *item, int32_t cancelled);

/* 1: it is under way, 0: over. At the end of the instance there is nobody to do it but us. */
static int begin(struct config_saving *it)
{
    struct env *env = it->config->env;

    if (env->ending)
        save(it);
    else if (env_work(env, it, save, saved) == 0)
        return 1;
    else
        it->changed = err_nomem(&it->err);
    return 0;
}

/*
 * The next one begins before anybody hears of this one: who then adds another finds it in the list.
 * After the last one's `end` nothing is touched, as it may have been what the end waited for.
 */
static void saved(void *item, int32_t cancelled)
{
    struct config_saving *it = item;
    struct config_saving *next;
    int begun;

    if (cancelled)
        save(it);
    do {
        next = it->next;
        begun = next && begin(next);
        DL_DELETE(it->config->savings, it);
        end(it);
        it = next;
    } while (it && !begun);
}

int config_saving_add(struct config *config, void *item_take, config_write_fn *write,
                      config_drop_fn *drop, config_saved_fn *done, void *ud, struct err *err)
{
    struct config_saving *other;
    struct config_saving *it;
    int count;

    DL_COUNT(config->savings, other, count);
    if (count >= SAVINGS_MAX)
        return err_set(err, ERR_BUSY, "too many settings are being stored at once");
    it = mem_alloc(sizeof(*it));
    if (!it)
        return err_nomem(err);
    it->config = config;
    it->item = item_take;
    it->write = write;
    it->drop = drop;
    it->done = done;
    it->ud = ud;
    if (!config->savings && env_work(config->env, it, save, saved)) {
        mem_free(it);
        return err_nomem(err);
    }
    DL_APPEND(config->savings, it);
    return 0;
}

int config_is_saving(const struct config *config)
{
    return config->savings != NULL;
}
