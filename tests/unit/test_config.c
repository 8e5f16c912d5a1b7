/* The configuration: values, merging, options, origins, the canonical form; and inputs that are not a configuration. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/test_config_schema.h"

static struct config *load(const char *text, const char *const *set)
{
    struct diag *d = diag_new();
    struct config *c = NULL;
    size_t n = 0;
    while (set && set[n])
        n++;
    struct config_request req = {.path = "m.json", .text = text, .text_len = strlen(text), .set = set, .n_set = n};
    if (config_load(&c, &toy_schema, &req, d) < 0) {
        diag_print(d, stderr);
        ck_abort_msg("refused: %s", text);
    }
    diag_free(d);
    return c;
}
#define SET(...) ((const char *const[]){__VA_ARGS__, NULL})

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static char *fail_file(const char *path)
{
    struct diag *d = diag_new();
    struct config *c;
    ck_assert_int_eq(config_load(&c, &toy_schema, &(struct config_request){.path = path}, d), -1);
    char *out = NULL;
    size_t len;
    FILE *to = open_memstream(&out, &len);
    diag_print(d, to);
    fclose(to);
    diag_free(d);
    return out;
}

static char folder[64];
static void enter_folder(void)
{
    strcpy(folder, "/tmp/test_config.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

START_TEST(test_schema)
{
    struct err e = {0};
    ck_assert_msg(config_schema_check(&toy_schema, &e) == 0, "%s", e.message);
    struct param two[] = {{"a", P_U32, 0, .def = 5, .max = 4, .help = "x"}, {"a", P_U32, 4, .help = "x"}};
    struct param_group g = {"x", two, 1, 0, NULL};
    struct config_schema s = {.groups = &g, .n = 1, .root_size = 8};
    ck_assert_int_eq(config_schema_check(&s, &e), -1);
    ck_assert_str_eq(e.message, "x.a: default out of range");
    two[0].def = 4;
    ck_assert_int_eq(config_schema_check(&s, &e), 0);
    g.n = 2;
    ck_assert_int_eq(config_schema_check(&s, &e), -1);
    ck_assert_str_eq(e.message, "the key \"a\" is described twice in \"x\"");
    ck_assert_ptr_nonnull(config_param(&toy_schema, "mmu.dtlb.ways"));
    ck_assert_ptr_null(config_param(&toy_schema, "mmu.dtlb"));
}
END_TEST

START_TEST(test_defaults)
{
    struct config *c = load("{}", NULL);
    const struct toy *t = config_root(c);
    ck_assert_int_eq(t->sim.mode, 0);
    ck_assert_uint_eq(t->sim.seed, 1);
    ck_assert(t->sim.ratio == 0.5);
    ck_assert_ptr_null(t->sim.label);
    ck_assert_uint_eq(t->dtlb.entries, 64);
    ck_assert_uint_eq(t->memory.size, 1 << 30);
    ck_assert_uint_eq(t->memory.pages.n, 2);
    ck_assert_uint_eq(t->memory.pages.u[1], 2 << 20);
    ck_assert_str_eq(t->output.dir, "out");
    config_free(c);
    struct diag *d = diag_new();
    ck_assert_int_eq(config_load(&c, &toy_schema, &(struct config_request){0}, d), 0); /* no CONFIG is {} */
    config_free(c);
    diag_free(d);
}
END_TEST

