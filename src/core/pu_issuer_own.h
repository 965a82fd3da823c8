/*
 * pu_issuer_own: what the files of pu_issuer share among themselves.
 */

#ifndef PU_ISSUER_OWN_H
#define PU_ISSUER_OWN_H

#include "pu_issuer.h"


/* For sentences about "algorithms". */
#define PU_ALGS_TEXT                                                          \
    "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA "   \
    "and Ed25519"
#define PU_ALGS_HMAC_TEXT  "HS256, HS384 and HS512"


#define PU_VALUE_SHOWN_MAX  100
#define PU_SECRET_WORD      "client_secret_file="


typedef struct pu_directive_s  pu_directive_t;

/* One line: the directive and the words after its name. */
typedef struct {
    const pu_directive_t  *directive;
    const pu_str_t        *args;
    size_t                 n;
    pu_keys_warn_f         warn;
    void                  *data;
} pu_line_t;

struct pu_directive_s {
    const char  *name;
    size_t       min;
    size_t       max;
    unsigned     repeatable:1;
    unsigned     file:1;
    int        (*set)(pu_issuer_t *issuer, const pu_line_t *line, char *err);
    size_t       offset;                /* of the list or path it sets */
};


/* Writes a sentence and returns 0. */
int pu_issuer_fail(char *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same about a value of the line's directive. */
int pu_line_fail(const pu_line_t *line, pu_str_t value, const char *allowed,
    char *err);

/* A copy that lives as long as the issuer, with a NUL after it; 1, or 0. */
int pu_issuer_copy(pu_issuer_t *issuer, pu_str_t *to, pu_str_t from);

/* Copies words into a list that lives as long as the issuer; 1, or 0. */
int pu_issuer_list(pu_issuer_t *issuer, pu_list_t *list,
    const pu_str_t *words, size_t n);

/* pu_issuer_source.c: where keys come from, whom to ask. */
int pu_set_jwks_file(pu_issuer_t *issuer, const pu_line_t *line, char *err);
int pu_set_secret_file(pu_issuer_t *issuer, const pu_line_t *line, char *err);
int pu_set_jwks_uri(pu_issuer_t *issuer, const pu_line_t *line, char *err);
int pu_set_discovery(pu_issuer_t *issuer, const pu_line_t *line, char *err);
int pu_set_introspection(pu_issuer_t *issuer, const pu_line_t *line,
    char *err);
int pu_set_ca_file(pu_issuer_t *issuer, const pu_line_t *line, char *err);
int pu_set_timeout(pu_issuer_t *issuer, const pu_line_t *line, char *err);


#endif /* PU_ISSUER_OWN_H */
