/*
 * Events: of each kind a good one, and the same with one thing wrong at a
 * time; whom they name, what is done, and what is answered.
 */

#include <openssl/err.h>

#include "mint.h"
#include "pu_command_event.h"
#include "pu_event.h"
#include "unit.h"


#define LOGOUT_URI  "http://schemas.openid.net/event/backchannel-logout"
#define CAEP        "https://schemas.openid.net/secevent/caep/event-type/"
#define RISC        "https://schemas.openid.net/secevent/risc/event-type/"

#define COMMON      "\"iss\":\"https://idp.example/\",\"jti\":\"j\""
#define LOGOUT      COMMON ",\"aud\":\"api\",\"sub\":\"alice\","              \
    "\"iat\":1700000000,\"exp\":1700000120,"                                  \
    "\"events\":{\"" LOGOUT_URI "\":{}}"
#define PUSH        COMMON ",\"aud\":\"api\",\"iat\":1700000000"
#define GLOBAL      COMMON ",\"aud\":\"https://gate.example/e\","             \
    "\"exp\":1700000300"

#define ALICE       "{\"format\":\"iss_sub\","                              \
    "\"iss\":\"https://idp.example/\",\"sub\":\"alice\"}"


static EVP_PKEY           *pkey;
static pu_issuer_t        *issuer;
static pu_dpop_request_t   endpoint;


static const char *const  types[] = {
    "", "logout+jwt", "secevent+jwt", "global-token-revocation+jwt"
};


static void
open_issuer(const char *lines)
{
    if (pkey == NULL) {
        pkey = mint_key(PU_ES256);
    }

    pu_issuer_free(issuer);
    issuer = mint_issuer(mint_keys(mint_jwk(pkey, "{\"kid\":\"k\"}"), NULL),
                         lines);

    endpoint = (pu_dpop_request_t) {
        PU_STR("POST"), PU_STR("https"), PU_STR("gate.example"), 443, 443,
        PU_STR("/e"), NULL, NULL, MINT_NOW
    };
}


/* Exactly as long as the text: the sanitizer sees a step too far. */
static pu_event_outcome_t
post(pu_event_t *event, pu_event_kind_t kind, const char *token,
    const char *body, pu_reason_t *reason)
{
    char                *text;
    uint8_t             *copy;
    pu_str_t             s;
    pu_event_outcome_t   outcome;
    pu_event_request_t   request;

    text = malloc(strlen(token) + 32);
    strcpy(text, "");

    if (kind == PU_EVENT_LOGOUT) {
        strcpy(text, "logout_token=");
    }

    if (kind == PU_EVENT_GLOBAL) {
        strcpy(text, "Bearer ");
    }

    strcat(text, token);

    s = pu_str(kind == PU_EVENT_GLOBAL ? body : text);
    copy = malloc(s.len + (s.len == 0));
    memcpy(copy, s.data, s.len);
    s.data = copy;

    memset(&request, 0, sizeof(request));
    request.kind = kind;
    request.authorization = pu_str(kind == PU_EVENT_GLOBAL ? text : NULL);
    request.body = s;
    request.endpoint = &endpoint;
    request.issuer = issuer;
    request.keys = issuer->keys;
    request.now = MINT_NOW;

    outcome = pu_event_verify(event, &request, reason);

    free(copy);
    free(text);
    CHECK(ERR_peek_error() == 0);
    CHECK((outcome == PU_EVENT_BAD) == (*reason != PU_OK));

    return outcome;
}


static pu_event_outcome_t
give(pu_event_t *event, pu_event_kind_t kind, const char *claims,
    const char *body, pu_reason_t *reason)
{
    char                 head[128], text[2048], *token;
    pu_event_outcome_t   outcome;

    snprintf(head, sizeof(head), "{\"alg\":\"ES256\",\"typ\":\"%s\"}",
             types[kind]);
    snprintf(text, sizeof(text), "{%s}", claims);

    token = mint_token(pkey, PU_ES256, head, text);
    outcome = post(event, kind, token, body, reason);
    free(token);

    return outcome;
}


