/*
 * pu_reason: the one table of what a decision can say.
 *
 * Reason, its word, the HTTP status, the challenge it carries and how loud
 * it is in the error log.  Variable, audit line, problem body and metrics all
 * read this table; no other file spells a reason word.
 */

#ifndef PU_REASON_H
#define PU_REASON_H

#include "pu_str.h"


typedef enum {
    PU_CHALLENGE_NONE = 0,
    PU_CHALLENGE_BARE,                  /* RFC 6750 section 3.1: no error= */
    PU_CHALLENGE_REQUEST,               /* error="invalid_request" */
    PU_CHALLENGE_TOKEN,                 /* error="invalid_token" */
    PU_CHALLENGE_SCOPE                  /* error="insufficient_scope" */
} pu_challenge_t;


/* reason, word, status, challenge, sentence for error_description */
#define PU_REASONS(R)                                                         \
    R(OK, "ok", 200, NONE, "")                                                \
    R(ANONYMOUS, "anonymous", 200, NONE, "")                                  \
    R(PREFLIGHT, "preflight", 200, NONE, "")                                  \
    R(CREDENTIAL_AMBIGUOUS, "credential_ambiguous", 400, REQUEST,             \
      "more than one credential")                                             \
    R(CREDENTIAL_MALFORMED, "credential_malformed", 400, REQUEST,             \
      "the credential is malformed")                                          \
    R(NO_CREDENTIAL, "no_credential", 401, BARE, "")                          \
    R(TOKEN_MALFORMED, "token_malformed", 401, TOKEN,                         \
      "the token is malformed")                                               \
    R(TOKEN_TOO_LARGE, "token_too_large", 401, TOKEN,                         \
      "the token is too large")                                               \
    R(TOKEN_TYPE, "token_type", 401, TOKEN,                                   \
      "the token is of another type")                                         \
    R(TOKEN_ALGORITHM, "token_algorithm", 401, TOKEN,                         \
      "the algorithm is not allowed")                                         \
    R(TOKEN_CRITICAL, "token_critical", 401, TOKEN,                           \
      "the token asks for an extension")                                      \
    R(TOKEN_KEY_UNKNOWN, "token_key_unknown", 401, TOKEN,                     \
      "the key is not known")                                                 \
    R(TOKEN_SIGNATURE, "token_signature", 401, TOKEN,                         \
      "the signature is not valid")                                           \
    R(TOKEN_PAYLOAD, "token_payload", 401, TOKEN,                             \
      "the payload is malformed")                                             \
    R(TOKEN_ISSUER, "token_issuer", 401, TOKEN,                               \
      "the issuer is not known")                                              \
    R(TOKEN_AUDIENCE, "token_audience", 401, TOKEN,                           \
      "the token is for another audience")                                    \
    R(TOKEN_CLAIMS, "token_claims", 401, TOKEN,                               \
      "a claim is missing or not valid")                                      \
    R(TOKEN_EXPIRED, "token_expired", 401, TOKEN,                             \
      "the token has expired")                                                \
    R(TOKEN_NOT_YET_VALID, "token_not_yet_valid", 401, TOKEN,                 \
      "the token is not yet valid")                                           \
    R(TOKEN_TOO_OLD, "token_too_old", 401, TOKEN,                             \
      "the token is too old")                                                 \
    R(TOKEN_REVOKED, "token_revoked", 401, TOKEN,                             \
      "the token has been revoked")                                           \
    R(TOKEN_INACTIVE, "token_inactive", 401, TOKEN,                           \
      "the token is not active")                                              \
    R(TOKEN_BINDING, "token_binding", 401, TOKEN,                             \
      "the token lacks its proof of possession")                              \
    R(TOKEN_DECRYPTION, "token_decryption", 401, TOKEN,                       \
      "the token cannot be decrypted")                                        \
    R(KEY_UNKNOWN, "key_unknown", 401, TOKEN, "the key is not known")         \
    R(KEY_EXPIRED, "key_expired", 401, TOKEN, "the key has expired")          \
    R(KEY_REVOKED, "key_revoked", 401, TOKEN, "the key has been revoked")     \
    R(CERTIFICATE_UNKNOWN, "certificate_unknown", 401, TOKEN,                 \
      "the certificate is not known")                                         \
    R(ISSUER_NOT_ACCEPTED, "issuer_not_accepted", 403, NONE, "")              \
    R(USER_UNKNOWN, "user_unknown", 403, NONE, "")                            \
    R(USER_SUSPENDED, "user_suspended", 403, NONE, "")                        \
    R(USER_DELETED, "user_deleted", 403, NONE, "")                            \
    R(USER_EXPIRED, "user_expired", 403, NONE, "")                            \
    R(ROLE_MISSING, "role_missing", 403, NONE, "")                            \
    R(METHOD_NOT_PERMITTED, "method_not_permitted", 403, NONE, "")            \
    R(SCOPE_MISSING, "scope_missing", 403, SCOPE, "")                         \
    R(REQUIREMENT_FAILED, "requirement_failed", 403, NONE, "")                \
    R(NETWORK_NOT_PERMITTED, "network_not_permitted", 403, NONE, "")          \
    R(RATE_LIMITED, "rate_limited", 429, NONE, "")                            \
    R(QUOTA_EXCEEDED, "quota_exceeded", 429, NONE, "")                        \
    R(CONCURRENCY_EXCEEDED, "concurrency_exceeded", 429, NONE, "")            \
    R(TOO_MANY_FAILURES, "too_many_failures", 429, NONE, "")                  \
    R(STORE_UNAVAILABLE, "store_unavailable", 503, NONE, "")                  \
    R(ISSUER_UNAVAILABLE, "issuer_unavailable", 503, NONE, "")                \
    R(INTERNAL, "internal", 500, NONE, "")


typedef enum {
#define PU_REASON_ENUM(name, word, status, challenge, text)  PU_##name,
    PU_REASONS(PU_REASON_ENUM)
#undef PU_REASON_ENUM
    PU_REASON_COUNT
} pu_reason_t;


/* The word of SPEC section 4; never NULL, static. */
pu_str_t pu_reason_word(pu_reason_t reason);

int pu_reason_status(pu_reason_t reason);
pu_challenge_t pu_reason_challenge(pu_reason_t reason);

/* A status in words (RFC 9110 section 15), for RFC 9457's "title". */
pu_str_t pu_status_title(int status);

/* For error_description (RFC 6750 section 3): fixed text, maybe empty. */
pu_str_t pu_reason_text(pu_reason_t reason);


#endif /* PU_REASON_H */
