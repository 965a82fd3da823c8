/*
 * talk: what is asked and answered, without nginx and without Redis.
 */

#include <string.h>

#include "pu_scim_call.h"
#include "talk.h"


static void talk_part(const char **p, pu_scim_text_t *out);
static void talk_bulk(pu_scim_text_t *out, const char *s, size_t len);
static void talk_note(talked_t *talked, const talk_t *talk,
    const pu_args_t *args);


redisReply *
talk_reply_new(const char *text)
{
    void            *reply;
    redisReader     *reader;
    pu_scim_text_t   out;

    memset(&out, 0, sizeof(out));
    reply = NULL;
    reader = redisReaderCreate();

    talk_part(&text, &out);
    redisReaderFeed(reader, out.data, out.len);

    if (redisReaderGetReply(reader, &reply) != REDIS_OK) {
        reply = NULL;
    }

    redisReaderFree(reader);
    pu_scim_text_free(&out);

    return reply;
}


static void
talk_part(const char **p, pu_scim_text_t *out)
{
    char             head[32];
    size_t           n;
    const char      *s;
    pu_scim_text_t   inner;

    s = *p;

    if (*s == '[') {
        memset(&inner, 0, sizeof(inner));

        for (n = 0, *p = s + 1; **p != ']'; n++) {
            talk_part(p, &inner);
        }

        snprintf(head, sizeof(head), "*%zu\r\n", n);
        pu_scim_text_add(out, head);
        pu_scim_text_put(out, inner.data, inner.len);
        pu_scim_text_free(&inner);
        (*p)++;

    } else if (*s == '\'') {
        n = strcspn(s + 1, "'");
        talk_bulk(out, s + 1, n);
        *p = s + n + 2;

    } else if (*s == '-') {
        pu_scim_text_add(out, s);
        pu_scim_text_add(out, "\r\n");
        *p = s + strlen(s);

    } else {
        n = strcspn(s, " ]");

        if (*s == ':') {
            pu_scim_text_put(out, s, n);
            pu_scim_text_add(out, "\r\n");

        } else if (*s == '~') {
            pu_scim_text_add(out, "$-1\r\n");

        } else {
            talk_bulk(out, s, n);
        }

        *p = s + n;
    }

    *p += strspn(*p, " ");
}


static void
talk_bulk(pu_scim_text_t *out, const char *s, size_t len)
{
    char  head[32];

    snprintf(head, sizeof(head), "$%zu\r\n", len);
    pu_scim_text_add(out, head);
    pu_scim_text_put(out, s, len);
    pu_scim_text_add(out, "\r\n");
}


void
talk_run(talked_t *talked, const talk_t *talk)
{
    size_t              at;
    redisReply         *reply;
    pu_scim_env_t       env;
    pu_scim_call_t     *call;
    const pu_args_t    *args;
    pu_scim_answer_t    answer;
    pu_scim_request_t   request;

    memset(talked, 0, sizeof(talked_t));
    memset(&env, 0, sizeof(env));
    memset(&request, 0, sizeof(request));

    env.sha = "0123456789012345678901234567890123456789";
    env.prefix = PU_STR("pu");
    env.actor = PU_STR("okta");
    env.base = PU_STR("http://a/s");
    request.method = pu_str(talk->method);
    request.path = pu_str(talk->path);
    request.args = pu_str(talk->args ? talk->args : "");
    request.body = pu_str(talk->body ? talk->body : "");
    request.if_match = pu_str(talk->if_match ? talk->if_match : "");
    request.if_none_match = pu_str(talk->if_none_match
                                   ? talk->if_none_match : "");

    call = pu_scim_call_new(&env, &request);
    reply = NULL;
    at = 0;

    while (pu_scim_call_step(call, reply, &args) != PU_SCIM_DONE) {
        freeReplyObject(reply);
        reply = NULL;

        talked->asked++;
        talk_note(talked, talk, args);

        if (talk->answers[at] == NULL || talked->asked >= TALK_MOST) {
            pu_scim_call_lost(call);
            break;
        }

        reply = talk_reply_new(talk->answers[at++]);

        if (at == TALK_ANSWERS || talk->answers[at] == NULL) {
            at = talk->again;
        }
    }

    freeReplyObject(reply);
    pu_scim_call_answer(call, &answer);

    talked->status = answer.status;
    talked->body = strndup(answer.body.len
                           ? (const char *) answer.body.data : "",
                           answer.body.len);
    talked->json = json_loads(talked->body, 0, NULL);
    snprintf(talked->etag, sizeof(talked->etag), "%.*s",
             PU_STR_FMT(answer.etag));

    pu_scim_call_free(call);
}


static void
talk_note(talked_t *talked, const talk_t *talk, const pu_args_t *args)
{
    int       word;
    size_t    i, len;
    pu_str_t  s;

    len = strlen(talked->asks);
    snprintf(talked->asks + len, sizeof(talked->asks) - len, "%s%.*s",
             len ? " " : "", (int) args->len[4], args->argv[4]);

    for (i = 0; i < TALK_SENT && talk->sent[i].question != 0; i++) {
        word = talk->sent[i].word + 4;

        if (talk->sent[i].question == talked->asked && word < args->argc) {
            s.len = args->len[word];
            s.data = (const uint8_t *) args->argv[word];
            talked->sent[i] = pu_str_is(s, talk->sent[i].is);
        }
    }
}


void
talk_free(talked_t *talked)
{
    json_decref(talked->json);
    free(talked->body);
}
