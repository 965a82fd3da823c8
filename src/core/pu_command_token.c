/*
 * pu_command_token: what is asked of Redis about single tokens, by the digest
 * of their names.
 */

#include "pu_command_own.h"


static void
pu_args_jti(pu_args_t *args, pu_str_t prefix,
    const uint8_t digest[PU_SHA256_LEN])
{
    char  rest[4 + PU_DIGEST_TEXT_LEN + 1];

    memcpy(rest, "jti:", 4);
    (void) pu_base64url_encode(rest + 4, digest, PU_SHA256_LEN);
    rest[sizeof(rest) - 1] = '\0';

    pu_args_key(args, prefix, rest);
}


void
pu_args_jti_digest(pu_args_t *args, const uint8_t *digest)
{
    char  *text;

    if (digest == NULL) {
        pu_args_text(args, "");
        return;
    }

    text = pu_args_room(args, PU_DIGEST_TEXT_LEN);
    pu_args_add(args, text,
                pu_base64url_encode(text, digest, PU_SHA256_LEN));
}


void
pu_command_jti(pu_args_t *args, pu_str_t prefix,
    const uint8_t digest[PU_SHA256_LEN])
{
    pu_args_init(args);

    pu_args_text(args, "GET");
    pu_args_jti(args, prefix, digest);
}


void
pu_command_once(pu_args_t *args, pu_str_t prefix,
    const uint8_t digest[PU_SHA256_LEN], int64_t seconds)
{
    pu_args_init(args);

    pu_args_text(args, "SET");
    pu_args_jti(args, prefix, digest);
    pu_args_text(args, "seen");
    pu_args_text(args, "NX");
    pu_args_text(args, "EX");
    pu_args_int(args, seconds);
}


int
pu_reply_jti_unreadable(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR && reply->len >= 9
           && memcmp(reply->str, "WRONGTYPE", 9) == 0;
}


int
pu_jti_parse(pu_str_t text, uint8_t digest[PU_SHA256_LEN])
{
    uint8_t  raw[PU_DIGEST_TEXT_LEN];

    if (text.len != 4 + PU_DIGEST_TEXT_LEN || !pu_str_starts(text, "jti:")) {
        return 0;
    }

    text.data += 4;
    text.len -= 4;

    if (pu_base64url_decode(raw, text) != PU_SHA256_LEN) {
        return 0;
    }

    memcpy(digest, raw, PU_SHA256_LEN);

    return 1;
}