/* The reason of a kind with these claims, PU_OK for what is done. */
static pu_reason_t
said(pu_event_kind_t kind, const char *claims)
{
    pu_event_t   event;
    pu_reason_t  reason;

    (void) give(&event, kind, claims, "{\"sub_id\":" ALICE "}", &reason);
    pu_event_clear(&event);

    return reason;
}


/* What a security event token with this event and these claims does. */
static pu_event_outcome_t
happened(pu_event_t *event, const char *type, const char *payload,
    const char *more)
{
    char         claims[1024];
    pu_reason_t  reason;

    snprintf(claims, sizeof(claims), PUSH ",\"events\":{\"%s\":%s}%s", type,
             payload, more);

    return give(event, PU_EVENT_PUSH, claims, NULL, &reason);
}


static void
the_media_type_says_the_kind(void)
{
    CHECK_INT(pu_event_kind(PU_STR("application/x-www-form-urlencoded")),
              PU_EVENT_LOGOUT);
    CHECK_INT(pu_event_kind(PU_STR("application/secevent+jwt;x=y")),
              PU_EVENT_PUSH);
    CHECK_INT(pu_event_kind(PU_STR(" Application/JSON\t; charset=utf-8")),
              PU_EVENT_GLOBAL);
    CHECK_INT(pu_event_kind(PU_STR("")), PU_EVENT_OTHER);
    CHECK_INT(pu_event_kind(PU_STR(";application/json")), PU_EVENT_OTHER);
    CHECK_INT(pu_event_kind(PU_STR("application/json2")), PU_EVENT_OTHER);
}


static void
a_good_one_of_each_kind(void)
{
    uint8_t      id[PU_SHA256_LEN];
    pu_event_t   event;
    pu_reason_t  reason;

    open_issuer(NULL);

    CHECK_INT(give(&event, PU_EVENT_LOGOUT, LOGOUT, NULL, &reason),
              PU_EVENT_DONE);
    CHECK_INT(event.effect, PU_EFFECT_REVOKE);
    CHECK_STR(event.subject, "alice");
    CHECK_INT(event.link, PU_LINK_NONE);
    CHECK_INT(event.time, MINT_NOW);
    CHECK_INT(event.keep, 24 * 3600 + 60 + 300);
    CHECK(event.authentic);
    memcpy(id, event.id, sizeof(id));
    pu_event_clear(&event);

    CHECK_INT(happened(&event, CAEP "session-revoked", "{}", ",\"sub_id\":"
                       ALICE), PU_EVENT_DONE);
    CHECK_STR(event.subject, "alice");
    CHECK(memcmp(id, event.id, sizeof(id)) != 0);
    pu_event_clear(&event);

    CHECK_INT(give(&event, PU_EVENT_GLOBAL, GLOBAL, "{\"sub_id\":" ALICE "}",
                   &reason), PU_EVENT_DONE);
    CHECK_STR(event.subject, "alice");
    CHECK_INT(event.keep, 300 + 60 + 300);
    CHECK(memcmp(id, event.id, sizeof(id)) != 0);
    pu_event_clear(&event);
}


static void
a_name_is_the_issuers_and_the_kinds(void)
{
    uint8_t      id[PU_SHA256_LEN], token[PU_SHA256_LEN];
    pu_event_t   event;
    pu_reason_t  reason;

    open_issuer(NULL);

    give(&event, PU_EVENT_LOGOUT, LOGOUT, NULL, &reason);
    memcpy(id, event.id, sizeof(id));
    pu_event_clear(&event);

    give(&event, PU_EVENT_LOGOUT, LOGOUT ",\"x\":1", NULL, &reason);
    CHECK(memcmp(id, event.id, sizeof(id)) == 0);
    pu_event_clear(&event);

    /* never that of an access token by the same name */

    pu_handle_digest(token, PU_STR(MINT_ISS), PU_STR("j"));
    CHECK(memcmp(id, token, sizeof(id)) != 0);
}


