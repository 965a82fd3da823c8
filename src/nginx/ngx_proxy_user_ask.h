/*
 * One short question to Redis about one name: has this token been revoked,
 * has this proof been seen before?
 *
 * Not shared and not cached: every asker has a question of its own, on the
 * store's connection, with a deadline.  Knows no request.
 */

#ifndef NGX_PROXY_USER_ASK_H
#define NGX_PROXY_USER_ASK_H

#include "ngx_proxy_user.h"
#include "ngx_proxy_user_store.h"


typedef enum {
    NGX_PROXY_USER_ASK_REVOKED = 0,     /* is there such a key? */
    NGX_PROXY_USER_ASK_ONCE             /* make it, unless it is there */
} ngx_proxy_user_ask_e;

typedef enum {
    NGX_PROXY_USER_ANSWER_NO = 0,       /* there was no such key */
    NGX_PROXY_USER_ANSWER_YES,
    NGX_PROXY_USER_ANSWER_UNKNOWN
} ngx_proxy_user_answer_e;

typedef struct ngx_proxy_user_question_s  ngx_proxy_user_question_t;

typedef void (*ngx_proxy_user_ask_pt)(void *data,
    ngx_proxy_user_answer_e answer);


/*
 * NULL: it cannot be asked, which is an answer: unknown.  Else "handler" is
 * called once, from an event of its own, and the question is gone then; or
 * drop is called before.
 */
ngx_proxy_user_question_t *ngx_proxy_user_ask(ngx_proxy_user_store_t *store,
    ngx_proxy_user_ask_e kind, const u_char *digest,
    ngx_proxy_user_ask_pt handler, void *data);

/* How long an answer is waited for: asked again once, within twice that. */
ngx_msec_t ngx_proxy_user_ask_patience(struct ngx_proxy_user_redis_s *redis,
    const ngx_proxy_user_redis_conf_t *conf);

/* Nobody will be called.  NULL is allowed. */
void ngx_proxy_user_ask_drop(ngx_proxy_user_question_t *question);

/* At the store's end, when Redis calls nobody back any more. */
void ngx_proxy_user_ask_close(ngx_queue_t *questions);


#endif /* NGX_PROXY_USER_ASK_H */