START_TEST(test_values)
{
    struct config *c = load("/* c */ {\"sim\": {\"mode\": \"functional\", \"seed\": 18446744073709551615, \"checks\": true,\n"
                            "\"ratio\": 2.5e-1, // half\n\"label\": \"a\\u00e4\\ud83d\\ude00\\\"\", \"interval\": \"2.5us\",},"
                            "\"memory\": {\"start\": \"0xffff800000000000\", \"pages\": [\"1GiB\",], \"counts\": [1, 2,], \"times\": [\"5ns\", \"0.5us\"]},"
                            "\"workload\": {\"processes\": [{\"trace\": \"a.mtr\"}, {\"trace\": \"/b\", \"oom_score_adj\": -1000}],"
                            "\"tags\": [\"x\", \"\"]}, \"$schema\": \"./s.json\"}", NULL);
    const struct toy *t = config_root(c);
    ck_assert_int_eq(t->sim.mode, 1);
    ck_assert(t->sim.seed == UINT64_MAX);
    ck_assert(t->sim.checks && t->sim.ratio == 0.25);
    ck_assert_str_eq(t->sim.label, "a\u00e4\U0001f600\"");
    ck_assert_uint_eq(t->sim.interval, 2500000);
    ck_assert(t->memory.start == 0xffff800000000000ull);
    ck_assert_uint_eq(t->memory.pages.n, 1);
    ck_assert_uint_eq(t->memory.counts.u[1], 2);
    ck_assert(t->memory.times.n == 2 && t->memory.times.u[0] == 5000 && t->memory.times.u[1] == 500000);
    ck_assert_uint_eq(t->workload.tags.n, 2);
    ck_assert_uint_eq(t->workload.processes.n, 2);
    const struct toy_process *p = t->workload.processes.o;
    ck_assert_str_eq(p[0].trace, "a.mtr");
    ck_assert_str_eq(p[1].trace, "/b");
    ck_assert_int_eq(p[1].adj, -1000);
    ck_assert_uint_eq(p[1].limit, 1 << 20);
    struct config_item item;
    ck_assert(config_find(c, "workload.processes[1].oom_score_adj", &item));
    ck_assert_str_eq(item.origin, "m.json:3:245");
    ck_assert(config_find(c, "mmu.dtlb.ways", &item));
    ck_assert_str_eq(item.origin, "default");
    config_free(c);
}
END_TEST

/* 9007199254740993 is the first whole number that a double loses. */
START_TEST(test_exact_64_bit)
{
    struct config *c = load("{\"sim\": {\"seed\": 9007199254740993}}", NULL);
    ck_assert(((const struct toy *)config_root(c))->sim.seed == 9007199254740993ull);
    config_free(c);
}
END_TEST

START_TEST(test_options)
{
    struct config *c = load("{\"workload\": {\"processes\": [{\"trace\": \"a\"}, {\"trace\": \"b\"}]}, \"sim\": {\"seed\": 7}}",
                            SET("memory.size=4GiB", "mmu.dtlb.entries=96", "sim.checks=true", "sim.mode=functional",
                                "memory.pages=[4KiB, \"1GiB\"]", "workload.processes[1].core=3", "sim.label=a b",
                                "workload.tags=[x, \"y, z\",w]", "sim.seed=null", "mmu.stlb={\"ways\": 8}",
                                "mmu.dtlb.entries=97", "memory.counts=[]", "memory.times=[7ns]", "sim.ratio=1e-1"));
    const struct toy *t = config_root(c);
    ck_assert_uint_eq(t->memory.size, 4ull << 30);
    ck_assert(t->memory.times.n == 1 && t->memory.times.u[0] == 7000);
    ck_assert_uint_eq(t->dtlb.entries, 97); /* the last one wins */
    ck_assert(t->sim.checks && t->sim.mode == 1 && t->sim.ratio == 0.1);
    ck_assert_uint_eq(t->memory.pages.u[1], 1 << 30);
    ck_assert_uint_eq(((const struct toy_process *)t->workload.processes.o)[1].core, 3);
    ck_assert_str_eq(((const struct toy_process *)t->workload.processes.o)[1].trace, "b");
    ck_assert_str_eq(t->sim.label, "a b");
    ck_assert_uint_eq(t->workload.tags.n, 3);
    ck_assert_str_eq(t->workload.tags.s[1], "y, z");
    ck_assert_str_eq(t->workload.tags.s[2], "w");
    ck_assert_uint_eq(t->sim.seed, 1);
    ck_assert_uint_eq(t->stlb.ways, 8);
    struct config_item item;
    ck_assert(config_find(c, "mmu.dtlb.entries", &item));
    ck_assert_str_eq(item.origin, "-s");
    config_free(c);
    struct diag *d = diag_new();
    ck_assert_int_eq(config_check_set(&toy_schema, "workload.processes[3].core=1", d), 0);
    ck_assert_int_eq(config_check_set(&toy_schema, "workload.processes[3].core=8", d), -1);
    ck_assert_int_eq(config_check_set(&toy_schema, "mmu.dtlb.entries=", d), -1);
    diag_free(d);
}
END_TEST