static void
what_no_kind_may_lack(void)
{
    size_t  i;

    static const struct {
        pu_event_kind_t  kind;
        const char      *claims;
        pu_reason_t      reason;
    } cases[] = {
        { PU_EVENT_LOGOUT, LOGOUT ",\"nonce\":null", PU_CREDENTIAL_MALFORMED },
        { PU_EVENT_LOGOUT, "\"iss\":\"https://idp.example\"",
          PU_TOKEN_ISSUER },
        { PU_EVENT_LOGOUT, "\"x\":1", PU_TOKEN_ISSUER },
        { PU_EVENT_LOGOUT, COMMON, PU_TOKEN_AUDIENCE },
        { PU_EVENT_LOGOUT, COMMON ",\"aud\":\"api\",\"iat\":1700000000",
          PU_TOKEN_CLAIMS },
        { PU_EVENT_LOGOUT, COMMON ",\"aud\":\"api\",\"exp\":1700000120",
          PU_TOKEN_CLAIMS },
        { PU_EVENT_LOGOUT, COMMON ",\"aud\":\"api\",\"exp\":1699999970,"
          "\"iat\":1699999900", PU_TOKEN_EXPIRED },
        { PU_EVENT_LOGOUT, COMMON ",\"aud\":\"api\",\"exp\":1700000120,"
          "\"iat\":1700000031", PU_TOKEN_NOT_YET_VALID },
        { PU_EVENT_LOGOUT, COMMON ",\"aud\":\"api\",\"exp\":1700000120,"
          "\"iat\":1699913569", PU_TOKEN_TOO_OLD },
        { PU_EVENT_LOGOUT, COMMON ",\"aud\":\"api\",\"exp\":1700000120,"
          "\"iat\":1700000000", PU_CREDENTIAL_MALFORMED },
        { PU_EVENT_PUSH, PUSH ",\"exp\":1700000120", PU_TOKEN_CLAIMS },
        { PU_EVENT_PUSH, PUSH ",\"exp\":null", PU_TOKEN_CLAIMS },
        { PU_EVENT_PUSH, PUSH ",\"nbf\":1700000031",
          PU_TOKEN_NOT_YET_VALID },
        { PU_EVENT_PUSH, PUSH ",\"sub\":null,\"events\":{\"x\":{}}",
          PU_CREDENTIAL_MALFORMED },
        { PU_EVENT_PUSH, PUSH ",\"events\":[]", PU_CREDENTIAL_MALFORMED },
        { PU_EVENT_PUSH, PUSH ",\"events\":{}", PU_CREDENTIAL_MALFORMED },
        { PU_EVENT_PUSH, PUSH ",\"events\":{\"x\":[]}",
          PU_CREDENTIAL_MALFORMED },
        { PU_EVENT_PUSH, PUSH ",\"events\":{\"x\":{},\"y\":{}}",
          PU_CREDENTIAL_MALFORMED },
        { PU_EVENT_PUSH, PUSH ",\"toe\":\"x\",\"events\":{\"x\":{}}",
          PU_CREDENTIAL_MALFORMED },
        { PU_EVENT_PUSH, PUSH ",\"events\":{\"x\":{}}", PU_OK },
        { PU_EVENT_GLOBAL, COMMON ",\"exp\":1700000300,\"aud\":\"api\"",
          PU_TOKEN_AUDIENCE },
        { PU_EVENT_GLOBAL, COMMON ",\"exp\":1700000300,"
          "\"aud\":[\"https://gate.example/e\",1]", PU_TOKEN_AUDIENCE },
        { PU_EVENT_GLOBAL, COMMON ",\"exp\":1700000300,"
          "\"aud\":[\"x\",\"https://gate.example/e?q\"]", PU_OK },
        { PU_EVENT_GLOBAL, COMMON ",\"exp\":1700086431,"
          "\"aud\":\"https://gate.example/e\"", PU_TOKEN_CLAIMS },
        { PU_EVENT_GLOBAL, COMMON ",\"aud\":\"https://gate.example/e\"",
          PU_TOKEN_CLAIMS },
        { PU_EVENT_GLOBAL, "\"iss\":\"https://idp.example/\","
          "\"exp\":1700000300,\"aud\":\"https://gate.example/e\"",
          PU_TOKEN_CLAIMS },
        { PU_EVENT_GLOBAL, GLOBAL ",\"iat\":1699913569", PU_TOKEN_TOO_OLD }
    };

    open_issuer(NULL);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unit_int(__FILE__, __LINE__, said(cases[i].kind, cases[i].claims),
                 cases[i].reason, cases[i].claims);
    }
}


