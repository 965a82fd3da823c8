/*
 * talk: a request of a directory and what Redis is made to answer to it.
 *
 * Answers are written as [found u_1 [~ 5 :5 'two words' '']]: arrays, nil, a
 * bulk string, an integer, strings with spaces, and "-ERR ..." for an error.
 * Most of them are such as a good Redis gives only when somebody else is
 * quicker, or never.  Not a test of what the script does (t/084).
 */

#ifndef TALK_H
#define TALK_H

#include <hiredis/hiredis.h>

#include "pu_scim_call.h"
#include "unit.h"


#define TALK_ANSWERS  12
#define TALK_SENT     6
#define TALK_MOST     40                /* questions, then Redis is away */

typedef struct {
    size_t       question;              /* 1 is the first */
    int          word;                  /* 1: the id, or what comes first */
    const char  *is;
} talk_sent_t;

typedef struct {
    const char   *method;
    const char   *path;
    const char   *args;
    const char   *body;
    const char   *if_match;
    const char   *if_none_match;
    const char   *answers[TALK_ANSWERS];    /* after the last from "again" */
    size_t        again;
    int           status;
    const char   *type;                 /* scimType; NULL: there is none */
    const char   *says;                 /* a part of the body; NULL: empty */
    const char   *asks;                 /* the questions, or NULL: no matter */
    talk_sent_t   sent[TALK_SENT];
} talk_t;

/* What came of it; of "body" talk_free gets rid. */
typedef struct {
    int      status;
    char    *body;
    json_t  *json;                      /* or NULL */
    char     etag[40];
    size_t   asked;
    char     asks[1024];
    int      sent[TALK_SENT];           /* as it should be? */
} talked_t;

/* The reply in this notation; for freeReplyObject(). */
redisReply *talk_reply_new(const char *text);

/* A displayName is its role, where it can be one. */
void talk_run(talked_t *talked, const talk_t *talk);
void talk_free(talked_t *talked);


static inline void
talk_check(const char *file, int line, const talk_t *talk)
{
    size_t       i;
    char         what[2048];
    talked_t     got;
    const char  *type;

    talk_run(&got, talk);

    snprintf(what, sizeof(what), "%s %s %.200s: %d %.600s after %s",
             talk->method, talk->path, talk->body ? talk->body : "",
             got.status, got.body, got.asks);

    type = json_string_value(json_object_get(got.json, "scimType"));

    unit_check(file, line, got.status == talk->status, what);
    unit_check(file, line, (type == NULL) == (talk->type == NULL)
               && (type == NULL || strcmp(type, talk->type) == 0), what);
    unit_check(file, line, talk->says != NULL
               ? strstr(got.body, talk->says) != NULL
               : got.body[0] == '\0', what);
    unit_check(file, line, (got.json != NULL) == (got.body[0] != '\0'),
               what);
    unit_check(file, line, talk->asks == NULL
               || strcmp(talk->asks, got.asks) == 0, what);

    for (i = 0; i < TALK_SENT && talk->sent[i].question != 0; i++) {
        unit_check(file, line, got.sent[i], talk->sent[i].is);
    }

    talk_free(&got);
}

#define TALKS(talks)                                                          \
    for (size_t n_ = 0; n_ < sizeof(talks) / sizeof(talks[0]); n_++) {        \
        talk_check(__FILE__, __LINE__, &talks[n_]);                           \
    }


#endif /* TALK_H */
