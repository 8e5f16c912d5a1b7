#include "app/plot/sweep/pictures.h"

#include "app/plot/cmd_plot.h"
#include "app/plot/plot.h"
#include "app/sweep/must.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static bool known_kind(const char *name)
{
    size_t n;
    const struct plot_kind *k = plot_kinds(&n);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(k[i].name, name))
            return true;
    return false;
}

/* The words of a text; -1: a quote is not closed. */
static int split(struct sweep_picture *p, const char *text)
{
    char quote = 0;
    p->word = must_alloc(strlen(text) / 2 + 2, sizeof *p->word);
    for (;;) {
        text += strspn(text, " \t");
        if (!*text)
            return 0;
        char *word = must_alloc(strlen(text) + 1, 1), *to = word;
        for (; *text && (quote || (*text != ' ' && *text != '\t')); text++) {
            if (*text == quote)
                quote = 0;
            else if (!quote && *text == '\'')
                quote = *text;
            else
                *to++ = *text;
        }
        p->word[p->n++] = word;
        if (quote)
            return -1;
    }
}

static void read_one(struct sweep_picture *p, const struct config_node *n, struct diag *d)
{
    if (n->type != CONFIG_STRING) {
        diag_error(d, n->at, NULL, "pictures: expected a text, \"KIND OPTION...\" as behind mmulab plot");
        return;
    }
    if (split(p, n->text) < 0) {
        diag_error(d, n->at, NULL, "pictures: a quote is not closed");
        return;
    }
    const char *kind = p->word[0] ? p->word[0] : "";
    if (!known_kind(kind)) {
        diag_error(d, n->at, "mmulab plot list names all", "pictures: there is no kind of plot \"%.60s\"", kind);
        return;
    }
    for (int i = 1; p->word[i]; i++) {
        bool output = !strcmp(p->word[i], "-o") || !strcmp(p->word[i], "--output");
        if (output && p->word[i + 1])
            p->name = ++i;
        if (output ? !p->name || strchr(p->word[p->name], '/') : !strncmp(p->word[i], "-o", 2) || !strncmp(p->word[i], "--o", 3)) /* as getopt_long takes it */
            diag_error(d, n->at, NULL, "pictures: write -o NAME, a name without a folder");
    }
}

int sweep_pictures_read(struct sweep_pictures *out, const struct config *c, struct diag *d)
{
    const struct config_node *section = config_section(c, "sweep"),
                             *list = section ? config_node_member(section, "pictures") : NULL;
    size_t before = diag_count(d);
    *out = (struct sweep_pictures){0};
    if (!list || list->type == CONFIG_NULL)
        return 0;
    if (list->type != CONFIG_ARRAY)
        return diag_error(d, list->at, NULL, "pictures: expected a list of texts"), -1;
    out->picture = must_alloc(list->n, sizeof *out->picture);
    for (const struct config_node *e = list->child; e; e = e->next)
        read_one(&out->picture[out->n++], e, d);
    return diag_count(d) == before ? 0 : -1;
}

void sweep_pictures_free(struct sweep_pictures *p)
{
    for (size_t i = 0; i < p->n; i++) {
        for (int k = 0; k < p->picture[i].n; k++)
            free(p->picture[i].word[k]);
        free(p->picture[i].word);
    }
    free(p->picture);
}

static int draw(const struct sweep_picture *p, const char *sweep)
{
    char **argv = must_alloc((size_t)p->n + 3, sizeof *argv), *name = NULL, plot[] = "plot";
    if (p->name && asprintf(&name, "%s/plots/%s", sweep, p->word[p->name]) < 0)
        abort();
    argv[0] = plot;
    for (int i = 0; i < p->n; i++)
        argv[i + 1] = p->name && i == p->name ? name : p->word[i];
    argv[p->n + 1] = must_dup(sweep);
    char *folder = argv[p->n + 1]; /* getopt moves words about */
    int code = cmd_plot(p->n + 2, argv);
    free(folder);
    free(name);
    free(argv);
    return code;
}

int sweep_pictures_draw(const struct sweep_pictures *p, const char *sweep)
{
    int worst = 0;
    char folder[4200];
    snprintf(folder, sizeof folder, "%.4096s/plots", sweep);
    if (p->n && mkdir(folder, 0777) < 0 && errno != EEXIST) {
        fprintf(stderr, "mmulab sweep: error: cannot make the folder \"%s\": %s\n", folder, strerror(errno));
        return 1;
    }
    for (size_t i = 0; i < p->n; i++) {
        int code = draw(&p->picture[i], sweep);
        worst = code == 2 ? 2 : worst;
    }
    return worst;
}