/* "audience off": for anybody; but a global revocation is for one place. */
static void
whom_it_is_for(void)
{
    open_issuer("audience off");

    CHECK_INT(said(PU_EVENT_PUSH, COMMON ",\"iat\":1700000000,"
                   "\"events\":{\"x\":{}}"), PU_OK);
    CHECK_INT(said(PU_EVENT_PUSH, COMMON ",\"iat\":1700000000,\"aud\":1,"
                   "\"events\":{\"x\":{}}"), PU_OK);
    CHECK_INT(said(PU_EVENT_LOGOUT, LOGOUT), PU_OK);
    CHECK_INT(said(PU_EVENT_GLOBAL, GLOBAL), PU_OK);
    CHECK_INT(said(PU_EVENT_GLOBAL, COMMON ",\"exp\":1700000300"),
              PU_TOKEN_AUDIENCE);
    CHECK_INT(said(PU_EVENT_GLOBAL, COMMON ",\"exp\":1700000300,"
                   "\"aud\":\"https://gate.example/f\""),
              PU_TOKEN_AUDIENCE);
}


/* Every type at every kind. */
static void
one_kind_is_no_other(void)
{
    char         head[128], *token;
    size_t       type, kind;
    pu_event_t   event;
    pu_reason_t  reason;

    static const char *const  heads[] = {
        "\"logout+jwt\"", "\"secevent+jwt\"",
        "\"global-token-revocation+jwt\"", "\"at+jwt\"", "\"JWT\"",
        "\"dpop+jwt\"", "\"\"", "1", "null", "[\"logout+jwt\"]",
        "\"application/application/logout+jwt\""
    };

    open_issuer(NULL);

    for (type = 0; type < sizeof(heads) / sizeof(heads[0]); type++) {
        snprintf(head, sizeof(head), "{\"alg\":\"ES256\",\"typ\":%s}",
                 heads[type]);
        token = mint_token(pkey, PU_ES256, head, "{" LOGOUT "}");

        for (kind = PU_EVENT_LOGOUT; kind <= PU_EVENT_GLOBAL; kind++) {
            (void) post(&event, kind, token, "{}", &reason);
            unit_check(__FILE__, __LINE__, (reason == PU_TOKEN_TYPE)
                       != (type + 1 == kind
                           || (kind == PU_EVENT_LOGOUT && type == 4)),
                       heads[type]);
            pu_event_clear(&event);
        }

        free(token);
    }
}


