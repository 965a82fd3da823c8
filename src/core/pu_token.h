/*
 * pu_token: text -> verified token (RFC 7515 compact serialisation, RFC 7519,
 * RFC 8725), or the one reason why not.
 *
 * Stateless: token, issuers and the time go in, claims or a reason come out.
 * Order: form, header, key, signature, claims.  Knows no nginx, no cache and
 * no network.
 */

#ifndef PU_TOKEN_H
#define PU_TOKEN_H

#include "pu_issuer.h"
#include "pu_jws.h"
#include "pu_keys.h"
#include "pu_reason.h"
#include "pu_str.h"


#define PU_TOKEN_LEN_MAX      PU_JWS_LEN_MAX

#define PU_TIME_NONE          INT64_MIN

/* Claims that are kept with a token; one with more is not to be cached. */
#define PU_CLAIMS_KEPT_MAX    4096


/*
 * The issuers, and the keys of each that are in force: "keys" has one set for
 * each issuer, NULL where there is none; without it they are the issuers' own.
 */
typedef struct {
    size_t                     n;
    const pu_issuer_t *const  *items;
    const pu_keys_t *const    *keys;
} pu_issuers_t;


/*
 * What stays true of a token as long as its issuer's settings and the key
 * that verified it are in force: this, and never a verdict, may be cached.
 * Roles are mapped already; roles and scopes are sets.
 */
typedef struct {
    uint8_t   issuer[PU_FINGERPRINT_LEN];
    uint8_t   key[PU_KEY_MARK_LEN];     /* zeros: the issuer was asked */
    int64_t   exp;                      /* seconds since 1970 */
    int64_t   nbf;                      /* or PU_TIME_NONE */
    int64_t   iat;                      /* or PU_TIME_NONE */
    pu_str_t  subject;
    pu_str_t  roles;
    pu_str_t  scopes;
    pu_str_t  claims;                   /* JSON; of a token whose text does
                                           not show them, else empty */

    /* what the caller must have beside the token (RFC 7800), on every use */
    unsigned  bound_cert:1;
    unsigned  bound_key:1;
    uint8_t   cert[PU_SHA256_LEN];      /* x5t#S256 (RFC 8705) */
    uint8_t   jkt[PU_SHA256_LEN];       /* thumbprint (RFC 9449) */
} pu_verified_t;


typedef struct {
    const pu_issuer_t  *issuer;         /* NULL until one is picked */
    const pu_keys_t    *keys;           /* that issuer's in force, borrowed */
    pu_verified_t       verified;
    pu_str_t            display;        /* for a user made now */
    pu_str_t            link;           /* for one who was provisioned */
    pu_str_t            jti;            /* data NULL: the token has none */
    unsigned            service:1;
    unsigned            kid_unknown:1;  /* no key in force has its kid */
    unsigned            hidden:1;       /* its text does not show claims */
    json_t             *claims;         /* owned */
    void               *memory;         /* owned; strings point here */
} pu_token_t;


/* The keys of the issuer items[i] that are in force, or NULL. */
const pu_keys_t *pu_issuers_keys(const pu_issuers_t *issuers, size_t i);

/*
 * Verifies "text" as it came in the request.  The token's iss picks the
 * issuer; with a single issuer nothing of the payload is read before the
 * signature holds.  An encrypted token (RFC 7519 section 5.2: a JWE with a
 * JWS in it) is opened only for a single issuer that has a key for it: which
 * issuer's key is to be tried, the caller has to know.  PU_OK fills "token",
 * which the caller clears in every case; "text" may go away afterwards.
 * "now" is seconds since 1970.  PU_ISSUER_UNAVAILABLE: its keys have to be
 * fetched first.  Leaves no OpenSSL error behind.
 */
pu_reason_t pu_token_verify(pu_token_t *token, pu_str_t text,
    const pu_issuers_t *issuers, int64_t now);

void pu_token_clear(pu_token_t *token);

/*
 * The last part of it, when "payload" is proven to be the picked issuer's and
 * has been read into token->claims: every claim but iss.
 */
pu_reason_t pu_token_accept(pu_token_t *token, pu_str_t payload, int64_t now);

/*
 * Of a token that has been verified before and whose claims were kept: what
 * only a new user needs, its display, link and service.  PU_OK or the reason;
 * the caller clears "token" in every case.
 */
pu_reason_t pu_token_recall(pu_token_t *token, const pu_issuer_t *issuer,
    pu_str_t claims);

/*
 * The first half of it: form, header, key and signature.  The payload is not
 * read and may be any bytes, at least one.
 */
pu_reason_t pu_token_signature(pu_str_t text, const pu_issuer_t *issuer);

/* exp, nbf and iat against "now" with the issuer's leeway; on every hit. */
pu_reason_t pu_token_times(const pu_verified_t *verified,
    const pu_issuer_t *issuer, int64_t now);

/*
 * Finds the issuer and makes sure that its key is still in force; NULL when
 * either is gone and the entry is a miss.
 */
const pu_issuer_t *pu_token_in_force(const pu_verified_t *verified,
    const pu_issuers_t *issuers);

/*
 * One claim of a token that has been verified before (this does not verify):
 * a string as it is, anything else as compact JSON.  "name" is matched
 * exactly, else without regard to ASCII case if that finds one member only.
 * Returns the length written to "out" (room for text.len), -1 when
 * there is no such claim, -2 when it has a control byte (RFC 9110 section
 * 5.5: it must not become a header).
 */
int64_t pu_token_claim(pu_str_t text, pu_str_t name, uint8_t *out);

/*
 * The same of claims that are JSON already, as pu_verified_t has them; "out"
 * has room for claims.len.
 */
int64_t pu_claims_claim(pu_str_t claims, pu_str_t name, uint8_t *out);


/*
 * The bytes of a verified token for the shared memory and back.  pack returns
 * the length, or 0 when "size" is too small; unpack points into "data" and
 * returns 1, or 0 when the bytes make no sense.
 */
size_t pu_verified_pack(const pu_verified_t *verified, uint8_t *out,
    size_t size);
int pu_verified_unpack(pu_verified_t *verified, const uint8_t *data,
    size_t len);


#endif /* PU_TOKEN_H */
