/*
 * scene: an issuer, its key, and one token of it that has been verified.
 */

#include <stdlib.h>

#include "scene.h"


void
scene_open(scene_t *scene, const char *lines, const char *payload)
{
    scene->pkey = mint_key(PU_ES256);
    scene->issuer = mint_issuer(mint_keys(mint_jwk(scene->pkey, NULL), NULL),
                                lines);
    scene->items[0] = scene->issuer;
    scene->issuers = (pu_issuers_t) { 1, scene->items, NULL };
    scene->text = mint_token(scene->pkey, PU_ES256, NULL, payload);
    scene->reason = pu_token_verify(&scene->token, pu_str(scene->text),
                                    &scene->issuers, MINT_NOW);
}


void
scene_close(scene_t *scene)
{
    free(scene->text);
    pu_token_clear(&scene->token);
    pu_issuer_free(scene->issuer);
    EVP_PKEY_free(scene->pkey);
}