static void
only_what_the_issuer_has_signed(void)
{
    char              *token, *other_token;
    EVP_PKEY          *other;
    pu_event_t         event;
    pu_reason_t        reason;
    pu_event_request_t  request;

    open_issuer(NULL);

    other = mint_key(PU_ES256);
    other_token = mint_token(other, PU_ES256,
                             "{\"alg\":\"ES256\",\"typ\":\"logout+jwt\"}",
                             "{" LOGOUT "}");
    (void) post(&event, PU_EVENT_LOGOUT, other_token, NULL, &reason);
    CHECK_INT(reason, PU_TOKEN_SIGNATURE);
    CHECK(!event.authentic);
    pu_event_clear(&event);
    free(other_token);

    token = mint_token(other, PU_ES256, "{\"alg\":\"ES256\",\"kid\":\"new\","
                       "\"typ\":\"logout+jwt\"}", "{" LOGOUT "}");
    (void) post(&event, PU_EVENT_LOGOUT, token, NULL, &reason);
    CHECK_INT(reason, PU_TOKEN_KEY_UNKNOWN);
    CHECK(event.kid_unknown);
    pu_event_clear(&event);
    free(token);

    token = mint_token(pkey, PU_ES256, "{\"alg\":\"none\","
                       "\"typ\":\"logout+jwt\"}", "{" LOGOUT "}");
    (void) post(&event, PU_EVENT_LOGOUT, token, NULL, &reason);
    CHECK_INT(reason, PU_TOKEN_ALGORITHM);
    pu_event_clear(&event);
    free(token);

    token = mint_token(pkey, PU_ES256, "{\"alg\":\"HS256\","
                       "\"typ\":\"logout+jwt\"}", "{" LOGOUT "}");
    (void) post(&event, PU_EVENT_LOGOUT, token, NULL, &reason);
    CHECK_INT(reason, PU_TOKEN_ALGORITHM);
    pu_event_clear(&event);

    /* no keys yet */

    free(token);
    token = mint_token(pkey, PU_ES256, "{\"alg\":\"ES256\","
                       "\"typ\":\"secevent+jwt\"}", "{" PUSH "}");
    memset(&request, 0, sizeof(request));
    request.kind = PU_EVENT_PUSH;
    request.body = pu_str(token);
    request.issuer = issuer;
    request.now = MINT_NOW;
    issuer->fetched = 1;
    CHECK_INT(pu_event_verify(&event, &request, &reason), PU_EVENT_BAD);
    CHECK_INT(reason, PU_ISSUER_UNAVAILABLE);
    issuer->fetched = 0;
    pu_event_clear(&event);
    free(token);

    EVP_PKEY_free(other);
}


static void
a_form_has_one_token(void)
{
    size_t              i;
    pu_event_t          event;
    pu_reason_t         reason;
    pu_event_request_t  request;

    static const struct {
        const char   *body;
        pu_reason_t   reason;
    } cases[] = {
        { "", PU_NO_CREDENTIAL },
        { "&&=&a", PU_NO_CREDENTIAL },
        { "xlogout_token=a.b.c", PU_NO_CREDENTIAL },
        { "logout_token", PU_NO_CREDENTIAL },
        { "logout_token=", PU_NO_CREDENTIAL },
        { "LOGOUT_TOKEN=a", PU_NO_CREDENTIAL },
        { "logout_token=a&logout_token=b", PU_CREDENTIAL_AMBIGUOUS },
        { "logout_token=%", PU_TOKEN_MALFORMED },
        { "logout_token=%4", PU_TOKEN_MALFORMED },
        { "logout_token=%4g", PU_TOKEN_MALFORMED },
        { "logout_token=a+b", PU_TOKEN_MALFORMED },
        { "a=b&logout_token=a.b.c&d=", PU_TOKEN_MALFORMED }
    };

    open_issuer(NULL);
    memset(&request, 0, sizeof(request));
    request.kind = PU_EVENT_LOGOUT;
    request.issuer = issuer;
    request.keys = issuer->keys;
    request.now = MINT_NOW;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        request.body = pu_str(cases[i].body);
        CHECK_INT(pu_event_verify(&event, &request, &reason), PU_EVENT_BAD);
        unit_int(__FILE__, __LINE__, reason, cases[i].reason, cases[i].body);
        pu_event_clear(&event);
    }

    request.kind = PU_EVENT_GLOBAL;
    request.body = PU_STR("{}");
    request.authorization = PU_STR("Basic x");
    CHECK_INT(pu_event_verify(&event, &request, &reason), PU_EVENT_BAD);
    CHECK_INT(reason, PU_NO_CREDENTIAL);
    pu_event_clear(&event);

    request.authorization = PU_STR("bearer  ");
    CHECK_INT(pu_event_verify(&event, &request, &reason), PU_EVENT_BAD);
    CHECK_INT(reason, PU_CREDENTIAL_MALFORMED);
    pu_event_clear(&event);

    request.authorization = PU_STR("DPoP a.b.c");
    CHECK_INT(pu_event_verify(&event, &request, &reason), PU_EVENT_BAD);
    CHECK_INT(reason, PU_NO_CREDENTIAL);
    pu_event_clear(&event);
}


