/*
 * driver: runs a fuzz target where there is no libFuzzer.
 *
 *   target PATH ...      every file, and every file of a directory, once
 *   target -t S PATH ... the same, then changed files for S seconds
 *
 * Knows nothing of coverage: it finds what lies near the corpus, no more.  An
 * input that kills the target is in crash-input.
 */

#include <dirent.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"


#define INPUTS_MAX   4096
#define SIZE_MAX_IN  (128 * 1024)


typedef struct {
    size_t    size;
    uint8_t  *data;
} input_t;

typedef struct {
    size_t    n;
    input_t   inputs[INPUTS_MAX];
    uint64_t  seed;
} corpus_t;

static input_t  running;


static void
on_crash(int number)
{
    FILE  *out;

    out = fopen("crash-input", "wb");

    if (out != NULL) {
        fwrite(running.data, 1, running.size, out);
        fclose(out);
    }

    signal(number, SIG_DFL);
    raise(number);
}


/* Exactly as long as the input: the sanitizer sees a step too far. */
static void
run(const uint8_t *data, size_t size)
{
    uint8_t  *copy;

    copy = malloc(size + (size == 0));

    if (size != 0) {
        memcpy(copy, data, size);
    }

    running = (input_t) { size, copy };
    LLVMFuzzerTestOneInput(copy, size);
    running = (input_t) { 0, NULL };
    free(copy);
}


static void
read_file(corpus_t *corpus, const char *path)
{
    FILE     *in;
    uint8_t  *data;

    in = fopen(path, "rb");

    if (in == NULL || corpus->n == INPUTS_MAX) {
        fprintf(stderr, "driver: %s cannot be read\n", path);
        exit(2);
    }

    data = malloc(SIZE_MAX_IN);
    corpus->inputs[corpus->n].size = fread(data, 1, SIZE_MAX_IN, in);
    corpus->inputs[corpus->n++].data = data;
    fclose(in);
}


static void
read_path(corpus_t *corpus, const char *path)
{
    DIR            *dir;
    char            name[4096];
    struct dirent  *entry;

    dir = opendir(path);

    if (dir == NULL) {
        read_file(corpus, path);
        return;
    }

    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
            read_file(corpus, name);
        }
    }

    closedir(dir);
}


/* xorshift64: the same inputs in every run. */
static size_t
below(corpus_t *corpus, size_t n)
{
    corpus->seed ^= corpus->seed << 13;
    corpus->seed ^= corpus->seed >> 7;
    corpus->seed ^= corpus->seed << 17;

    return (n == 0) ? 0 : (size_t) (corpus->seed % n);
}


/* One change; the new size. */
static size_t
change(corpus_t *corpus, uint8_t *data, size_t size)
{
    size_t          at, len;
    const input_t  *other;

    static const char  marks[] = "{}[]\":,.\\\0\xff \n-0=A";

    at = below(corpus, size);

    switch (below(corpus, 6)) {

    case 0:
        if (size != 0) {
            data[at] ^= (uint8_t) (1u << below(corpus, 8));
        }
        return size;

    case 1:
        if (size != 0) {
            data[at] = (uint8_t) marks[below(corpus, sizeof(marks) - 1)];
        }
        return size;

    case 2:
        return at;

    case 3:
        len = below(corpus, size - at);
        memmove(data + at, data + at + len, size - at - len);
        return size - len;

    case 4:
        len = below(corpus, size - at);

        if (size + len > SIZE_MAX_IN) {
            return size;
        }

        memmove(data + at + len, data + at, size - at);
        return size + len;

    default:
        other = &corpus->inputs[below(corpus, corpus->n)];
        len = below(corpus, other->size);

        if (at + len > SIZE_MAX_IN) {
            return size;
        }

        memcpy(data + at, other->data, len);
        return (at + len > size) ? at + len : size;
    }
}


static size_t
mutate(corpus_t *corpus, int seconds)
{
    size_t          runs, size, i;
    time_t          end;
    uint8_t        *data;
    const input_t  *input;

    data = malloc(SIZE_MAX_IN);
    end = time(NULL) + seconds;

    for (runs = 0; runs % 64 != 0 || time(NULL) < end; runs++) {
        input = &corpus->inputs[below(corpus, corpus->n)];
        size = input->size;
        memcpy(data, input->data, size);

        for (i = 1 + below(corpus, 4); i != 0; i--) {
            size = change(corpus, data, size);
        }

        run(data, size);
    }

    free(data);

    return runs;
}


int
main(int argc, char **argv)
{
    int              i, seconds;
    size_t           n, runs;
    static corpus_t  corpus;

    seconds = 0;
    corpus.seed = 0x9e3779b97f4a7c15u;
    i = 1;

    if (argc > 2 && strcmp(argv[1], "-t") == 0) {
        seconds = atoi(argv[2]);
        i = 3;
    }

    for ( /* void */ ; i < argc; i++) {
        read_path(&corpus, argv[i]);
    }

    signal(SIGABRT, on_crash);
    signal(SIGSEGV, on_crash);

    run(NULL, 0);

    for (n = 0; n < corpus.n; n++) {
        run(corpus.inputs[n].data, corpus.inputs[n].size);
    }

    runs = (seconds != 0 && corpus.n != 0) ? mutate(&corpus, seconds) : 0;
    printf("%s: %zu files, %zu changed ones\n", argv[0], corpus.n, runs);

    for (n = 0; n < corpus.n; n++) {
        free(corpus.inputs[n].data);
    }

    return corpus.n == 0;
}
