/* A results.sqlite with made-up numbers, as docs/sweep.md describes it: for tests of what reads it. */
#ifndef SWEEP_SYNTHETIC_H
#define SWEEP_SYNTHETIC_H

#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

static void synthetic_sql(sqlite3 *db, const char *text)
{
    char *said = NULL;
    ck_assert_msg(sqlite3_exec(db, text, NULL, NULL, &said) == SQLITE_OK, "%s: %s", text, said ? said : "");
}

/* `axes`: a JSON list of keys. */
static sqlite3 *synthetic_sweep_begin(const char *dir, const char *axes)
{
    char path[600];
    sqlite3 *db;
    mkdir(dir, 0777);
    snprintf(path, sizeof path, "%.500s/results.sqlite", dir);
    remove(path);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    synthetic_sql(db, "BEGIN;"
                      "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT);"
                      "CREATE TABLE runs(id INTEGER PRIMARY KEY, point TEXT, status TEXT, reason TEXT, trace TEXT, seed INTEGER,"
                      " config_hash TEXT, trace_hash TEXT, complete INTEGER);"
                      "CREATE TABLE parameters(run INTEGER, key TEXT, text TEXT, number REAL, is_axis INTEGER, PRIMARY KEY(run, key));"
                      "CREATE TABLE statistics(run INTEGER, name TEXT, value, PRIMARY KEY(run, name));"
                      "CREATE TABLE series_columns(col INTEGER PRIMARY KEY, name TEXT, unit TEXT);"
                      "CREATE TABLE series(run INTEGER, row INTEGER, col INTEGER, value REAL, PRIMARY KEY(run, row, col));"
                      "INSERT INTO series_columns VALUES(0, 'time_ps', 'ps'), (1, 'zone_dma_unusable_9', 'ratio');"
                      "INSERT INTO meta VALUES('schema', '1')");
    char *sql = sqlite3_mprintf("INSERT INTO meta VALUES('axes', %Q)", axes);
    synthetic_sql(db, sql);
    sqlite3_free(sql);
    return db;
}

static void synthetic_point(sqlite3 *db, int run, const char *status, const char *trace, int seed)
{
    char *sql = sqlite3_mprintf("INSERT INTO runs VALUES(%d, '%04d-0123456789abcdef', %Q, %Q, %Q, %d, 'aa', 'bb', %d)", run, run,
                                status, *status == 'f' ? "the machine refuses it" : NULL, trace, seed, *status == 'o');
    synthetic_sql(db, sql);
    sqlite3_free(sql);
}

static void synthetic_parameter(sqlite3 *db, int run, const char *key, const char *text, int axis)
{
    char *sql = sqlite3_mprintf("INSERT INTO parameters VALUES(%d, %Q, %Q, NULL, %d)", run, key, text, axis);
    synthetic_sql(db, sql);
    sqlite3_free(sql);
}

static void synthetic_statistic(sqlite3 *db, int run, const char *name, double value)
{
    char *sql = sqlite3_mprintf("INSERT INTO statistics VALUES(%d, %Q, %.17g)", run, name, value);
    synthetic_sql(db, sql);
    sqlite3_free(sql);
}

static void synthetic_sweep_end(sqlite3 *db)
{
    synthetic_sql(db, "COMMIT");
    sqlite3_close(db);
}

#endif
