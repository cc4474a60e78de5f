/*
 * row.h - the three records of the ledger as tables: one list of fields each, from which statements
 * are made and rows are bound, read, copied and freed. A field is named in one place only; its
 * meaning and its constraints stand in schema.c.
 */
#ifndef LEDGER_ROW_H
#define LEDGER_ROW_H

#include "ledger/ledger.h"

#include <sqlite3.h>

enum field_type {
    FIELD_ID,    /* char[LIMIT_ID] */
    FIELD_TEXT,  /* char *, NULL is NULL */
    FIELD_BYTES, /* char * and a size_t at len_at */
    FIELD_INT32,
    FIELD_UINT32,
    FIELD_INT64,
    FIELD_UINT64,
    FIELD_MONEY, /* double, below 0 is NULL */
    FIELD_JOB_STATE,
    FIELD_DELIVERY_STATE,
    FIELD_ERR_KIND, /* ERR_NONE is NULL */
};

struct field {
    const char *name;
    enum field_type type;
    int once; /* 1: written when the row is made, never changed */
    size_t at;
    size_t len_at;
};

struct table {
    const char *name;
    size_t record_bytes;
    size_t fields_count;
    const struct field *fields;
};

extern const struct table table_jobs;
extern const struct table table_files;      /* has one more column, job, after the fields */
extern const struct table table_deliveries; /* as well */

/*
 * Texts for sqlite3_prepare, from the fields; parameter n is field n, counted from 1. NULL without
 * memory; freed with sqlite3_free.
 */
char *row_select_sql(const struct table *table, const char *rest);
char *row_insert_sql(const struct table *table, const char *more_column, const char *rest);
char *row_update_sql(const struct table *table, const char *rest);

/* The number of a field's parameter, from 1; 0: there is none of that name. */
int row_field_number(const struct table *table, const char *name);

/* Binds every field to its number; the record must live until the statement is reset. */
int row_bind(sqlite3_stmt *stmt, const struct table *table, const void *record);

/* Reads columns into a zeroed record. ERR_NOMEM, or ERR_IO for a word that is not known. */
int row_read(sqlite3_stmt *stmt, const struct table *table, void *record, struct err *err);

/* Fills a zeroed record with copies. After a failure row_free is still due. */
int row_copy(const struct table *table, void *record, const void *from);
void row_free(const struct table *table, void *record);

#endif
