/*
 * What is known of a request: its credential, its user, its decisions.
 *
 * Lives in the request's pool and is found by a pool cleanup, so it outlives
 * internal redirects, which zero every module's context, and is still there
 * in the log phase.
 */

#ifndef NGX_PROXY_USER_IDENTITY_H
#define NGX_PROXY_USER_IDENTITY_H

#include "ngx_proxy_user.h"
#include "ngx_proxy_user_ask.h"
#include "ngx_proxy_user_introspect.h"
#include "ngx_proxy_user_keyring.h"
#include "ngx_proxy_user_store.h"
#include "pu_limit.h"


typedef enum {
    NGX_PROXY_USER_UNDECIDED = 0,
    NGX_PROXY_USER_ALLOW,
    NGX_PROXY_USER_DENY,
    NGX_PROXY_USER_UNKNOWN,
    NGX_PROXY_USER_ANONYMOUS,
    NGX_PROXY_USER_PREFLIGHT
} ngx_proxy_user_verdict_e;


/* what the challenge to a refused token is about */
typedef enum {
    NGX_PROXY_USER_BEARER_TOKEN = 0,
    NGX_PROXY_USER_DPOP_TOKEN,              /* RFC 9449 section 7.1 */
    NGX_PROXY_USER_DPOP_PROOF
} ngx_proxy_user_challenged_e;


typedef struct {
    ngx_proxy_user_verdict_e          verdict;
    pu_reason_t                       reason;
    ngx_int_t                         status;   /* if not the reason's own */
    const pu_rule_t                  *rule;     /* NULL: no line decided */
    pu_str_t                          roles;    /* in force, sets */
    pu_str_t                          scopes;
    int64_t                           until;    /* a role in force ends */
    const ngx_proxy_user_loc_conf_t  *conf;
    ngx_str_t                         location;
    const ngx_proxy_user_assertion_t *asserter; /* of the next, or NULL */
    pu_str_t                          assertion;
} ngx_proxy_user_decision_t;


/* Whom it was about; texts are empty where nobody was proven. */
typedef struct {
    pu_str_t                          user;
    pu_str_t                          name;
    pu_str_t                          type;
    pu_str_t                          issuer;
    pu_str_t                          subject;
    size_t                            handle_len;
    u_char                            handle[PU_HANDLE_TEXT_MAX];
    pu_str_t                          credential;
    ngx_proxy_user_cache_e            cache;
    ngx_proxy_user_cache_e            token_cache;
} ngx_proxy_user_whom_t;


typedef struct ngx_proxy_user_identity_s  ngx_proxy_user_identity_t;


/* Of ngx_proxy_user_cut.c: where the request is found when it may not go on. */
typedef struct {
    ngx_proxy_user_cuts_t            *cuts;
    ngx_queue_t                       user;
    ngx_queue_t                       handle;
    ngx_queue_t                       end;      /* of its token */
    ngx_queue_t                       check;    /* to be looked up */
    int64_t                           expires;
    ngx_proxy_user_waiter_t           waiter;
    void                            (*leave)(ngx_proxy_user_identity_t *id);
} ngx_proxy_user_watch_t;


struct ngx_proxy_user_identity_s {
    ngx_http_request_t               *request;

    /*
     * The step of ngx_proxy_user_access.c it is at.  A step that has to wait
     * sets "leave", which is called should the request end meanwhile; whoever
     * has the answer notes it, and calls "resume" from an event of its own:
     * the step is then taken once more.
     */
    ngx_uint_t                        step;
    void                            (*leave)(ngx_proxy_user_identity_t *id);
    void                            (*resume)(ngx_proxy_user_identity_t *id);

    /* as the client sent them, whatever a redirect made of them */
    ngx_str_t                         method;
    ngx_str_t                         uri;      /* without arguments */
    ngx_str_t                         host;

    /* the credential */
    ngx_proxy_user_source_t           source;
    pu_handle_kind_t                  kind;
    ngx_str_t                         token;    /* or API key */
    u_char                            digest[PU_SHA256_LEN];    /* of it,
                                                   and of who is asked */
    unsigned                          anonymous:1;  /* none, none needed */
    unsigned                          dpop:1;   /* by that scheme */
    unsigned                          judged:1; /* "proof" is about it */
    pu_reason_t                       proof;    /* PU_OK: proven */
    const pu_issuer_t                *opener;   /* whose it is if it does
                                                   not say so itself */
    const pu_issuer_t                *issuer;
    pu_verified_t                     verified;
    u_char                            handle[PU_SHA256_LEN];
    pu_handle_t                       caps;     /* not of a token */

    /* what it is bound to */
    ngx_proxy_user_challenged_e       challenged;
    u_char                            proof_id[PU_SHA256_LEN];
    int64_t                           proof_made;   /* its iat */
    unsigned                          ask_proof:1;  /* seen before? */
    unsigned                          bound:1;      /* by a proof, once */

