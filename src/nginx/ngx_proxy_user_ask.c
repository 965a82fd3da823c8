
/*
 * One short question to Redis; see the header.
 *
 * A question outlives its asker: Redis will call back for it.  It ends when
 * both are done with it.
 */

#include "ngx_proxy_user_ask.h"
#include "ngx_proxy_user_redis.h"
#include "ngx_proxy_user_unread.h"
#include "pu_dpop.h"


struct ngx_proxy_user_question_s {
    ngx_queue_t                queue;
    ngx_proxy_user_redis_t    *redis;
    ngx_proxy_user_ask_e       kind;
    u_char                     digest[PU_SHA256_LEN];
    ngx_proxy_user_ask_pt      handler;     /* NULL: nobody waits */
    void                      *data;
    const ngx_proxy_user_redis_conf_t
                              *conf;
    ngx_proxy_user_unread_t   *unread;
    ngx_event_t                deadline;
    ngx_event_t                done;
    ngx_proxy_user_answer_e    answer;
    unsigned                   asked:1;     /* Redis will call back */
    unsigned                   again:1;     /* asked a second time */
};


static ngx_int_t ngx_proxy_user_ask_send(ngx_proxy_user_question_t *question);
static void ngx_proxy_user_ask_answered(void *data, redisReply *reply);
static ngx_proxy_user_answer_e ngx_proxy_user_ask_read(
    const ngx_proxy_user_question_t *question, const redisReply *reply);
static void ngx_proxy_user_ask_deadline(ngx_event_t *ev);
static void ngx_proxy_user_ask_finish(ngx_proxy_user_question_t *question,
    ngx_proxy_user_answer_e answer);
static void ngx_proxy_user_ask_done(ngx_event_t *ev);
static void ngx_proxy_user_ask_free(ngx_proxy_user_question_t *question);


ngx_proxy_user_question_t *
ngx_proxy_user_ask(ngx_proxy_user_store_t *store, ngx_proxy_user_ask_e kind,
    const u_char *digest, ngx_proxy_user_ask_pt handler, void *data)
{
    ngx_queue_t                        *questions;
    ngx_proxy_user_redis_t             *redis;
    ngx_proxy_user_unread_t            *unread;
    ngx_proxy_user_question_t          *question;
    const ngx_proxy_user_redis_conf_t  *conf;

    questions = ngx_proxy_user_store_questions(store, &redis, &conf, &unread);

    question = ngx_calloc(sizeof(ngx_proxy_user_question_t), ngx_cycle->log);
    if (question == NULL) {
        return NULL;
    }

    question->redis = redis;
    question->conf = conf;
    question->unread = unread;
    question->kind = kind;
    ngx_memcpy(question->digest, digest, PU_SHA256_LEN);
    question->handler = handler;
    question->data = data;

    question->deadline.handler = ngx_proxy_user_ask_deadline;
    question->deadline.data = question;
    question->deadline.log = ngx_cycle->log;

    question->done.handler = ngx_proxy_user_ask_done;
    question->done.data = question;
    question->done.log = ngx_cycle->log;

    ngx_queue_insert_tail(questions, &question->queue);

    if (ngx_proxy_user_ask_send(question) != NGX_OK) {
        ngx_proxy_user_ask_free(question);
        return NULL;
    }

    ngx_add_timer(&question->deadline,
                  ngx_proxy_user_ask_patience(redis, conf));

    return question;
}


ngx_msec_t
ngx_proxy_user_ask_patience(ngx_proxy_user_redis_t *redis,
    const ngx_proxy_user_redis_conf_t *conf)
{
    ngx_msec_t  ms;

    ms = conf->timeout + conf->timeout * 4 / 5;

    if (ngx_proxy_user_redis_starting(redis)) {
        ms += conf->connect_timeout;
    }

    return ms;
}


