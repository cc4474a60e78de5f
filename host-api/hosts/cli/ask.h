/*
 * ask.h - questions of the plugin (ahp.approval/1) to whoever sits at the terminal: one at a time,
 * "y" and Enter is a yes, anything else a no, silence until the deadline neither. With --yes all of
 * them are answered with yes, and said.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <stdint.h>

#include <ahp/approval.h>

struct app;
struct ask;

/* 1 if there is somebody to ask: standard input and standard error are terminals, or --yes. */
int ask_is_possible(const struct app *app);

/* NULL: no memory. */
struct ask *ask_open(struct app *app);

/* As ahp_uv_owner.ask and ask_over. */
int32_t ask_begin(struct ask *ask, uint64_t question_id, const ahp_question *question);
void ask_over(struct ask *ask, uint64_t question_id);

/* Memory goes when the loop has closed the handles. NULL is ignored. */
void ask_close(struct ask *ask);

#endif
