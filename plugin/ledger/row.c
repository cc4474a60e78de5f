/* row.c - see row.h. */
#include "ledger/row.h"

#include "base/mem.h"

#include <string.h>

/* clang-format off */
#define JOB(name, type) {#name, FIELD_##type, 0, offsetof(struct ledger_job, name), 0}
#define JOB_ONCE(name, type) {#name, FIELD_##type, 1, offsetof(struct ledger_job, name), 0}

/* The order is the order in time of a job's life, which is what somebody in a shell reads. */
static const struct field job_fields[] = {
    JOB_ONCE(id, ID),
    JOB(state, JOB_STATE),
    JOB(open, INT32),
    JOB(flags, UINT32),
    JOB(progress, INT32),
    JOB(tries, UINT32),
    JOB_ONCE(created_ms, INT64),
    JOB(updated_ms, INT64),
    JOB(submitted_ms, INT64),
    JOB(due_ms, INT64),
    JOB(deadline_ms, INT64),
    JOB(ended_ms, INT64),
    JOB(tool, TEXT),
    JOB(kind, TEXT),
    JOB(provider, TEXT),
    JOB(account, TEXT),
    JOB(model, TEXT),
    JOB(conversation, TEXT),
    JOB(caller, TEXT),
    JOB(locale, TEXT),
    JOB(host, TEXT),
    {"reply_to", FIELD_BYTES, 0, offsetof(struct ledger_job, reply_to),
     offsetof(struct ledger_job, reply_to_len)},
    JOB_ONCE(dedup_key, TEXT),
    JOB_ONCE(resubmit_of, TEXT),
    JOB_ONCE(batch, TEXT),
    JOB_ONCE(batch_index, UINT32),
    JOB(provider_job, TEXT),
    JOB(error_kind, ERR_KIND),
    JOB(error_text, TEXT),
    JOB(advice, TEXT),
    JOB(cost_estimate, MONEY),
    JOB(cost, MONEY),
    JOB(currency, TEXT),
    JOB(request, TEXT),
    JOB(plan, TEXT),
    JOB(flow, TEXT),
};

#define DELIVERY(name, type) {#name, FIELD_##type, 0, offsetof(struct ledger_delivery, name), 0}

static const struct field delivery_fields[] = {
    {"key", FIELD_TEXT, 1, offsetof(struct ledger_delivery, key), 0},
    DELIVERY(state, DELIVERY_STATE),
    DELIVERY(kind, INT32),
    DELIVERY(attempts, UINT32),
    DELIVERY(next_ms, INT64),
    DELIVERY(text, TEXT),
    DELIVERY(host_ref, TEXT),
    DELIVERY(error, TEXT),
};

#define FILE_ONCE(name, type) {#name, FIELD_##type, 1, offsetof(struct ledger_file, name), 0}

static const struct field file_fields[] = {
    FILE_ONCE(handle, ID),
    FILE_ONCE(number, UINT32),
    FILE_ONCE(path, TEXT),
    FILE_ONCE(mime, TEXT),
    FILE_ONCE(url, TEXT),
    FILE_ONCE(width, UINT32),
    FILE_ONCE(height, UINT32),
    FILE_ONCE(bytes, UINT64),
    FILE_ONCE(duration_ms, INT64),
};

#define COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))

const struct table table_jobs = {"jobs", sizeof(struct ledger_job), COUNT(job_fields), job_fields};
const struct table table_files = {"files", sizeof(struct ledger_file), COUNT(file_fields),
                                  file_fields};
const struct table table_deliveries = {"deliveries", sizeof(struct ledger_delivery),
                                       COUNT(delivery_fields), delivery_fields};

/* clang-format on */

char *row_select_sql(const struct table *table, const char *rest)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);

    for (size_t i = 0; i < table->fields_count; i++)
        sqlite3_str_appendf(sql, "%s%s.%s", i ? "," : "SELECT ", table->name,
                            table->fields[i].name);
    sqlite3_str_appendf(sql, " FROM %s %s", table->name, rest);
    return sqlite3_str_finish(sql);
}