START_TEST(test_extends)
{
    enter_folder();
    ck_assert_int_eq(mkdir("base", 0700), 0);
    write_file("base/a.json", "{\"extends\": \"@huge\", \"mmu\": {\"dtlb\": {\"entries\": 100, \"ways\": 2}},\n"
                              "\"memory\": {\"pages\": [\"1GiB\", \"4KiB\"]}, \"workload\": {\"traces\": [\"t/x.mtr\"]}}");
    write_file("base/b.json", "{\"mmu\": {\"dtlb\": {\"ways\": 8}}, \"sim\": {\"label\": \"b\"}}");
    write_file("m.json", "{\"extends\": [\"base/a.json\", \"base/b.json\"],\n"
                         "\"mmu\": {\"dtlb\": {\"entries\": null}}, \"memory\": {\"pages\": [\"2MiB\"]}}");
    struct diag *d = diag_new();
    struct config *c;
    char path[128];
    snprintf(path, sizeof path, "%s/m.json", folder);
    ck_assert_int_eq(config_load(&c, &toy_schema, &(struct config_request){.path = path}, d), 0);
    const struct toy *t = config_root(c);
    ck_assert_uint_eq(t->dtlb.entries, 64);  /* null removes: the default again */
    ck_assert_uint_eq(t->dtlb.ways, 8);      /* the later file wins */
    ck_assert_uint_eq(t->stlb.entries, 1536); /* from @huge, from @big-tlb */
    ck_assert_uint_eq(t->memory.pages.n, 1); /* lists replace */
    ck_assert_str_eq(t->sim.label, "b");
    snprintf(path, sizeof path, "%s/base/t/x.mtr", folder); /* relative to the file that names it */
    ck_assert_str_eq(t->workload.traces.s[0], path);
    struct config_item item;
    ck_assert(config_find(c, "mmu.dtlb.ways", &item));
    ck_assert_str_eq(item.origin, "base/b.json:1:27"); /* no absolute path */
    ck_assert(config_find(c, "mmu.stlb.entries", &item));
    ck_assert_str_eq(item.origin, "@big-tlb:2:30");
    config_free(c);

    write_file("x.json", "{\"extends\": \"y.json\"}");
    write_file("y.json", "{\"extends\": [\"./x.json\"]}");
    char *out = fail_file("x.json");
    ck_assert_str_eq(out, "y.json:1:14: error: \"extends\" goes round in a circle: x.json -> y.json -> ./x.json\n"
                          "    1 | {\"extends\": [\"./x.json\"]}\n"
                          "      |              ^~~~~~~~~~\n"
                          "y.json:1:14: note: included from x.json:1:13\n"
                          "mmulab: 1 error, nothing was run\n");
    free(out);
    /* doubling at each level: the number of files is bounded */
    for (int i = 0; i < 12; i++) {
        char name[24], text[64];
        snprintf(name, sizeof name, "l%d.json", i);
        snprintf(text, sizeof text, "{\"extends\": [\"l%d.json\", \"l%d.json\"]}", i + 1, i + 1);
        write_file(name, text);
    }
    write_file("l12.json", "{}");
    out = fail_file("l0.json");
    ck_assert_ptr_nonnull(strstr(out, "too many files (at most 64)"));
    free(out);
    out = fail_file("/nonexistent/m.json");
    ck_assert_str_eq(out, "error: cannot open /nonexistent/m.json: No such file or directory\n"
                          "mmulab: 1 error, nothing was run\n");
    free(out);
    out = fail_file("base");
    ck_assert_str_eq(out, "error: cannot read base: Is a directory\nmmulab: 1 error, nothing was run\n");
    free(out);
    diag_free(d);
    ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

static void hash_of(const char *text, const char *const *set, char hash[CONFIG_HASH_BUF])
{
    struct config *c = load(text, set);
    ck_assert_int_eq(config_hash(c, hash), 0);
    config_free(c);
}

START_TEST(test_hash)
{
    char a[CONFIG_HASH_BUF], b[CONFIG_HASH_BUF];
    hash_of("{\"memory\": {\"size\": \"2GiB\"}, \"sim\": {\"seed\": 5}}", NULL, a);
    hash_of("// other\n{\"sim\": {\"seed\": 5}, \"memory\": {\"size\": \"2048MiB\"}, \"output\": {\"dir\": \"/x\"}}", NULL, b);
    ck_assert_str_eq(a, b); /* order, comments, spelling and the output folder do not matter */
    hash_of("{}", SET("memory.size=2GiB", "sim.seed=5"), b);
    ck_assert_str_eq(a, b);
    hash_of("{}", SET("memory.size=2GiB", "sim.seed=6"), b);
    ck_assert_str_ne(a, b);
    hash_of("{\"memory\": {\"size\": \"2GiB\"}, \"sim\": {\"seed\": 5}, \"sweep\": {\"seeds\": 5}}", NULL, b);
    ck_assert_str_eq(a, b);
    ck_assert_uint_eq(strlen(a), 32);
}
END_TEST

START_TEST(test_output)
{
    struct config *c = load("{\"workload\": {\"processes\": [{\"trace\": \"t\"}]}}", SET("mmu.stlb.entries=128"));
    char *text = config_canonical(c);
    ck_assert_str_eq(text,
                     "{\"memory\":{\"counts\":[],\"frequency\":\"3.2GHz\",\"latency\":\"40ns\",\"pages\":[\"4KiB\", \"2MiB\"],"
                     "\"size\":\"1GiB\",\"start\":\"0x1000\",\"times\":[]},\"mmu\":{\"dtlb\":{\"entries\":64,\"latency\":\"1cyc\",\"ways\":4},"
                     "\"stlb\":{\"entries\":128,\"latency\":\"1cyc\",\"ways\":4}},\"sim\":{\"checks\":false,"
                     "\"interval\":\"0ps\",\"label\":null,\"mode\":\"timed\",\"ratio\":0.5,\"seed\":1},\"workload\":{"
                     "\"processes\":[{\"core\":0,\"limit\":\"1MiB\",\"oom_score_adj\":0,\"trace\":\"t\"}],\"tags\":[],"
                     "\"traces\":[]}}");
    /* the canonical text, and config.json, are configurations with the same hash */
    char a[CONFIG_HASH_BUF], b[CONFIG_HASH_BUF], *json = NULL;
    size_t len;
    ck_assert_int_eq(config_hash(c, a), 0);
    hash_of(text, NULL, b);
    ck_assert_str_eq(a, b);
    FILE *to = open_memstream(&json, &len);
    ck_assert_int_eq(config_write_json(c, to), 0);
    fclose(to);
    hash_of(json, NULL, b);
    ck_assert_str_eq(a, b);
    ck_assert_ptr_nonnull(strstr(json, "\"mmu.stlb.entries\": \"-s\""));
    free(json);
    free(text);
    config_free(c);
}
END_TEST

START_TEST(test_sweep_section)
{
    struct config *c = load("{\"sweep\": {\n \"axes\": {\"memory.size\": {\"from\": \"1GiB\", \"mul\": 2}}, \"seeds\": 5}}", NULL);
    const struct config_node *n = config_section(c, "sweep");
    ck_assert_ptr_nonnull(n);
    const struct config_node *seeds = config_node_member(n, "seeds");
    ck_assert_str_eq(seeds->text, "5");
    unsigned line, column;
    diag_position(seeds->at.src, seeds->at.offset, &line, &column);
    ck_assert_uint_eq(line, 2);
    ck_assert_uint_eq(column, 64);
    char *text = config_node_text(config_node_member(config_node_member(n, "axes"), "memory.size"));
    ck_assert_str_eq(text, "{\"from\": \"1GiB\", \"mul\": 2}");
    free(text);
    ck_assert_ptr_null(config_section(c, "absent"));
    config_free(c);
}
END_TEST

/* A sweep's axes: the errors point into the file. */
START_TEST(test_check_value)
{
    static const struct {
        const char *key, *value, *expected;
    } cases[] = {
        {"memory.size", "\"4GiB\"", NULL},
        {"workload.processes[3].core", "2", NULL},
        {"sim.label", "null", NULL},
        {"memory.pages", "[\"4KiB\"]", NULL},
        {"memory.size", "\"4GB\"", "2:17: memory.size: \"4GB\" is ambiguous; write \"4GiB\" (4294967296 bytes) or \"4000000000B\""},
        {"mmu.dtlb.entreis", "2", "2:2: unknown key \"entreis\" in mmu.dtlb"},
        {"mmu.dtlb", "2", "2:2: \"dtlb\" is a section; name one of its keys"},
        {"sweep", "2", "2:2: \"sweep\" is not the key of a value"},
        {"sim.seed.x", "2", "2:2: \"seed\" is not the key of a value"},
        {"workload.processes[3].core", "8", "2:32: workload.processes[3].core: 8 is above the maximum 7"},
        {"workload.processes[3].coer", "8", "2:2: unknown key \"coer\" in workload.processes[3]"},
        {"workload.processes[x].core", "8", "2:2: workload.processes: expected [INDEX].NAME"},
        {"", "8", "2:2: unknown key \"\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256], got[2048] = "";
        snprintf(text, sizeof text, "{\"sweep\": {\"axes\": {\n \"%s\": %s}}}", cases[i].key, cases[i].value);
        struct config *c = load(text, NULL);
        const struct config_node *axis = config_node_member(config_section(c, "sweep"), "axes")->child;
        struct diag *d = diag_new();
        struct err e;
        if (!axis) /* null: merged away */
            ck_assert_str_eq(cases[i].value, "null");
        else if (config_check_value(&toy_schema, axis->key, axis->key_at, axis, d) < 0) {
            diag_to_err(d, &e);
            snprintf(got, sizeof got, "%u:%u: %s", e.line, e.column, e.message);
        }
        ck_assert_str_eq(got, cases[i].expected ? cases[i].expected : "");
        diag_free(d);
        config_free(c);
    }
}
END_TEST

START_TEST(test_environment)
{
    setenv("TOY_DIR", "/data", 1);
    unsetenv("TOY_NONE");
    struct config *c = load("{\"workload\": {\"traces\": [\"${TOY_DIR}/a\"]}}", NULL);
    ck_assert_str_eq(((const struct toy *)config_root(c))->workload.traces.s[0], "/data/a");
    config_free(c);
    struct diag *d = diag_new();
    static const char text[] = "{\"workload\": {\"traces\": [\"${TOY_NONE}/a\"]}}";
    struct config_request req = {.text = text, .text_len = sizeof text - 1};
    ck_assert_int_eq(config_load(&c, &toy_schema, &req, d), -1);
    diag_free(d);
}
END_TEST

static const char valid[] =
    "// all kinds\n{\"extends\": [\"@big-tlb\"], /* c */ \"sim\": {\"mode\": \"timed\", \"seed\": 12, \"checks\": false,\n"
    " \"ratio\": 0.75e0, \"label\": \"\\u00e4\\n\\ud83d\\ude00\xc3\xa4\"}, \"memory\": {\"pages\": [\"4KiB\", \"2MiB\",],},\n"
    " \"workload\": {\"processes\": [{\"trace\": \"a\", \"core\": 1}]}, \"sweep\": {\"x\": [null, {}]}}";

/* Each prefix of a valid file is an error (or, behind the last brace, valid), and nothing worse. */
START_TEST(test_truncations)
{
    for (size_t len = 0; len < sizeof valid - 1; len++) {
        struct diag *d = diag_new();
        struct config *c;
        char *copy = malloc(len + 1); /* its own block, so that reading past it is seen */
        memcpy(copy, valid, len);
        struct config_request req = {.text = copy, .text_len = len};
        ck_assert_msg(config_load(&c, &toy_schema, &req, d) == -1, "accepted %zu bytes", len);
        ck_assert_uint_ge(diag_count(d), 1);
        free(copy);
        diag_free(d);
    }
    config_free(load(valid, NULL));
}
END_TEST

/* Each byte changed to several others: an answer, whatever it is. */
START_TEST(test_mutations)
{
    static const char with[] = "\"{}[],:\\/*0-\xff\n\0e";
    for (size_t i = 0; i < sizeof valid - 1; i++) {
        for (size_t k = 0; k < sizeof with; k++) {
            char copy[sizeof valid];
            memcpy(copy, valid, sizeof valid);
            copy[i] = with[k];
            struct diag *d = diag_new();
            struct config *c;
            struct config_request req = {.text = copy, .text_len = sizeof valid - 1};
            if (config_load(&c, &toy_schema, &req, d) == 0)
                config_free(c);
            else
                ck_assert_uint_ge(diag_count(d), 1);
            diag_free(d);
        }
    }
}
END_TEST

static void refuse(char *text, const char *message)
{
    struct diag *d = diag_new();
    struct config *c;
    struct config_request req = {.text = text, .text_len = strlen(text)};
    struct err e;
    ck_assert_int_eq(config_load(&c, &toy_schema, &req, d), -1);
    diag_to_err(d, &e);
    ck_assert_msg(strstr(e.message, message) != NULL, "%s", e.message);
    diag_free(d);
    free(text);
}

static char *repeat(const char *before, const char *what, size_t n, const char *after)
{
    char *text = NULL;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    fputs(before, to);
    for (size_t i = 0; i < n; i++)
        fprintf(to, what, i);
    fputs(after, to);
    fclose(to);
    return text;
}

START_TEST(test_bounds)
{
    refuse(repeat("{\"sweep\": {\"x\": ", "[", 100000, ""), "nested too deeply");
    refuse(repeat("{\"sweep\": {\"x\": [", "0,", 300000, "]}}"), "too many values");
    refuse(repeat("{\"sweep\": {", "\"k%zu\": 1,", 2000, "}}"), "too many keys in one object");
    refuse(repeat("{\"workload\": {\"processes\": [", "{\"trace\": \"a\"},", 5000, "]}}"), "above the maximum 4096");
    refuse(repeat("", "          ", 500000, "{}"), "too large");
    refuse(repeat("{\"sim\": {\"seed\": 1", "0", 100, "}}"), "too many digits");
    /* the largest accepted ones work */
    char *text = repeat("{\"workload\": {\"processes\": [", "{\"trace\": \"a\"},", CONFIG_OBJECTS_MAX, "]}}");
    struct config *c = load(text, NULL);
    ck_assert_uint_eq(((const struct toy *)config_root(c))->workload.processes.n, CONFIG_OBJECTS_MAX);
    config_free(c);
    free(text);
}
END_TEST

START_TEST(test_presets)
{
    size_t n = 0;
    const struct config_preset *p = config_presets(&n);
    ck_assert_ptr_nonnull(p);
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_eq(strlen(p[i].text), p[i].len);
        ck_assert_msg(*p[i].help, "configs/presets/%s has no leading // line", p[i].name);
        ck_assert(!i || strcmp(p[i - 1].name, p[i].name) < 0);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("config");
    TCase *t = tcase_create("config");
    tcase_add_test(t, test_schema);
    tcase_add_test(t, test_defaults);
    tcase_add_test(t, test_values);
    tcase_add_test(t, test_exact_64_bit);
    tcase_add_test(t, test_options);
    tcase_add_test(t, test_extends);
    tcase_add_test(t, test_hash);
    tcase_add_test(t, test_output);
    tcase_add_test(t, test_sweep_section);
    tcase_add_test(t, test_check_value);
    tcase_add_test(t, test_environment);
    tcase_add_test(t, test_truncations);
    tcase_add_test(t, test_mutations);
    tcase_add_test(t, test_bounds);
    tcase_add_test(t, test_presets);
    tcase_set_timeout(t, 120);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
