/* Units: what is accepted, exactness, and what a person is told to write instead. */
#include <check.h>
#include <inttypes.h>
#include <string.h>

#include "config/units.h"
#include "engine/rng.h"

typedef int (*parse_fn)(const char *, uint64_t *, struct err *);

static int cycles(const char *text, uint64_t *v, struct err *e)
{
    uint32_t c = 0;
    int rc = unit_parse_cycles(text, &c, e);
    *v = c;
    return rc;
}

static const struct {
    parse_fn parse;
    const char *text;
    uint64_t value;
} good[] = {
    {unit_parse_size, "0B", 0},
    {unit_parse_size, "512B", 512},
    {unit_parse_size, "4KiB", 4096},
    {unit_parse_size, "0.5KiB", 512},
    {unit_parse_size, "1.50GiB", 1610612736},
    {unit_parse_size, "15EiB", 15ull << 60},
    {unit_parse_size, "18446744073709551615B", UINT64_MAX},
    {unit_parse_time, "40ns", 40000},
    {unit_parse_time, "2.5us", 2500000},
    {unit_parse_time, "0.001ns", 1},
    {unit_parse_time, "1s", 1000000000000ull},
    {unit_parse_freq, "3.2GHz", 3200000000ull},
    {unit_parse_freq, "100MHz", 100000000},
    {unit_parse_freq, "1.000kHz", 1000},
    {cycles, "9cyc", 9},
    {cycles, "4294967295cyc", UINT32_MAX},
    {unit_parse_addr, "0xffff800000000000", 0xffff800000000000ull},
    {unit_parse_addr, "0x00000000000000000001", 1},
    {unit_parse_u64, "18446744073709551615", UINT64_MAX},
    {unit_parse_u64, "-0", 0},
};

START_TEST(test_good)
{
    uint64_t v = 0;
    struct err e = {0};
    ck_assert_msg(good[_i].parse(good[_i].text, &v, &e) == 0, "%s: %s", good[_i].text, e.message);
    ck_assert_msg(v == good[_i].value, "%s gives %" PRIu64, good[_i].text, v);
}
END_TEST

static const struct {
    parse_fn parse;
    const char *text, *message, *remedy;
} bad[] = {
    {unit_parse_size, "4KB", "\"4KB\" is ambiguous", "write \"4KiB\" (4096 bytes) or \"4000B\""},
    {unit_parse_size, "1.5M", "\"1.5M\" is ambiguous", "write \"1.5MiB\" (1572864 bytes) or \"1500000B\""},
    {unit_parse_size, "4kb", "\"4kb\" is ambiguous", "write \"4KiB\" (4096 bytes) or \"4000B\""},
    {unit_parse_size, "4kib", "\"4kib\" has an unknown unit \"kib\"", "write \"4KiB\""},
    {unit_parse_size, "4096", "4096 has no unit", "write \"4KiB\""},
    {unit_parse_size, "4 KiB", "\"4 KiB\" has a blank before the unit", "write \"4KiB\""},
    {unit_parse_size, "-4KiB", "\"-4KiB\" is negative", "write for example \"4KiB\""},
    {unit_parse_size, "", "\"\" is not a size", "write for example \"4KiB\""},
    {unit_parse_size, "KiB", "\"KiB\" is not a size", "write for example \"4KiB\""},
    {unit_parse_size, "0.3B", "\"0.3B\" is not a whole number of bytes", ""},
    {unit_parse_size, "16EiB", "\"16EiB\" is too large; the largest is 18446744073709551615 bytes", ""},
    {unit_parse_size, "99999999999999999999999999999999999999999B",
     "\"99999999999999999999999999999999999999999B\" is too large; the largest is 18446744073709551615 bytes", ""},
    {unit_parse_size, "0.00000000000000000000000000000000001B",
     "\"0.00000000000000000000000000000000001B\" is not a whole number of bytes", ""},
    {unit_parse_size, "4ns", "\"4ns\" has an unknown unit \"ns\"",
     "the units of a size are B, KiB, MiB, GiB, TiB, PiB and EiB"},
    {unit_parse_time, "40", "40 has no unit", "write \"40ns\""},
    {unit_parse_time, "40cyc", "\"40cyc\" has an unknown unit \"cyc\"", "the units of a time are ps, ns, us, ms and s"},
    {unit_parse_time, "0.5ps", "\"0.5ps\" is not a whole number of picoseconds", ""},
    {unit_parse_freq, "3200000000", "3200000000 has no unit", "write \"3.2GHz\""},
    {unit_parse_freq, "3.2", "3.2 has no unit", "write \"3.2GHz\""},
    {unit_parse_freq, "3.2Ghz", "\"3.2Ghz\" has an unknown unit \"Ghz\"", "write \"3.2GHz\""},
    {cycles, "9", "9 has no unit", "write \"9cyc\""},
    {cycles, "9cycles", "\"9cycles\" has an unknown unit \"cycles\"", "write \"9cyc\""},
    {cycles, "9.5cyc", "\"9.5cyc\" is not a whole number of cycles", ""},
    {cycles, "4294967296cyc", "\"4294967296cyc\" is too large; the largest is 4294967295 cycles", ""},
    {unit_parse_addr, "1000", "\"1000\" is not an address", "write hexadecimal with its prefix, \"0x1000\""},
    {unit_parse_addr, "0x", "\"0x\" is not an address", "write for example \"0xffff800000000000\""},
    {unit_parse_addr, "0x10000000000000000", "\"0x10000000000000000\" has more than 64 bits", ""},
    {unit_parse_u64, "18446744073709551616", "18446744073709551616 is too large; the largest is 18446744073709551615", ""},
    {unit_parse_u64, "-1", "-1 is negative", ""},
    {unit_parse_u64, "5.0", "5.0 is not a whole number", "write 5"},
    {unit_parse_u64, "1e3", "1e3 is not a whole number", ""},
};

