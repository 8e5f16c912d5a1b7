/* What a person sees when a configuration is wrong: the exact bytes, as docs/configuration.md promises. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "unit/test_config_schema.h"

static const struct {
    const char *text, *set[4], *expected;
} cases[] = {
    /* clang-format off */
    {"{\n  \"mmu\": {\n    \"dtlb\": {\n      \"entreis\": 1536\n    }\n  }\n}\n",
     {NULL},
     "m.json:4:7: error: unknown key \"entreis\" in mmu.dtlb\n"
     "    4 |       \"entreis\": 1536\n"
     "      |       ^~~~~~~~~ did you mean \"entries\"?\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"memory\": {\"size\": \"4KB\"}}",
     {NULL},
     "m.json:1:21: error: memory.size: \"4KB\" is ambiguous; write \"4KiB\" (4096 bytes) or \"4000B\"\n"
     "    1 | {\"memory\": {\"size\": \"4KB\"}}\n"
     "      |                     ^~~~~\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"memory\": {\"size\": \"4K\"}}",
     {NULL},
     "m.json:1:21: error: memory.size: \"4K\" is ambiguous; write \"4KiB\" (4096 bytes) or \"4000B\"\n"
     "    1 | {\"memory\": {\"size\": \"4K\"}}\n"
     "      |                     ^~~~\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"memory\": {\"size\": 4294967296}}",
     {NULL},
     "m.json:1:21: error: memory.size: 4294967296 has no unit; write \"4GiB\"\n"
     "    1 | {\"memory\": {\"size\": 4294967296}}\n"
     "      |                     ^~~~~~~~~~\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"memory\": {\"latency\": 40, \"frequency\": 3.2}}",
     {NULL},
     "m.json:1:24: error: memory.latency: 40 has no unit; write \"40ns\"\n"
     "    1 | {\"memory\": {\"latency\": 40, \"frequency\": 3.2}}\n"
     "      |                        ^~\n"
     "m.json:1:41: error: memory.frequency: 3.2 has no unit; write \"3.2GHz\"\n"
     "    1 | {\"memory\": {\"latency\": 40, \"frequency\": 3.2}}\n"
     "      |                                         ^~~\n"
     "mmulab: 2 errors, nothing was run\n"},
    {"{\"mmu\": {\"dtlb\": {\"latency\": 9}}}",
     {NULL},
     "m.json:1:30: error: mmu.dtlb.latency: 9 has no unit; write \"9cyc\"\n"
     "    1 | {\"mmu\": {\"dtlb\": {\"latency\": 9}}}\n"
     "      |                              ^\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"mmu\": {\"dtlb\": {\"latency\": \"9cycles\"}}}",
     {NULL},
     "m.json:1:30: error: mmu.dtlb.latency: \"9cycles\" has an unknown unit \"cycles\"; write \"9cyc\"\n"
     "    1 | {\"mmu\": {\"dtlb\": {\"latency\": \"9cycles\"}}}\n"
     "      |                              ^~~~~~~~~\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"memory\": {\"size\": \"4 GiB\", \"latency\": \"0.3ps\"}}",
     {NULL},
     "m.json:1:21: error: memory.size: \"4 GiB\" has a blank before the unit; write \"4GiB\"\n"
     "    1 | {\"memory\": {\"size\": \"4 GiB\", \"latency\": \"0.3ps\"}}\n"
     "      |                     ^~~~~~~\n"
     "m.json:1:41: error: memory.latency: \"0.3ps\" is not a whole number of picoseconds\n"
     "    1 | {\"memory\": {\"size\": \"4 GiB\", \"latency\": \"0.3ps\"}}\n"
     "      |                                         ^~~~~~~\n"
     "mmulab: 2 errors, nothing was run\n"},
    {"{\"memory\": {\"size\": \"512KiB\"}}",
     {NULL},
     "m.json:1:21: error: memory.size: 512KiB is below the minimum 1MiB\n"
     "    1 | {\"memory\": {\"size\": \"512KiB\"}}\n"
     "      |                     ^~~~~~~~\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"mmu\": {\"dtlb\": {\"entries\": 64, \"ways\": 4, \"entries\": 96}}}",
     {NULL},
     "m.json:1:45: error: duplicate key \"entries\" in mmu.dtlb\n"
     "    1 | {\"mmu\": {\"dtlb\": {\"entries\": 64, \"ways\": 4, \"entries\": 96}}}\n"
     "      |                                             ^~~~~~~~~\n"
     "m.json:1:19: note: first given here\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"mmu\": {\"dtlb\": {\"ways\": 12}}}",
     {NULL},
     "m.json:1:27: error: mmu.dtlb.ways: 12 is not a power of two; the nearest are 8 and 16\n"
     "    1 | {\"mmu\": {\"dtlb\": {\"ways\": 12}}}\n"
     "      |                           ^~\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"mmu\": {\"dtlb\": {\"entries\": \"64\"}}, \"sim\": {\"checks\": \"true\"}}",
     {NULL},
     "m.json:1:30: error: mmu.dtlb.entries: \"64\" is text; write 64 without quotes\n"
     "    1 | {\"mmu\": {\"dtlb\": {\"entries\": \"64\"}}, \"sim\": {\"checks\": \"true\"}}\n"
     "      |                              ^~~~\n"
     "m.json:1:56: error: sim.checks: \"true\" is text; write true without quotes\n"
     "    1 | {\"mmu\": {\"dtlb\": {\"entries\": \"64\"}}, \"sim\": {\"checks\": \"true\"}}\n"
     "      |                                                        ^~~~~~\n"
     "mmulab: 2 errors, nothing was run\n"},
    {"{\"mmu\": {\"dtlb\": {\"entries\": 64.5}}, \"sim\": {\"seed\": -1}}",
     {NULL},
     "m.json:1:30: error: mmu.dtlb.entries: 64.5 is not a whole number\n"
     "    1 | {\"mmu\": {\"dtlb\": {\"entries\": 64.5}}, \"sim\": {\"seed\": -1}}\n"
     "      |                              ^~~~\n"
     "m.json:1:54: error: sim.seed: -1 is negative\n"
     "    1 | {\"mmu\": {\"dtlb\": {\"entries\": 64.5}}, \"sim\": {\"seed\": -1}}\n"
     "      |                                                      ^~\n"
     "mmulab: 2 errors, nothing was run\n"},
    {"{\"sim\": {\"mode\": \"timd\"}}",
     {NULL},
     "m.json:1:18: error: sim.mode: unknown value \"timd\", expected one of \"timed\", \"functional\"\n"
     "    1 | {\"sim\": {\"mode\": \"timd\"}}\n"
     "      |                  ^~~~~~ did you mean \"timed\"?\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"sim\": {\"mode\": \"fast\"}}",
     {NULL},
     "m.json:1:18: error: sim.mode: unknown value \"fast\", expected one of \"timed\", \"functional\"\n"
     "    1 | {\"sim\": {\"mode\": \"fast\"}}\n"
     "      |                  ^~~~~~\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"sim\": {\"seed\": 18446744073709551616}}",
     {NULL},
     "m.json:1:18: error: sim.seed: 18446744073709551616 is too large; the largest is 18446744073709551615\n"
     "    1 | {\"sim\": {\"seed\": 18446744073709551616}}\n"
     "      |                  ^~~~~~~~~~~~~~~~~~~~\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"sim\": {\"ratio\": 2e0}}",
     {NULL},
     "m.json:1:19: error: sim.ratio: 2e0 is above the maximum 1\n"
     "    1 | {\"sim\": {\"ratio\": 2e0}}\n"
     "      |                   ^~~\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"mmu\": 5, \"memory\": []}",
     {NULL},
     "m.json:1:9: error: mmu: expected an object, found 5\n"
     "    1 | {\"mmu\": 5, \"memory\": []}\n"
     "      |         ^\n"
     "m.json:1:22: error: memory: expected an object, found a list\n"
     "    1 | {\"mmu\": 5, \"memory\": []}\n"
     "      |                      ^~\n"
     "mmulab: 2 errors, nothing was run\n"},
    {"{\"mmu.dtlb.entries\": 96}",
     {NULL},
     "m.json:1:2: error: unknown key \"mmu.dtlb.entries\"\n"
     "    1 | {\"mmu.dtlb.entries\": 96}\n"
     "      |  ^~~~~~~~~~~~~~~~~~ in a file, nest it: {\"a\": {\"b\": ...}}\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"memory\": {\"start\": 4096, \"size\": null}}",
     {NULL},
     "m.json:1:22: error: memory.start: expected an address like \"0xffff800000000000\", found 4096\n"
     "    1 | {\"memory\": {\"start\": 4096, \"size\": null}}\n"
     "      |                      ^~~~\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"memory\": {\"pages\": [\"4KiB\", \"3KiB\", 7]}}",
     {NULL},
     "m.json:1:31: error: memory.pages[1]: 3KiB is not a power of two; the nearest are 2KiB and 4KiB\n"
     "    1 | {\"memory\": {\"pages\": [\"4KiB\", \"3KiB\", 7]}}\n"
     "      |                               ^~~~~~\n"
     "m.json:1:39: error: memory.pages[2]: 7 has no unit; write \"7B\"\n"
     "    1 | {\"memory\": {\"pages\": [\"4KiB\", \"3KiB\", 7]}}\n"
     "      |                                       ^\n"
     "mmulab: 2 errors, nothing was run\n"},
    {"{\"workload\": {\"processes\": [{\"core\": 9}, 3, {\"trace\": \"a\", \"oom_score_adj\": -1001}]}}",
     {NULL},
     "m.json:1:38: error: workload.processes[0].core: 9 is above the maximum 7\n"
     "    1 | {\"workload\": {\"processes\": [{\"core\": 9}, 3, {\"trace\": \"a\", \"oom_score_adj\": -1001}]}}\n"
     "      |                                      ^\n"
     "m.json:1:29: error: workload.processes[0]: the key \"trace\" is missing\n"
     "    1 | {\"workload\": {\"processes\": [{\"core\": 9}, 3, {\"trace\": \"a\", \"oom_score_adj\": -1001}]}}\n"
     "      |                             ^~~~~~~~~~~\n"
     "m.json:1:42: error: workload.processes[1]: expected an object, found 3\n"
     "    1 | {\"workload\": {\"processes\": [{\"core\": 9}, 3, {\"trace\": \"a\", \"oom_score_adj\": -1001}]}}\n"
     "      |                                          ^\n"
     "m.json:1:77: error: workload.processes[2].oom_score_adj: -1001 is below the minimum -1000\n"
     "    1 | {\"workload\": {\"processes\": [{\"core\": 9}, 3, {\"trace\": \"a\", \"oom_score_adj\": -1001}]}}\n"
     "      |                                                                             ^~~~~\n"
     "mmulab: 4 errors, nothing was run\n"},
    {"{\"mmu\": {\"dtlb\": {\"entries\": 064}}}",
     {NULL},
     "m.json:1:30: error: 064: a number does not start with 0; write 64\n"
     "    1 | {\"mmu\": {\"dtlb\": {\"entries\": 064}}}\n"
     "      |                              ^~~\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"memory\": {\"size\": 4GiB, \"start\": 0x1000}}",
     {NULL},
     "m.json:1:21: error: 4GiB: text stands in double quotes; write \"4GiB\"\n"
     "    1 | {\"memory\": {\"size\": 4GiB, \"start\": 0x1000}}\n"
     "      |                     ^~~~\n"
     "m.json:1:36: error: 0x1000: a hexadecimal value stands in quotes; write \"0x1000\"\n"
     "    1 | {\"memory\": {\"size\": 4GiB, \"start\": 0x1000}}\n"
     "      |                                    ^~~~~~\n"
     "mmulab: 2 errors, nothing was run\n"},
    {"{\"sim\": {\"label\": 'x'}}",
     {NULL},
     "m.json:1:19: error: expected a value, found '\n"
     "    1 | {\"sim\": {\"label\": 'x'}}\n"
     "      |                   ^ text stands in double quotes\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{sim: {}}",
     {NULL},
     "m.json:1:2: error: expected a key in double quotes, found sim\n"
     "    1 | {sim: {}}\n"
     "      |  ^~~\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"sim\" = {}}",
     {NULL},
     "m.json:1:8: error: expected ':' after the key, found =\n"
     "    1 | {\"sim\" = {}}\n"
     "      |        ^ write ':'\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"sim\": {} \"mmu\": {}}",
     {NULL},
     "m.json:1:12: error: expected ',' or '}', found \"mmu\"\n"
     "    1 | {\"sim\": {} \"mmu\": {}}\n"
     "      |            ^~~~~ is a ',' missing before this?\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"sim\": {\"seed\": 1},, }",
     {NULL},
     "m.json:1:21: error: expected a key or '}', found ,\n"
     "    1 | {\"sim\": {\"seed\": 1},, }\n"
     "      |                     ^\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"sim\": {\"label\": \"a\tb\", \"seed\": +1}}",
     {NULL},
     "m.json:1:21: error: tab in a string; write \\t\n"
     "    1 | {\"sim\": {\"label\": \"a b\", \"seed\": +1}}\n"
     "      |                     ^\n"
     "m.json:1:34: error: +1: a number does not start with +; write 1\n"
     "    1 | {\"sim\": {\"label\": \"a b\", \"seed\": +1}}\n"
     "      |                                  ^~\n"
     "mmulab: 2 errors, nothing was run\n"},
    {"{\"sim\": {\"label\": \"\\u0000\\ud800\"}}",
     {NULL},
     "m.json:1:20: error: \\u0000 is not allowed in a string\n"
     "    1 | {\"sim\": {\"label\": \"\\u0000\\ud800\"}}\n"
     "      |                    ^~~~~~\n"
     "m.json:1:26: error: first half of a surrogate pair without the second\n"
     "    1 | {\"sim\": {\"label\": \"\\u0000\\ud800\"}}\n"
     "      |                          ^~~~~~\n"
     "mmulab: 2 errors, nothing was run\n"},
    {"{\"sim\": {\"label\": \"abc\n\"}}",
     {NULL},
     "m.json:1:19: error: string without its closing quote\n"
     "    1 | {\"sim\": {\"label\": \"abc\n"
     "      |                   ^~~~\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"sim\": {",
     {NULL},
     "m.json:1:10: error: the text ends inside the object that opens at 1:9\n"
     "    1 | {\"sim\": {\n"
     "      |          ^\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{} // fine\n/* not",
     {NULL},
     "m.json:2:1: error: comment without its end */\n"
     "    2 | /* not\n"
     "      | ^~\n"
     "mmulab: 1 error, nothing was run\n"},
    {"# comment\n{}",
     {NULL},
     "m.json:1:1: error: a comment starts with // or stands between /* and */\n"
     "    1 | # comment\n"
     "      | ^\n"
     "mmulab: 1 error, nothing was run\n"},
    {"",
     {NULL},
     "m.json:1:1: error: empty configuration; write {} for all defaults\n"
     "    1 | \n"
     "      | ^\n"
     "mmulab: 1 error, nothing was run\n"},
    {"[]",
     {NULL},
     "m.json:1:1: error: a configuration is an object; write {} for all defaults\n"
     "    1 | []\n"
     "      | ^~\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{} {}",
     {NULL},
     "m.json:1:4: error: expected the end of the text, found {\n"
     "    1 | {} {}\n"
     "      |    ^\n"
     "mmulab: 1 error, nothing was run\n"},
    {"\357\273\277{}",
     {NULL},
     "m.json:1:1: error: byte-order mark; save the file as UTF-8 without it\n"
     "    1 | \357\273\277{}\n"
     "      | ^\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"sim\": {\"label\": \"gr\303\266\303\237er\", \"labl\": 1}}",
     {NULL},
     "m.json:1:29: error: unknown key \"labl\" in sim\n"
     "    1 | {\"sim\": {\"label\": \"gr\303\266\303\237er\", \"labl\": 1}}\n"
     "      |                             ^~~~~~ did you mean \"label\"?\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"extends\": \"@big-tbl\"}",
     {NULL},
     "m.json:1:13: error: unknown preset \"@big-tbl\"\n"
     "    1 | {\"extends\": \"@big-tbl\"}\n"
     "      |             ^~~~~~~~~~ did you mean \"@big-tlb\"?\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\n  \"extends\": [\"@bad\"]\n}",
     {NULL},
     "@bad:2:11: error: unknown key \"entries\" in mmu\n"
     "    2 |   \"mmu\": {\"entries\": 1}}\n"
     "      |           ^~~~~~~~~ the keys are dtlb, stlb\n"
     "@bad:2:11: note: included from m.json:2:15\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"extends\": \"none.json\"}",
     {NULL},
     "m.json:1:13: error: cannot open none.json: No such file or directory\n"
     "    1 | {\"extends\": \"none.json\"}\n"
     "      |             ^~~~~~~~~~~\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{\"extends\": [\"@big-tlb\"],\n \"mmu\": {\"stlb\": {\"ways\": 64}}}",
     {"mmu.stlb.entries=96"},
     "m.json:2:27: error: mmu.stlb: 64 ways do not divide 96 entries\n"
     "    2 |  \"mmu\": {\"stlb\": {\"ways\": 64}}}\n"
     "      |                           ^~\n"
     "-s mmu.stlb.entries: note: mmu.stlb.entries is 96\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{}",
     {"mmu.dtlb.entreis=96"},
     "-s mmu.dtlb.entreis: error: unknown key \"entreis\" in mmu.dtlb\n"
     "      | -s mmu.dtlb.entreis=96\n"
     "      |             ^~~~~~~ did you mean \"entries\"?\n"
     "mmulab: 1 error, nothing was run\n"},
    {"{}",
     {"mmu.dtlb=96", "memory.size=4GB", "foo", "sim.seed.x=1"},
     "-s mmu.dtlb: error: \"dtlb\" is a section; set one of its keys\n"
     "      | -s mmu.dtlb=96\n"
     "      |             ^~\n"
     "-s memory.size: error: memory.size: \"4GB\" is ambiguous; write \"4GiB\" (4294967296 bytes) or \"4000000000B\"\n"
     "      | -s memory.size=4GB\n"
     "      |                ^~~\n"
     "-s foo: error: expected KEY=VALUE\n"
     "      | -s foo\n"
     "      |    ^~~\n"
     "-s sim.seed.x: error: seed has no keys; give its value as a whole\n"
     "      | -s sim.seed.x=1\n"
     "      |             ^\n"
     "mmulab: 4 errors, nothing was run\n"},
    {"{\"mmu\": {\"dtlb\": {\"wasy\": 1}}}",
     {"memory.pages=[4KiB, 5KiB]"},
     "m.json:1:19: error: unknown key \"wasy\" in mmu.dtlb\n"
     "    1 | {\"mmu\": {\"dtlb\": {\"wasy\": 1}}}\n"
     "      |                   ^~~~~~ did you mean \"ways\"?\n"
     "-s memory.pages: error: memory.pages[1]: 5KiB is not a power of two; the nearest are 4KiB and 8KiB\n"
     "      | -s memory.pages=[4KiB, 5KiB]\n"
     "      |                        ^~~~\n"
     "mmulab: 2 errors, nothing was run\n"},
    /* clang-format on */
};