    /* may it have been revoked by name? */
    ngx_proxy_user_jti_t              jti;
    pu_str_t                          packed;   /* for the zone; or empty */
    pu_reason_t                       revoked;  /* PU_OK, or why not */

    /* what Redis is asked; NULL: nothing is under way */
    ngx_proxy_user_question_t        *question;
    ngx_proxy_user_answer_e           answer;
    unsigned                          asked:1;  /* about the token's name */

    /* the user */
    pu_user_t                         user;
    unsigned                          found:1;
    pu_reason_t                       store;    /* when it is not found */
    ngx_proxy_user_cache_e            cache;
    ngx_proxy_user_cache_e            token_cache;
    ngx_proxy_user_waiter_t           waiter;
    ngx_proxy_user_keys_waiter_t      keys;     /* to prove the token, ... */
    ngx_proxy_user_introspect_waiter_t  told;   /* ... by what is known of it */
    unsigned                          answered:1;   /* in this location */

    /* for a user who is made now */
    unsigned                          described:1;
    unsigned                          service:1;
    pu_str_t                          display;
    pu_str_t                          link;     /* or is linked now */

    /* decisions: the last, and the first that was not "allow" */
    ngx_proxy_user_decision_t         last;
    ngx_proxy_user_decision_t         refused;
    ngx_proxy_user_whom_t              whom;     /* the latter */
    uint64_t                          begun;    /* us */
    uint64_t                          spent;    /* us */

    ngx_proxy_user_watch_t            watch;    /* leave NULL: none */
    pu_reason_t                       cut;      /* why it was cut off */

    ngx_proxy_user_limited_t         *limited;  /* NULL: no limit so far */
    pu_left_t                         failures; /* past the guard: 0 left */
    unsigned                          guarded:1;    /* that has been told */
    unsigned                          failed:1; /* counted by the guard */

    ngx_table_elt_t                  *challenge;
    ngx_table_elt_t                  *retry;
    ngx_table_elt_t                  *covered;  /* another module's */
    unsigned                          hidden:1; /* from who answers */
    unsigned                          logging:1;
};


/* The identity of the request, made when there is none; NULL: no memory. */
ngx_proxy_user_identity_t *ngx_proxy_user_identity_get(
    ngx_http_request_t *r);

/* The identity of the main request, or NULL. */
ngx_proxy_user_identity_t *ngx_proxy_user_identity_find(
    ngx_http_request_t *r);

/* The answer to id->question, "data" being the identity: it goes on. */
void ngx_proxy_user_identity_told(void *data, ngx_proxy_user_answer_e answer);

/*
 * A claim of its token, in the request's pool: a string as it is, anything
 * else as compact JSON, and empty when there is none.  NGX_DECLINED: it has a
 * control byte and is left empty.
 */
ngx_int_t ngx_proxy_user_identity_claim(ngx_http_request_t *r,
    const ngx_proxy_user_identity_t *id, pu_str_t name, pu_str_t *value);

/* A copy of the user's record in the request's pool. */
ngx_int_t ngx_proxy_user_identity_user(ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_record_t *record);

/* The decision the audit line tells, or NULL: none was made. */
const ngx_proxy_user_decision_t *ngx_proxy_user_identity_decision(
    const ngx_proxy_user_identity_t *id);

/*
 * Whom the last decision is about.  Its texts live in the request's pool and
 * stay what they are when the next location finds somebody else.
 */
void ngx_proxy_user_identity_whom(const ngx_proxy_user_identity_t *id,
    ngx_proxy_user_whom_t *whom);

/*
 * May the identity be told? Not while somebody else answers a request that
 * was not allowed: a backend must not meet a refused user by name.  In a log
 * it may, but where nobody is refused by it.
 */
ngx_uint_t ngx_proxy_user_identity_shown(
    const ngx_proxy_user_identity_t *id);

/*
 * The request's log without its context: that would show the request line,
 * which may have a token in its arguments.
 */
ngx_log_t ngx_proxy_user_identity_log(ngx_http_request_t *r);

/* Words for variables and the audit line; static. */
pu_str_t ngx_proxy_user_verdict_word(ngx_proxy_user_verdict_e verdict);
pu_str_t ngx_proxy_user_cache_word(ngx_proxy_user_cache_e cache);

/* The name of the issuer, empty where there is none. */
pu_str_t ngx_proxy_user_identity_issuer(const ngx_proxy_user_identity_t *id);

/* "bearer", "api_key" or "certificate"; static. */
pu_str_t ngx_proxy_user_identity_credential(
    const ngx_proxy_user_identity_t *id);

/*
 * The public id of the credential, into PU_HANDLE_TEXT_MAX bytes: of a token
 * "sub:" and the start of its handle's digest.
 */
size_t ngx_proxy_user_identity_handle(const ngx_proxy_user_identity_t *id,
    u_char *out);


#endif /* NGX_PROXY_USER_IDENTITY_H */