static void
what_is_done(void)
{
    size_t      i;
    pu_event_t  event;

    static const struct {
        const char   *type;
        const char   *payload;
        pu_effect_t   effect;
    } cases[] = {
        { CAEP "session-revoked", "{}", PU_EFFECT_REVOKE },
        { CAEP "credential-change", "{\"change_type\":\"update\"}",
          PU_EFFECT_REVOKE },
        { CAEP "credential-change", "{\"change_type\":\"create\"}",
          PU_EFFECT_NONE },
        { RISC "sessions-revoked", "{}", PU_EFFECT_REVOKE },
        { RISC "account-disabled", "{}", PU_EFFECT_SUSPEND },
        { RISC "account-enabled", "{}", PU_EFFECT_RESUME },
        { RISC "account-purged", "{}", PU_EFFECT_DELETE },
        { RISC "session-revoked", "{}", PU_EFFECT_NONE },
        { RISC "account-purged ", "{}", PU_EFFECT_NONE },
        { "account-purged", "{}", PU_EFFECT_NONE },
        { "", "{}", PU_EFFECT_NONE }
    };

    open_issuer(NULL);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_INT(happened(&event, cases[i].type, cases[i].payload,
                           ",\"sub_id\":" ALICE), PU_EVENT_DONE);
        unit_int(__FILE__, __LINE__, event.effect, cases[i].effect,
                 cases[i].type);
        pu_event_clear(&event);
    }

    CHECK_INT(happened(&event, CAEP "credential-change", "{}",
                       ",\"sub_id\":" ALICE), PU_EVENT_BAD);
    pu_event_clear(&event);
}


static void
when_it_was(void)
{
    size_t      i;
    pu_event_t  event;

    static const struct {
        const char  *payload;
        const char  *more;
        int64_t      time;
    } cases[] = {
        { "{}", "", MINT_NOW },
        { "{}", ",\"toe\":1699990000", 1699990000 },
        { "{\"event_timestamp\":1699980000}", ",\"toe\":1", 1699980000 },
        { "{\"event_timestamp\":1699980000999}", "", 1699980000 },
        { "{\"event_timestamp\":1699980000.5}", "", 1699980000 },
        { "{\"event_timestamp\":1800000000}", "", MINT_NOW },
        { "{\"event_timestamp\":1800000000000}", "", MINT_NOW }
    };

    open_issuer(NULL);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_INT(happened(&event, "x", cases[i].payload, cases[i].more),
                  PU_EVENT_DONE);
        unit_int(__FILE__, __LINE__, event.time, cases[i].time,
                 cases[i].payload);
        pu_event_clear(&event);
    }
}


