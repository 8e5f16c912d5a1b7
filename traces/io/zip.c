#include "traces/io/zip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

struct zip_reader {
    zip_t *archive;
    zip_int64_t members, next; /* next: to be opened */
    zip_file_t *open;          /* NULL: between two */
};

static int damaged(struct err *err, const char *what, const char *why)
{
    err_set(err, ERR_RUN, "%s: %s", what, why);
    return err_remedy(err, "copy the file again");
}

static int reader_new(struct zip_reader **out, zip_source_t *source, zip_error_t *why, struct err *err)
{
    struct zip_reader *z = source ? calloc(1, sizeof *z) : NULL;
    if (z && (z->archive = zip_open_from_source(source, ZIP_RDONLY, why))) {
        z->members = zip_get_num_entries(z->archive, 0);
        zip_error_fini(why);
        *out = z;
        return 0;
    }
    if (source)
        zip_source_free(source);
    free(z);
    damaged(err, "the zip archive is damaged or cut off (its directory stands at its end)", zip_error_strerror(why));
    zip_error_fini(why);
    return -1;
}

int zip_reader_new(struct zip_reader **out, int fd, struct err *err)
{
    int own = dup(fd);
    FILE *f = own >= 0 ? fdopen(own, "rb") : NULL;
    zip_error_t why;
    zip_error_init(&why);
    if (!f) {
        if (own >= 0)
            close(own);
        return err_set(err, ERR_RUN, "cannot open the zip archive once more");
    }
    zip_source_t *source = zip_source_filep_create(f, 0, -1, &why);
    if (!source)
        fclose(f);
    return reader_new(out, source, &why, err);
}

int zip_reader_new_memory(struct zip_reader **out, const void *buf, size_t n, struct err *err)
{
    zip_error_t why;
    zip_error_init(&why);
    return reader_new(out, zip_source_buffer_create(buf, n, 0, &why), &why, err);
}

static bool is_folder(const struct zip_reader *z, zip_int64_t i)
{
    const char *name = zip_get_name(z->archive, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
    return name && name[0] && name[strlen(name) - 1] == '/';
}

int zip_reader_read(struct zip_reader *z, void *dst, size_t n, size_t *got, struct err *err)
{
    *got = 0;
    if (!z->open) {
        while (z->next < z->members && is_folder(z, z->next))
            z->next++;
        if (z->next >= z->members)
            return 0;
        z->open = zip_fopen_index(z->archive, (zip_uint64_t)z->next++, 0);
        if (!z->open)
            return damaged(err, "a member of the zip archive cannot be read", zip_strerror(z->archive));
    }
    zip_int64_t k = zip_fread(z->open, dst, n);
    if (k < 0) {
        damaged(err, "a member of the zip archive is damaged", zip_file_strerror(z->open));
        return -1;
    }
    *got = (size_t)k;
    if (k == 0) {
        zip_fclose(z->open);
        z->open = NULL;
    }
    return 1;
}

int zip_reader_restart(struct zip_reader *z, struct err *err)
{
    (void)err;
    if (z->open)
        zip_fclose(z->open);
    z->open = NULL;
    z->next = 0;
    return 0;
}

void zip_reader_free(struct zip_reader *z)
{
    if (!z)
        return;
    if (z->open)
        zip_fclose(z->open);
    zip_discard(z->archive);
    free(z);
}
