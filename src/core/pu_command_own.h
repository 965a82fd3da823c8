/*
 * What the files of pu_command share: arguments and replies.
 *
 * Not for anybody else.  Arguments that are added must outlive the vector,
 * except those that are written into its room.
 */

#ifndef PU_COMMAND_OWN_H
#define PU_COMMAND_OWN_H

#include "pu_command.h"


void pu_args_init(pu_args_t *args);
void pu_args_add(pu_args_t *args, const void *data, size_t len);
void pu_args_text(pu_args_t *args, const char *text);
void pu_args_str(pu_args_t *args, pu_str_t s);

/* Memory of the vector's own, not yet an argument. */
char *pu_args_room(pu_args_t *args, size_t size);

void pu_args_buf(pu_args_t *args, const pu_buf_t *b);
void pu_args_int(pu_args_t *args, int64_t n);

/* {prefix}:rest */
void pu_args_key(pu_args_t *args, pu_str_t prefix, const char *rest);

void pu_args_log_id(pu_args_t *args, pu_log_id_t id);

/* An empty vector becomes a call of the script, up to its operation. */
void pu_args_script(pu_args_t *args, const char *sha, pu_str_t prefix,
    const char *op);

/* The digest of a token's name as base64url; empty for NULL. */
void pu_args_jti_digest(pu_args_t *args, const uint8_t *digest);

/* What "fill" writes, "len" bytes of it; 1 or 0: no randomness. */
int pu_args_random(pu_args_t *args, int (*fill)(char *), size_t len);

/*
 * The digest of a name, or an empty argument for an empty one; 1 or 0 when
 * OpenSSL fails.
 */
int pu_args_digest(pu_args_t *args, pu_str_t text,
    int (*digest)(char *out, pu_str_t text));


/* The element of an array, or NULL. */
const redisReply *pu_reply_at(const redisReply *reply, size_t i);

/* 1, or 0 when it is no string. */
int pu_reply_str(const redisReply *reply, pu_str_t *s);

/* An array of exactly "n" strings or nils (data NULL); 1 or 0. */
int pu_reply_fields(const redisReply *reply, pu_str_t *fields, size_t n);

/* Does it say that the script is not there? */
int pu_reply_noscript(const redisReply *reply);


#endif /* PU_COMMAND_OWN_H */
