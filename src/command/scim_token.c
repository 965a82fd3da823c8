/*
 * scim-token: a bearer token for a directory that provisions users.
 *
 * Printed once, with the line that nginx's token_file takes.  Needs no Redis.
 */

#include <stdio.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "command.h"


#define SCIM_NAME_MAX     64
#define SCIM_TOKEN_START  "pst_"
#define SCIM_TOKEN_LEN    (4 + PU_BASE64URL_LEN(32))


static int scim_create(const options_t *options, const char *const *args);
static int scim_name_ok(const char *name);
static int scim_make(char token[SCIM_TOKEN_LEN + 1],
    char hex[2 * PU_SHA256_LEN + 1]);
static void scim_print(const options_t *options, const char *name,
    const char *token, const char *hex);


const verb_t  scim_token_verbs[] = {

    { "scim-token", "create", "NAME", 1, 0,
      "a token for a directory, printed once",
      "Prints the token for the directory, and below it the line for the "
      "file that\nproxy_user_scim names as token_file. NAME is the actor in "
      "the change log.\n\n"
      "Examples:\n"
      "  proxy-user scim-token create entra\n",
      scim_create, NULL },

    { NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL }
};


static int
scim_create(const options_t *options, const char *const *args)
{
    char  token[SCIM_TOKEN_LEN + 1], hex[2 * PU_SHA256_LEN + 1];

    if (!scim_name_ok(args[0])) {
        return fail(EXIT_USAGE, "\"%s\" is no name of a token: allowed are 1 "
                    "to %d of A-Za-z0-9_.-", args[0], SCIM_NAME_MAX);
    }

    if (!scim_make(token, hex)) {
        return fail(EXIT_REFUSED, "the system gives no random numbers; try "
                    "again");
    }

    scim_print(options, args[0], token, hex);

    OPENSSL_cleanse(token, sizeof(token));

    return EXIT_DONE;
}


static int
scim_name_ok(const char *name)
{
    size_t  len;

    len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                 "0123456789_.-");

    return len >= 1 && len <= SCIM_NAME_MAX && name[len] == '\0';
}


static int
scim_make(char token[SCIM_TOKEN_LEN + 1], char hex[2 * PU_SHA256_LEN + 1])
{
    int       ok;
    size_t    i;
    uint8_t   bytes[PU_SHA256_LEN];
    pu_str_t  text;

    memcpy(token, SCIM_TOKEN_START, 4);

    ok = RAND_bytes(bytes, sizeof(bytes)) == 1;
    token[4 + pu_base64url_encode(token + 4, bytes, sizeof(bytes))] = '\0';

    text = pu_str(token);
    ok = ok && pu_sha256(bytes, &text, 1);

    for (i = 0; ok && i < sizeof(bytes); i++) {
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    }

    return ok;
}


static void
scim_print(const options_t *options, const char *name, const char *token,
    const char *hex)
{
    char     line[SCIM_NAME_MAX + 2 * PU_SHA256_LEN + 2];
    json_t  *object;

    snprintf(line, sizeof(line), "%s:%s", name, hex);

    if (options->values[OPT_JSON] == NULL) {
        printf("%s\n%s\n", token, line);
        return;
    }

    object = json_object();

    json_object_set_new(object, "name", json_string(name));
    json_object_set_new(object, "token", json_string(token));
    json_object_set_new(object, "line", json_string(line));

    output_json_print(object);
}
