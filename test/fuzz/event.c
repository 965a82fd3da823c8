/*
 * event: the first byte says how it was posted, the first line is a body that
 * nobody has signed, and the rest is what the issuer has: its claims.  What is
 * done is done to somebody, for a reason, and can be asked of Redis.
 */

#include <openssl/evp.h>

#include "fuzz.h"
#include "pu_command_event.h"
#include "pu_event.h"
#include "pu_keys.h"


typedef struct {
    EVP_PKEY           *pkey;
    pu_issuer_t        *issuer;
} signer_t;


static void
set(pu_issuer_t *issuer, const char *name, const char *value,
    const char *more)
{
    char      err[PU_ERROR_SIZE];
    pu_str_t  words[3];

    words[0] = pu_str(name);
    words[1] = pu_str(value);
    words[2] = pu_str(more);

    FUZZ_HOLDS(pu_issuer_set(issuer, words, (more == NULL) ? 2 : 3, NULL,
                             NULL, err));
}


static const signer_t *
signer(void)
{
    char               jwks[256], err[PU_ERROR_SIZE], x[43];
    size_t             len;
    uint8_t            raw[32];
    static signer_t    made;

    if (made.issuer != NULL) {
        return &made;
    }

    made.pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    len = sizeof(raw);
    FUZZ_HOLDS(made.pkey != NULL
               && EVP_PKEY_get_raw_public_key(made.pkey, raw, &len) == 1);
    (void) pu_base64url_encode(x, raw, sizeof(raw));
    snprintf(jwks, sizeof(jwks), "{\"keys\":[{\"kty\":\"OKP\","
             "\"crv\":\"Ed25519\",\"x\":\"%.43s\"}]}", x);

    made.issuer = pu_issuer_new(PU_STR("fuzz"));
    FUZZ_HOLDS(made.issuer != NULL);

    set(made.issuer, "issuer", "https://idp.example", NULL);
    set(made.issuer, "audience", "api", NULL);
    set(made.issuer, "provision", "known", NULL);
    set(made.issuer, "link", "user_name", "email");

    made.issuer->keys = pu_keys_jwks(pu_str(jwks), NULL, NULL, err);
    FUZZ_HOLDS(made.issuer->keys != NULL
               && pu_issuer_finish(made.issuer, err));

    return &made;
}


static char *
sign(EVP_PKEY *pkey, const char *prefix, const char *typ, pu_str_t payload)
{
    char        head[128], *text, *p, *start;
    size_t      len;
    uint8_t     sig[64];
    EVP_MD_CTX  *ctx;

    snprintf(head, sizeof(head), "{\"alg\":\"EdDSA\",\"typ\":\"%s\"}", typ);

    text = malloc(strlen(prefix) + 256 + PU_BASE64URL_LEN(payload.len));
    FUZZ_HOLDS(text != NULL);

    strcpy(text, prefix);
    start = text + strlen(prefix);

    p = start + pu_base64url_encode(start, (const uint8_t *) head,
                                    strlen(head));
    *p++ = '.';
    p += pu_base64url_encode(p, payload.data, payload.len);

    len = sizeof(sig);
    ctx = EVP_MD_CTX_new();
    FUZZ_HOLDS(EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1
               && EVP_DigestSign(ctx, sig, &len, (const uint8_t *) start,
                                 (size_t) (p - start)) == 1);
    EVP_MD_CTX_free(ctx);

    *p++ = '.';
    p += pu_base64url_encode(p, sig, len);
    *p = '\0';

    return text;
}


static void
holds_done(const pu_event_t *event)
{
    pu_args_t       args;
    pu_event_ask_t  ask;

    FUZZ_HOLDS(event->authentic && event->word != NULL);
    FUZZ_HOLDS(event->keep > 0 && event->keep < 4 * 24 * 3600);
    FUZZ_HOLDS(event->time <= FUZZ_NOW + 30);

    if (event->effect == PU_EFFECT_NONE || event->stranger) {
        return;
    }

    FUZZ_HOLDS(event->subject.len != 0 || event->link != PU_LINK_NONE);
    FUZZ_HOLDS(event->subject.len <= PU_SUBJECT_LEN_MAX
               && !pu_str_has_control(event->subject));

    memset(&ask, 0, sizeof(ask));
    ask.event = event;
    ask.attempt = PU_STR("x");
    ask.user_name = event->claim;

    FUZZ_HOLDS(pu_command_event(&args,
                                "0123456789012345678901234567890123456789",
                                PU_STR("pu"), &ask));
    FUZZ_HOLDS(args.used <= sizeof(args.room));
}


static void
run(pu_event_request_t *request, int may_be)
{
    char                 room[PU_EVENT_ANSWER_MAX];
    int                  status;
    pu_buf_t             b;
    pu_event_t           event;
    pu_reason_t          reason;
    pu_event_outcome_t   outcome;

    outcome = pu_event_verify(&event, request, &reason);
    FUZZ_HOLDS((outcome == PU_EVENT_BAD) == (reason != PU_OK));

    if (outcome == PU_EVENT_DONE) {
        FUZZ_HOLDS(may_be);
        holds_done(&event);
    }

    pu_buf_init(&b, room, sizeof(room));
    status = pu_event_answer(&b, request->kind, outcome, reason, event.text);
    FUZZ_HOLDS(!b.full && (status < 300) == (outcome == PU_EVENT_DONE));

    pu_event_clear(&event);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                *text;
    pu_str_t             rest, line;
    const signer_t      *by;
    pu_dpop_request_t    endpoint;
    pu_event_request_t   request;

    static const char *const  types[] = {
        "logout+jwt", "secevent+jwt", "global-token-revocation+jwt"
    };

    if (size < 1) {
        return 0;
    }

    by = signer();

    endpoint = (pu_dpop_request_t) {
        PU_STR("POST"), PU_STR("https"), PU_STR("gate.example"), 443, 443,
        PU_STR("/e"), NULL, NULL, FUZZ_NOW
    };

    memset(&request, 0, sizeof(request));
    request.kind = (pu_event_kind_t) (data[0] % 3 + 1);
    request.endpoint = &endpoint;
    request.issuer = by->issuer;
    request.keys = by->issuer->keys;
    request.now = FUZZ_NOW;

    rest = (pu_str_t) { size - 1, data + 1 };
    line = PU_STR("");
    (void) fuzz_line(&rest, &line);

    (void) pu_event_kind(line);

    request.body = line;
    request.authorization = line;
    run(&request, 0);

    if (rest.len == 0 || rest.len > 8192) {
        return 0;
    }

    text = sign(by->pkey, request.kind == PU_EVENT_LOGOUT ? "logout_token="
                          : request.kind == PU_EVENT_GLOBAL ? "Bearer " : "",
                types[request.kind - 1], rest);

    if (request.kind == PU_EVENT_GLOBAL) {
        request.authorization = pu_str(text);

    } else {
        request.body = pu_str(text);
    }

    run(&request, 1);
    free(text);

    return 0;
}
