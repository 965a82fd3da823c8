/*
 * verify: runs the measure of test/unit/cost.h for bench/verify.
 *
 * usage: verify time ALG ROUNDS      median and least ns of core, EVP and
 *                                    prepared
 *        verify count ALG KIND N     for callgrind: KIND (0 core, 1 EVP,
 *                                    2 prepared) N times in measured()
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cost.h"


static int
usage(void)
{
    fprintf(stderr, "usage: verify time ALG ROUNDS | verify count ALG KIND "
            "N\n");

    return 2;
}


static void
show(const char *name, const double *ns)
{
    printf("%s %.0f %.0f %.0f\n", name, ns[COST_CORE], ns[COST_EVP],
           ns[COST_PREPARED]);
}


/* callgrind counts what is called from here. */
__attribute__((noinline)) static void
measured(const cost_t *cost, cost_kind_t kind, int n)
{
    cost_work(cost, kind, n);
    __asm__ volatile ("" ::: "memory");
}


int
main(int argc, char **argv)
{
    int          n, kind;
    cost_t       cost;
    cost_took_t  took;

    n = (argc > 3) ? atoi(argv[argc - 1]) : 0;

    if (n <= 0 || n > COST_ROUNDS_MAX) {
        return usage();
    }

    if (argc == 4 && strcmp(argv[1], "time") == 0) {
        cost_open(&cost, argv[2]);
        cost_measure(&cost, n, &took);
        printf("bytes %zu\n", cost.text.len);
        show("median", took.median);
        show("least", took.least);
        cost_close(&cost);
        return 0;
    }

    kind = atoi(argv[3]);

    if (argc == 5 && strcmp(argv[1], "count") == 0 && kind >= 0
        && kind < COST_KINDS)
    {
        cost_open(&cost, argv[2]);
        cost_work(&cost, (cost_kind_t) kind, 20);
        measured(&cost, (cost_kind_t) kind, n);
        cost_close(&cost);
        return 0;
    }

    return usage();
}
