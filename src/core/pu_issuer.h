/*
 * pu_issuer: one identity provider as nginx.conf describes it, and what its
 * claims mean here.
 *
 * Built once by pu_issuer_set and pu_issuer_finish while a configuration is
 * read, constant afterwards.  Owns all its memory and its keys.
 */

#ifndef PU_ISSUER_H
#define PU_ISSUER_H

#include <jansson.h>

#include "pu_json.h"
#include "pu_jwe.h"
#include "pu_keys.h"
#include "pu_reason.h"
#include "pu_user.h"
#include "pu_str.h"


#define PU_PATH_MAX           8         /* words in a claim path */
#define PU_LEEWAY_MAX         300
#define PU_SUBJECT_LEN_MAX    255
#define PU_FINGERPRINT_LEN    16

typedef struct pu_issuer_s  pu_issuer_t;

typedef struct {
    size_t    n;
    pu_str_t  words[PU_PATH_MAX];
} pu_path_t;

typedef struct {
    size_t     n;
    pu_str_t  *items;
} pu_list_t;

/* claim name value ...; and role_map value role ...; */
typedef struct {
    pu_str_t   name;
    pu_list_t  values;
} pu_named_list_t;


struct pu_issuer_s {
    pu_str_t          name;             /* in nginx.conf */
    pu_str_t          url;              /* compared byte for byte with iss */
    pu_list_t         audience;
    pu_list_t         audience_claims;  /* default: aud */
    size_t            nclaims;
    pu_named_list_t  *claims;           /* all must hold */
    unsigned          algs;             /* PU_ALG_BITs */
    pu_list_t         types;            /* default: JWT, at+jwt */
    int64_t           leeway;           /* seconds */
    int64_t           max_age;          /* seconds; 0: off */
    pu_path_t         subject;
    pu_path_t         display;          /* n 0: preferred_username */
    pu_path_t         role_claim;
    pu_path_t         scope_claim;      /* n 0: scope, then scp */
    pu_path_t         link;             /* when finished, the claim; n 0: */
    pu_link_t         link_by;          /* none */
    size_t            nroles;
    pu_named_list_t  *role_map;         /* sorted by value when finished */
    pu_list_t         default_roles;
    pu_keys_t        *keys;             /* from jwks_file or secret_file */
    pu_str_t          discovery;        /* url; empty: none */
    pu_str_t          jwks_uri;         /* the same */
    pu_str_t          introspection;    /* the same */
    pu_str_t          client_id;        /* for introspection, and ... */
    pu_str_t          authorization;    /* ... the header's value, secret */
    pu_str_t          ca_file;          /* empty: the system's */
    int64_t           timeout;          /* ms, of all that is fetched */
    pu_jwe_keys_t    *decryption;       /* NULL: no encrypted tokens */
    uint8_t           fingerprint[PU_FINGERPRINT_LEN];
    size_t            role_words;       /* all roles it can give: how many, */
    size_t            role_bytes;       /* and how long with a space each */
    void             *memory;           /* what everything above lives in */
    unsigned          url_off:1;        /* iss is not compared: no directive
                                           says so, only the command */
    unsigned          audience_off:1;
    unsigned          type_absent:1;    /* a token without typ will do */
    unsigned          id_token:1;       /* so will an ID token */
    unsigned          jit:1;            /* provision */
    unsigned          discovery_on:1;   /* as written */
    unsigned          discovery_off:1;
    unsigned          secret:1;         /* its keys are one shared secret */
    unsigned          fetched:1;        /* they come over the network, and are
                                           never kept in here */
    unsigned          seen;             /* directives met, by table index */
};


/* "name" is copied.  NULL when memory is gone. */
pu_issuer_t *pu_issuer_new(pu_str_t name);

/* NULL is allowed. */
void pu_issuer_free(pu_issuer_t *issuer);

/*
 * One directive of the issuer block: words[0] is its name.  Words are copied.
 * Paths must be absolute or relative to the working directory (the caller
 * applies the configuration prefix: pu_issuer_path tells for which words).
 * 1, or 0 and a sentence in "err" that names directive, value and what is
 * allowed.  "warn" as in pu_keys_jwks.
 */
int pu_issuer_set(pu_issuer_t *issuer, const pu_str_t *words, size_t n,
    pu_keys_warn_f warn, void *data, char err[PU_ERROR_SIZE]);

/*
 * Where in a word of this directive the path of a file begins; word.len: it
 * has none.
 */
size_t pu_issuer_path(pu_str_t directive, pu_str_t word);

/*
 * Checks that the required directives were there, fills defaults, computes
 * the fingerprint of everything that is part of what a cached token means.
 * 1, or 0 and a sentence in "err".
 */
int pu_issuer_finish(pu_issuer_t *issuer, char err[PU_ERROR_SIZE]);


/* https, or http to a loopback address (127.0.0.0/8, ::1, localhost). */
int pu_issuer_url_ok(pu_str_t url);


/*
 * What verified claims say of the caller, as pu_token needs it.  Roles and
 * scopes are sets, written into "b"; strings may point into "claims" or "b".
 * PU_OK or the reason.
 */
typedef struct {
    pu_str_t  subject;
    pu_str_t  display;
    pu_str_t  link;                     /* or empty */
    pu_str_t  roles;
    pu_str_t  scopes;
    unsigned  service:1;                /* subject is client_id or azp */
} pu_caller_t;

/* How much room "b" needs for a payload of "len" bytes, at most. */
size_t pu_issuer_room(const pu_issuer_t *issuer, size_t len);

pu_reason_t pu_issuer_caller(const pu_issuer_t *issuer, json_t *claims,
    pu_str_t payload, pu_buf_t *b, pu_caller_t *caller);


#endif /* PU_ISSUER_H */