static char *errors_of(const char *text, size_t len, const char *const *set, size_t n)
{
    struct diag *d = diag_new();
    struct config *c = NULL;
    struct config_request req = {.path = "m.json", .text = text, .text_len = len, .set = set, .n_set = n};
    ck_assert_int_eq(config_load(&c, &toy_schema, &req, d), -1);
    ck_assert_ptr_null(c);
    char *out = NULL;
    size_t out_len;
    FILE *to = open_memstream(&out, &out_len);
    diag_print(d, to);
    fclose(to);
    diag_free(d);
    return out;
}

START_TEST(test_exact)
{
    size_t n = 0;
    while (n < 4 && cases[_i].set[n])
        n++;
    char *out = errors_of(cases[_i].text, strlen(cases[_i].text), cases[_i].set, n);
    ck_assert_str_eq(out, cases[_i].expected);
    free(out);
}
END_TEST

START_TEST(test_limit)
{
    char text[4096] = "{\"mmu\": {";
    for (int i = 0; i < 50; i++)
        sprintf(text + strlen(text), "%s\"zzz%d\": 1", i ? ", " : "", i);
    strcat(text, "}}");
    char *out = errors_of(text, strlen(text), NULL, 0);
    ck_assert_ptr_nonnull(strstr(out, "mmulab: 50 errors, the first 20 are shown, nothing was run\n"));
    size_t shown = 0;
    for (const char *p = out; (p = strstr(p, ": error: ")); p++)
        shown++;
    ck_assert_uint_eq(shown, DIAG_LIMIT);
    free(out);
}
END_TEST