START_TEST(test_bad)
{
    uint64_t v = 0;
    struct err e = {0};
    ck_assert_int_eq(bad[_i].parse(bad[_i].text, &v, &e), -1);
    ck_assert_str_eq(e.message, bad[_i].message);
    ck_assert_str_eq(e.remedy, bad[_i].remedy);
    ck_assert_int_eq(bad[_i].parse(bad[_i].text, &v, NULL), -1);
}
END_TEST

START_TEST(test_format)
{
    char b[UNIT_BUF];
    ck_assert_str_eq(unit_format_size(0, b), "0B");
    ck_assert_str_eq(unit_format_size(1536, b), "1536B");
    ck_assert_str_eq(unit_format_size(1536ull << 20, b), "1536MiB");
    ck_assert_str_eq(unit_format_time(0, b), "0ps");
    ck_assert_str_eq(unit_format_time(2500000, b), "2.5us");
    ck_assert_str_eq(unit_format_freq(3200000000, b), "3.2GHz");
    ck_assert_str_eq(unit_format_cycles(9, b), "9cyc");
    ck_assert_str_eq(unit_format_f64(0.1, b), "0.1");
    ck_assert_str_eq(unit_format_f64(1.0 / 3, b), "0.3333333333333333");
}
END_TEST

/* Every value has a spelling that gives the value back. */
START_TEST(test_round_trip)
{
    struct rng r;
    rng_init(&r, 20, "units");
    for (int i = 0; i < 20000; i++) {
        uint64_t v = rng_next(&r) >> rng_below(&r, 64), back;
        char b[UNIT_BUF];
        double f = (double)v / 1024, g;
        ck_assert_msg(!unit_parse_size(unit_format_size(v, b), &back, NULL) && back == v, "size %" PRIu64, v);
        ck_assert_msg(!unit_parse_time(unit_format_time(v, b), &back, NULL) && back == v, "time %" PRIu64, v);
        ck_assert_msg(!unit_parse_freq(unit_format_freq(v, b), &back, NULL) && back == v, "frequency %" PRIu64, v);
        ck_assert_msg(!unit_parse_addr(unit_format_addr(v, b), &back, NULL) && back == v, "address %" PRIu64, v);
        ck_assert_msg(!unit_parse_f64(unit_format_f64(f, b), &g, NULL) && g == f, "number %s", b);
    }
}
END_TEST

START_TEST(test_signed_and_real)
{
    int64_t i;
    double f;
    bool b;
    ck_assert_int_eq(unit_parse_i64("-9223372036854775808", &i, NULL), 0);
    ck_assert(i == INT64_MIN);
    ck_assert_int_eq(unit_parse_i64("9223372036854775807", &i, NULL), 0);
    ck_assert(i == INT64_MAX);
    ck_assert_int_eq(unit_parse_i64("9223372036854775808", &i, NULL), -1);
    ck_assert_int_eq(unit_parse_i64("-9223372036854775809", &i, NULL), -1);
    ck_assert_int_eq(unit_parse_i64("--1", &i, NULL), -1);
    ck_assert_int_eq(unit_parse_f64("2.5e-1", &f, NULL), 0);
    ck_assert(f == 0.25);
    ck_assert_int_eq(unit_parse_f64("1e400", &f, NULL), -1);
    ck_assert_int_eq(unit_parse_f64("nan", &f, NULL), -1);
    ck_assert_int_eq(unit_parse_f64("0x10", &f, NULL), -1);
    ck_assert_int_eq(unit_parse_f64("1.", &f, NULL), -1);
    ck_assert_int_eq(unit_parse_bool("true", &b, NULL), 0);
    ck_assert(b);
    ck_assert_int_eq(unit_parse_bool("yes", &b, NULL), -1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("units");
    TCase *t = tcase_create("units");
    tcase_add_loop_test(t, test_good, 0, (int)(sizeof good / sizeof good[0]));
    tcase_add_loop_test(t, test_bad, 0, (int)(sizeof bad / sizeof bad[0]));
    tcase_add_test(t, test_format);
    tcase_add_test(t, test_round_trip);
    tcase_add_test(t, test_signed_and_real);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