char *row_insert_sql(const struct table *table, const char *more_column, const char *rest)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);

    sqlite3_str_appendf(sql, "INSERT INTO %s(", table->name);
    for (size_t i = 0; i < table->fields_count; i++)
        sqlite3_str_appendf(sql, "%s,", table->fields[i].name);
    sqlite3_str_appendf(sql, "%s) VALUES(", more_column);
    for (size_t i = 0; i < table->fields_count; i++)
        sqlite3_str_appendf(sql, "?%d,", (int)i + 1);
    sqlite3_str_appendf(sql, "?%d) %s", (int)table->fields_count + 1, rest);
    return sqlite3_str_finish(sql);
}

char *row_update_sql(const struct table *table, const char *rest)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);
    const char *comma = "";

    sqlite3_str_appendf(sql, "UPDATE %s SET ", table->name);
    for (size_t i = 0; i < table->fields_count; i++) {
        if (table->fields[i].once)
            continue;
        sqlite3_str_appendf(sql, "%s%s=?%d", comma, table->fields[i].name, (int)i + 1);
        comma = ",";
    }
    sqlite3_str_appendf(sql, " %s", rest);
    return sqlite3_str_finish(sql);
}

int row_field_number(const struct table *table, const char *name)
{
    for (size_t i = 0; i < table->fields_count; i++)
        if (strcmp(table->fields[i].name, name) == 0)
            return (int)i + 1;
    return 0;
}

static const char *err_word(enum err_kind kind)
{
    return kind == ERR_NONE ? NULL : err_kind_name(kind);
}

static int bind_text(sqlite3_stmt *stmt, int index, const char *text)
{
    return text ? sqlite3_bind_text(stmt, index, text, -1, SQLITE_STATIC)
                : sqlite3_bind_null(stmt, index);
}

static int bind_bytes(sqlite3_stmt *stmt, int index, const char *bytes, size_t len)
{
    return bytes ? sqlite3_bind_blob64(stmt, index, bytes, len, SQLITE_STATIC)
                 : sqlite3_bind_null(stmt, index);
}

static int bind_field(sqlite3_stmt *stmt, int index, const struct field *field, const char *record)
{
    const void *at = record + field->at;

    switch (field->type) {
    case FIELD_ID:
        return bind_text(stmt, index, at);
    case FIELD_TEXT:
        return bind_text(stmt, index, *(char *const *)at);
    case FIELD_BYTES:
        return bind_bytes(stmt, index, *(char *const *)at,
                          *(const size_t *)(const void *)(record + field->len_at));
    case FIELD_INT32:
        return sqlite3_bind_int(stmt, index, *(const int32_t *)at);
    case FIELD_UINT32:
        return sqlite3_bind_int64(stmt, index, *(const uint32_t *)at);
    case FIELD_INT64:
        return sqlite3_bind_int64(stmt, index, *(const int64_t *)at);
    case FIELD_UINT64:
        return sqlite3_bind_int64(stmt, index, *(const int64_t *)at); /* no file is that large */
    case FIELD_MONEY:
        return *(const double *)at < 0 ? sqlite3_bind_null(stmt, index)
                                       : sqlite3_bind_double(stmt, index, *(const double *)at);
    case FIELD_JOB_STATE:
        return bind_text(stmt, index, job_state_name(*(const enum job_state *)at));
    case FIELD_DELIVERY_STATE:
        return bind_text(stmt, index, delivery_state_name(*(const enum delivery_state *)at));
    case FIELD_ERR_KIND:
        return bind_text(stmt, index, err_word(*(const enum err_kind *)at));
    }
    return SQLITE_MISUSE;
}

int row_bind(sqlite3_stmt *stmt, const struct table *table, const void *record)
{
    for (size_t i = 0; i < table->fields_count; i++)
        if (bind_field(stmt, (int)i + 1, &table->fields[i], record) != SQLITE_OK)
            return -1;
    return 0;
}

static int read_text(sqlite3_stmt *stmt, int column, char **ret_text, size_t *ret_len)
{
    const void *bytes;
    size_t len;

    if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
        return 0;
    bytes = sqlite3_column_type(stmt, column) == SQLITE_BLOB ? sqlite3_column_blob(stmt, column)
                                                             : sqlite3_column_text(stmt, column);
    len = (size_t)sqlite3_column_bytes(stmt, column);
    if (!bytes && len)
        return -1;
    *ret_text = mem_text_n(bytes, len);
    if (!*ret_text)
        return -1;
    *ret_len = len;
    return 0;
}