/* Bytes of the input never steer the terminal, and a long line is cut around the place. */
START_TEST(test_hostile_text)
{
    char *out = errors_of("{\"\\u001b[31m\": 1}", 17, NULL, 0);
    ck_assert_ptr_null(strchr(out, 27));
    free(out);
    char text[3000];
    memset(text, ' ', sizeof text);
    memcpy(text, "{", 1);
    memcpy(text + 2000, "\"x\": 1", 6);
    text[sizeof text - 1] = '}';
    out = errors_of(text, sizeof text, NULL, 0);
    ck_assert_uint_lt(strlen(out), 500);
    ck_assert_ptr_nonnull(strstr(out, "m.json:1:2001: error: unknown key \"x\""));
    free(out);
    out = errors_of("{\"a\": \"\xff\"}", 10, NULL, 0);
    ck_assert_ptr_nonnull(strstr(out, "m.json:1:8: error: byte 0xff is not UTF-8"));
    free(out);
    out = errors_of("{}\0", 3, NULL, 0);
    ck_assert_ptr_nonnull(strstr(out, "m.json:1:3: error: byte 0x00 is not allowed in a text"));
    free(out);
}
END_TEST

START_TEST(test_err)
{
    struct diag *d = diag_new();
    struct err e;
    struct config *c;
    struct config_request req = {.path = "m.json", .text = "{\n \"sim\": 1}", .text_len = 12};
    ck_assert_int_eq(config_load(&c, &toy_schema, &req, d), -1);
    ck_assert_int_eq(diag_to_err(d, &e), -1);
    ck_assert_int_eq(e.kind, ERR_USAGE);
    ck_assert_str_eq(e.file, "m.json");
    ck_assert_uint_eq(e.line, 2);
    ck_assert_uint_eq(e.column, 9);
    ck_assert_str_eq(e.message, "sim: expected an object, found 1");
    diag_free(d);
    ck_assert_int_eq(config_load(&c, &toy_schema, &req, NULL), -1); /* nobody listens */
}
END_TEST

int main(void)
{
    Suite *s = suite_create("config errors");
    TCase *t = tcase_create("errors");
    tcase_add_loop_test(t, test_exact, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(t, test_limit);
    tcase_add_test(t, test_hostile_text);
    tcase_add_test(t, test_err);
    tcase_set_timeout(t, 60);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