static ngx_int_t
ngx_proxy_user_ask_send(ngx_proxy_user_question_t *question)
{
    pu_str_t   prefix;
    pu_args_t  args;

    prefix = ngx_proxy_user_str(&question->conf->prefix);

    if (question->kind == NGX_PROXY_USER_ASK_REVOKED) {
        pu_command_jti(&args, prefix, question->digest);

    } else {
        pu_command_once(&args, prefix, question->digest, PU_DPOP_REMEMBER);
    }

    if (ngx_proxy_user_redis_send(question->redis, &args,
                                  ngx_proxy_user_ask_answered, question)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    question->asked = 1;

    return NGX_OK;
}


static void
ngx_proxy_user_ask_answered(void *data, redisReply *reply)
{
    ngx_proxy_user_question_t *question = data;

    question->asked = 0;

    /* of a proof nobody knows whether its key was made by the first asking */

    if (reply == NULL && question->handler && !question->again
        && question->kind == NGX_PROXY_USER_ASK_REVOKED)
    {
        question->again = 1;

        if (ngx_proxy_user_ask_send(question) == NGX_OK) {
            return;
        }
    }

    ngx_proxy_user_ask_finish(question,
                              ngx_proxy_user_ask_read(question, reply));
}


static ngx_proxy_user_answer_e
ngx_proxy_user_ask_read(const ngx_proxy_user_question_t *question,
    const redisReply *reply)
{
    ngx_uint_t  there;

    if (reply == NULL) {
        return NGX_PROXY_USER_ANSWER_UNKNOWN;
    }

    /* GET says nil when there is none, SET NX when there is one */

    switch (reply->type) {

    case REDIS_REPLY_NIL:
        there = (question->kind == NGX_PROXY_USER_ASK_ONCE);
        break;

    case REDIS_REPLY_STRING:
        there = 1;
        break;

    case REDIS_REPLY_STATUS:
        there = 0;
        break;

    default:

        if (pu_reply_jti_unreadable(reply)) {
            ngx_proxy_user_unread_jti(question->unread, ngx_cycle->log,
                                      question->digest);
            return NGX_PROXY_USER_ANSWER_UNKNOWN;
        }

        ngx_proxy_user_redis_trouble(question->redis, reply);
        return NGX_PROXY_USER_ANSWER_UNKNOWN;
    }

    ngx_proxy_user_redis_trouble(question->redis, NULL);

    return there ? NGX_PROXY_USER_ANSWER_YES : NGX_PROXY_USER_ANSWER_NO;
}


static void
ngx_proxy_user_ask_deadline(ngx_event_t *ev)
{
    ngx_proxy_user_ask_finish(ev->data, NGX_PROXY_USER_ANSWER_UNKNOWN);
}


/* Who waits is called from an event: never inside Redis' reading loop. */

static void
ngx_proxy_user_ask_finish(ngx_proxy_user_question_t *question,
    ngx_proxy_user_answer_e answer)
{
    question->answer = answer;

    if (question->deadline.timer_set) {
        ngx_del_timer(&question->deadline);
    }

    if (!question->done.posted) {
        ngx_post_event(&question->done, &ngx_posted_events);
    }
}


static void
ngx_proxy_user_ask_done(ngx_event_t *ev)
{
    void                       *data;
    ngx_proxy_user_ask_pt       handler;
    ngx_proxy_user_answer_e     answer;
    ngx_proxy_user_question_t  *question;

    question = ev->data;

    handler = question->handler;
    data = question->data;
    answer = question->answer;

    question->handler = NULL;

    if (!question->asked) {
        ngx_proxy_user_ask_free(question);
    }

    if (handler) {
        handler(data, answer);
    }
}


void
ngx_proxy_user_ask_drop(ngx_proxy_user_question_t *question)
{
    if (question) {
        question->handler = NULL;
    }
}


static void
ngx_proxy_user_ask_free(ngx_proxy_user_question_t *question)
{
    if (question->deadline.timer_set) {
        ngx_del_timer(&question->deadline);
    }

    if (question->done.posted) {
        ngx_delete_posted_event(&question->done);
    }

    ngx_queue_remove(&question->queue);
    ngx_free(question);
}


void
ngx_proxy_user_ask_close(ngx_queue_t *questions)
{
    while (!ngx_queue_empty(questions)) {
        ngx_proxy_user_ask_free(ngx_queue_data(ngx_queue_head(questions),
                                               ngx_proxy_user_question_t,
                                               queue));
    }
}