static int unknown_word(const struct field *field, const char *word, struct err *err)
{
    return err_set(err, ERR_IO, "the ledger has \"%.40s\" as %s, which this version does not know",
                   word ? word : "", field->name);
}

static int read_word(sqlite3_stmt *stmt, int column, const struct field *field, void *at,
                     struct err *err)
{
    const char *word = (const char *)sqlite3_column_text(stmt, column);

    if (field->type == FIELD_ERR_KIND) {
        *(enum err_kind *)at = word ? err_kind_by_name(word) : ERR_NONE;
        return 0;
    }
    if (field->type == FIELD_JOB_STATE) {
        if (!word || job_state_by_name(word, at))
            return unknown_word(field, word, err);
        return 0;
    }
    for (int state = 0; word && state < DELIVERY_STATES; state++) {
        if (strcmp(word, delivery_state_name((enum delivery_state)state)) == 0) {
            *(enum delivery_state *)at = (enum delivery_state)state;
            return 0;
        }
    }
    return unknown_word(field, word, err);
}

static void read_id(sqlite3_stmt *stmt, int column, char *id)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);

    if (text)
        memcpy(id, text, strnlen(text, LIMIT_ID - 1)); /* zeroed before, so it ends in NUL */
}

static int read_field(sqlite3_stmt *stmt, int column, const struct field *field, char *record,
                      struct err *err)
{
    void *at = record + field->at;
    size_t len = 0;

    switch (field->type) {
    case FIELD_ID:
        read_id(stmt, column, at);
        return 0;
    case FIELD_TEXT:
        return read_text(stmt, column, at, &len) ? err_nomem(err) : 0;
    case FIELD_BYTES:
        if (read_text(stmt, column, at, &len))
            return err_nomem(err);
        *(size_t *)(void *)(record + field->len_at) = len;
        return 0;
    case FIELD_INT32:
        *(int32_t *)at = sqlite3_column_int(stmt, column);
        return 0;
    case FIELD_UINT32:
        *(uint32_t *)at = (uint32_t)sqlite3_column_int64(stmt, column);
        return 0;
    case FIELD_INT64:
        *(int64_t *)at = sqlite3_column_int64(stmt, column);
        return 0;
    case FIELD_UINT64:
        *(uint64_t *)at = (uint64_t)sqlite3_column_int64(stmt, column);
        return 0;
    case FIELD_MONEY:
        *(double *)at = sqlite3_column_type(stmt, column) == SQLITE_NULL
                            ? -1
                            : sqlite3_column_double(stmt, column);
        return 0;
    case FIELD_JOB_STATE:
    case FIELD_DELIVERY_STATE:
    case FIELD_ERR_KIND:
        return read_word(stmt, column, field, at, err);
    }
    return -1;
}

int row_read(sqlite3_stmt *stmt, const struct table *table, void *record, struct err *err)
{
    for (size_t i = 0; i < table->fields_count; i++)
        if (read_field(stmt, (int)i, &table->fields[i], record, err))
            return -1;
    return 0;
}

int row_copy(const struct table *table, void *record, const void *from)
{
    memcpy(record, from, table->record_bytes);
    for (size_t i = 0; i < table->fields_count; i++)
        if (table->fields[i].type == FIELD_TEXT || table->fields[i].type == FIELD_BYTES)
            *(char **)(void *)((char *)record + table->fields[i].at) = NULL;
    for (size_t i = 0; i < table->fields_count; i++) {
        const struct field *field = &table->fields[i];
        const char *text;
        char **copy = (char **)(void *)((char *)record + field->at);

        if (field->type != FIELD_TEXT && field->type != FIELD_BYTES)
            continue;
        text = *(char *const *)(const void *)((const char *)from + field->at);
        if (!text)
            continue;
        *copy = field->type == FIELD_TEXT
                    ? mem_text(text)
                    : mem_text_n(text, *(const size_t *)(const void *)((const char *)from +
                                                                       field->len_at));
        if (!*copy)
            return -1;
    }
    return 0;
}

void row_free(const struct table *table, void *record)
{
    for (size_t i = 0; i < table->fields_count; i++)
        if (table->fields[i].type == FIELD_TEXT || table->fields[i].type == FIELD_BYTES)
            mem_free(*(char **)(void *)((char *)record + table->fields[i].at));
}
