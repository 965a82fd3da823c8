/*
 * scene: a verified token with everything it stands on, for tests of what is
 * made of it.
 */

#ifndef SCENE_H
#define SCENE_H

#include "mint.h"
#include "pu_token.h"


typedef struct {
    EVP_PKEY            *pkey;
    pu_issuer_t         *issuer;
    pu_token_t           token;
    pu_issuers_t         issuers;
    const pu_issuer_t   *items[1];
    char                *text;
    pu_reason_t          reason;        /* of verifying it at MINT_NOW */
} scene_t;


/* A token of this payload; "lines" as in mint_issuer. */
void scene_open(scene_t *scene, const char *lines, const char *payload);
void scene_close(scene_t *scene);


#endif /* SCENE_H */