static void
who_is_meant(void)
{
    size_t       i;
    char         more[512];
    pu_event_t   event;
    pu_reason_t  reason;

    static const struct {
        const char          *id;
        pu_event_outcome_t   outcome;
    } cases[] = {
        { "{}", PU_EVENT_UNMATCHED },
        { "{\"format\":1}", PU_EVENT_UNMATCHED },
        { "{\"format\":\"opaque\",\"id\":\"alice\"}", PU_EVENT_UNMATCHED },
        { "{\"format\":\"email\",\"email\":\"a@b\"}", PU_EVENT_UNMATCHED },
        { "{\"format\":\"email\"}", PU_EVENT_BAD },
        { "{\"format\":\"iss_sub\",\"sub\":\"alice\"}", PU_EVENT_BAD },
        { "{\"format\":\"iss_sub\",\"iss\":\"https://idp.example/\","
          "\"sub\":\"\"}", PU_EVENT_BAD },
        { "{\"format\":\"complex\",\"tenant\":" ALICE "}",
          PU_EVENT_UNMATCHED },
        { "{\"format\":\"complex\",\"user\":" ALICE "}", PU_EVENT_DONE },
        { "{\"user\":" ALICE ",\"device\":{}}", PU_EVENT_DONE },
        { "{\"format\":\"opaque\",\"user\":" ALICE "}", PU_EVENT_UNMATCHED },
        { "{\"user\":{\"user\":" ALICE "}}", PU_EVENT_UNMATCHED }
    };

    open_issuer(NULL);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(more, sizeof(more), ",\"sub_id\":%s", cases[i].id);
        unit_int(__FILE__, __LINE__,
                 happened(&event, CAEP "session-revoked", "{}", more),
                 cases[i].outcome, cases[i].id);
        pu_event_clear(&event);
    }

    CHECK_INT(happened(&event, CAEP "session-revoked",
                       "{\"subject\":" ALICE "}", ""), PU_EVENT_DONE);
    CHECK_STR(event.subject, "alice");
    pu_event_clear(&event);

    CHECK_INT(happened(&event, CAEP "session-revoked", "{}",
                       ",\"sub_id\":{\"format\":\"iss_sub\",\"iss\":\"x\","
                       "\"sub\":\"alice\"}"), PU_EVENT_DONE);
    CHECK(event.stranger);
    CHECK(event.subject.data == NULL);
    pu_event_clear(&event);

    /* by what the issuer has said that people are found by */

    open_issuer("provision known;link user_name email");

    CHECK_INT(happened(&event, CAEP "session-revoked", "{}", ",\"sub_id\":"
                       "{\"format\":\"email\",\"email\":\"a@b\"}"),
              PU_EVENT_DONE);
    CHECK(event.subject.data == NULL);
    CHECK_STR(event.claim, "a@b");
    CHECK_INT(event.link, PU_LINK_USER_NAME);
    pu_event_clear(&event);

    CHECK_INT(give(&event, PU_EVENT_LOGOUT, LOGOUT ",\"email\":\"c@d\"", NULL,
                   &reason), PU_EVENT_DONE);
    CHECK_STR(event.subject, "alice");
    CHECK_STR(event.claim, "c@d");
    pu_event_clear(&event);

    open_issuer("subject oid;provision known;link external_id sub");

    CHECK_INT(happened(&event, CAEP "session-revoked", "{}", ",\"sub_id\":"
                       ALICE), PU_EVENT_DONE);
    CHECK(event.subject.data == NULL);
    CHECK_STR(event.claim, "alice");
    CHECK_INT(event.link, PU_LINK_EXTERNAL_ID);
    pu_event_clear(&event);

    open_issuer("subject oid");
    CHECK_INT(said(PU_EVENT_LOGOUT, LOGOUT), PU_CREDENTIAL_MALFORMED);
    CHECK_INT(said(PU_EVENT_LOGOUT, LOGOUT ",\"oid\":\"o\""), PU_OK);
    CHECK_INT(happened(&event, CAEP "session-revoked", "{}", ",\"sub_id\":"
                       ALICE), PU_EVENT_UNMATCHED);
    pu_event_clear(&event);
}


