/*
 * A token that nobody has seen before costs little more than its signature.
 *
 * The promise is 1.25 times what OpenSSL takes alone, by bench/verify on a
 * quiet machine. Here it is the least of many tries against a looser bound,
 * so that only a change of the code can break it.
 */

#include "cost.h"
#include "unit.h"


#define ROUNDS  60
#define BOUND   1.5


static void
little_more_than_the_signature(const char *alg)
{
    cost_t       cost;
    cost_took_t  took;

    cost_open(&cost, alg);
    cost_measure(&cost, ROUNDS, &took);

    printf("%s: %.0f ns, its signature alone %.0f ns\n", alg,
           took.least[COST_CORE], took.least[COST_EVP]);

#ifndef __SANITIZE_ADDRESS__
    CHECK(took.least[COST_CORE] < took.least[COST_EVP] * BOUND);
#else
    CHECK(took.least[COST_CORE] > 0);
#endif

    cost_close(&cost);
}


static void
es256_costs_little_more_than_its_signature(void)
{
    little_more_than_the_signature("ES256");
}


static void
rs256_costs_little_more_than_its_signature(void)
{
    little_more_than_the_signature("RS256");
}


static const unit_test_t  tests[] = {
    UNIT(es256_costs_little_more_than_its_signature),
    UNIT(rs256_costs_little_more_than_its_signature)
};

UNIT_MAIN(tests)
