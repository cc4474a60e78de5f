/*
 * table.h - a table of texts for a terminal: columns as wide as their widest cell, the last one cut
 * at the terminal's edge, and those with nothing but a head left out.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdio.h>

#define TABLE_COLUMNS_MAX 8

struct table;

/* The column `flexible` gives way where the last one would have too little room; -1: none does. */
struct table *table_new(int columns, int flexible);

/* One row; copies. Missing cells are NULL. 0 or -1 (no memory). */
int table_add(struct table *t, const char *const *cells);

/* Prints with the first row as the head. width_max 0: nothing is cut. */
void table_print(const struct table *t, FILE *to, int width_max);

void table_free(struct table *t);

/* Columns of that stream's terminal, or 0 when it is none. */
int table_width(FILE *to);

#endif