static void
what_is_answered(void)
{
    char      room[PU_EVENT_ANSWER_MAX];
    size_t    i;
    pu_buf_t  b;

    static const struct {
        pu_event_outcome_t  outcome;
        pu_reason_t         reason;
        int                 status[3];
    } cases[] = {
        { PU_EVENT_DONE, PU_OK, { 200, 202, 204 } },
        { PU_EVENT_UNKNOWN, PU_OK, { 200, 202, 404 } },
        { PU_EVENT_SEEN, PU_OK, { 400, 202, 401 } },
        { PU_EVENT_UNMATCHED, PU_OK, { 400, 400, 422 } },
        { PU_EVENT_BAD, PU_TOKEN_SIGNATURE, { 400, 400, 401 } },
        { PU_EVENT_BAD, PU_NO_CREDENTIAL, { 400, 400, 401 } },
        { PU_EVENT_BAD, PU_CREDENTIAL_MALFORMED, { 400, 400, 400 } },
        { PU_EVENT_BAD, PU_ISSUER_UNAVAILABLE, { 503, 503, 503 } },
        { PU_EVENT_BAD, PU_TOO_MANY_FAILURES, { 429, 429, 429 } },
        { PU_EVENT_BAD, PU_INTERNAL, { 500, 500, 500 } },
        { PU_EVENT_UNAVAILABLE, PU_OK, { 503, 503, 503 } }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]) * 3; i++) {
        pu_buf_init(&b, room, sizeof(room));
        CHECK_INT(pu_event_answer(&b, (pu_event_kind_t) (i % 3 + 1),
                                  cases[i / 3].outcome, cases[i / 3].reason,
                                  NULL), cases[i / 3].status[i % 3]);
        CHECK((pu_buf_written(&b).len == 0)
              == (cases[i / 3].status[i % 3] < 300));
        CHECK(!b.full);
    }

    pu_buf_init(&b, room, sizeof(room));
    pu_event_answer(&b, PU_EVENT_PUSH, PU_EVENT_BAD, PU_TOKEN_AUDIENCE, NULL);
    CHECK_STR(pu_buf_written(&b), "{\"err\":\"invalid_audience\","
              "\"description\":\"the token is for another audience\"}");

    pu_buf_init(&b, room, sizeof(room));
    pu_event_answer(&b, PU_EVENT_LOGOUT, PU_EVENT_BAD, PU_TOKEN_CLAIMS, "x");
    CHECK_STR(pu_buf_written(&b), "{\"error\":\"invalid_request\","
              "\"error_description\":\"x\"}");
}


static void
the_command(void)
{
    pu_args_t       args;
    pu_event_t      event;
    pu_event_ask_t  ask;

    open_issuer("provision known;link external_id email");

    CHECK_INT(happened(&event, RISC "account-purged", "{}", ",\"sub_id\":"
                       ALICE), PU_EVENT_DONE);
    event.claim = PU_STR("c");
    event.link = PU_LINK_EXTERNAL_ID;

    ask.event = &event;
    ask.actor = PU_STR("idp");
    ask.issuer = PU_STR(MINT_ISS);
    ask.attempt = PU_STR("attempt");
    ask.user_name = PU_STR("Name");
    ask.external_id = PU_STR("");

    CHECK(pu_command_event(&args, "0123456789012345678901234567890123456789",
                           PU_STR("pu"), &ask));
    CHECK_INT(args.argc, 4 + 16);
    CHECK(args.used <= sizeof(args.room));
    CHECK_STR(((pu_str_t) { args.len[4], (const uint8_t *) args.argv[4] }),
              "event");
    CHECK_INT(args.len[5], 4 + PU_DIGEST_TEXT_LEN);
    CHECK(memcmp(args.argv[6], "external:", 9) == 0);
    CHECK_STR(((pu_str_t) { args.len[9], (const uint8_t *) args.argv[9] }),
              "account-purged");
    CHECK_INT(args.len[10], PU_DIGEST_TEXT_LEN);
    CHECK_INT(args.len[11], 0);
    CHECK_STR(((pu_str_t) { args.len[12], (const uint8_t *) args.argv[12] }),
              "delete");

    pu_event_clear(&event);
    pu_issuer_free(issuer);
    EVP_PKEY_free(pkey);
    issuer = NULL;
    pkey = NULL;
}


static const unit_test_t  tests[] = {
    UNIT(the_media_type_says_the_kind),
    UNIT(a_good_one_of_each_kind),
    UNIT(a_name_is_the_issuers_and_the_kinds),
    UNIT(what_no_kind_may_lack),
    UNIT(whom_it_is_for),
    UNIT(one_kind_is_no_other),
    UNIT(only_what_the_issuer_has_signed),
    UNIT(a_form_has_one_token),
    UNIT(what_is_done),
    UNIT(when_it_was),
    UNIT(who_is_meant),
    UNIT(what_is_answered),
    UNIT(the_command)
};

UNIT_MAIN(tests)
