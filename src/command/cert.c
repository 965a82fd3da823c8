/*
 * cert: client certificates that stand for a user.
 *
 * Known by the SHA-256 of their DER.  That one is signed by whom nginx
 * trusts, and not expired, is nginx's to see (ssl_verify_client).
 */

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "handles.h"


#define CERT_FILE_MAX  (64 * 1024)


static int cert_add_check(const options_t *options, const char *const *args);
static int cert_who_check(const options_t *options, const char *const *args);
static int cert_revoke_check(const options_t *options,
    const char *const *args);
static int cert_add(session_t *s, const char *const *args);
static int cert_list(session_t *s, const char *const *args);
static int cert_revoke(session_t *s, const char *const *args);
static int cert_file(const char *path, uint8_t digest[PU_SHA256_LEN]);
static int cert_digest(const char *text, uint8_t digest[PU_SHA256_LEN]);
static int cert_hex(int c);
static int cert_change(session_t *s, pu_change_t *change, const char *who,
    const uint8_t digest[PU_SHA256_LEN], const char *op, const char *done,
    const char *unchanged);


const verb_t  cert_verbs[] = {

    { "cert", "add", "WHO FILE.pem", 2, OPT_CAPS,
      "this client certificate stands for the user",
      "The first certificate of the file counts. nginx asks clients for one "
      "with\nssl_verify_client and trusts whom ssl_client_certificate names. "
      "The caps narrow\nas those of a key do.\n\n"
      "Examples:\n"
      "  proxy-user cert add name:batch client.pem --label 'host 7'\n",
      cert_add_check, cert_add },

    { "cert", "list", "WHO", 1, 0,
      "the certificates of this user, by their digests",
      "\nExamples:\n"
      "  proxy-user cert list name:batch\n",
      cert_who_check, cert_list },

    { "cert", "revoke", "WHO DIGEST", 2, OPT_BIT(OPT_REASON),
      "this certificate is refused from now on, everywhere",
      "DIGEST is the SHA-256 of the certificate as \"cert list\" shows it, "
      "or in hex as\nopenssl x509 -fingerprint -sha256 does.\n\n"
      "Examples:\n"
      "  proxy-user cert revoke name:batch \\\n"
      "      47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU\n",
      cert_revoke_check, cert_revoke },

    { NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL }
};


static int
cert_add_check(const options_t *options, const char *const *args)
{
    int      code;
    uint8_t  digest[PU_SHA256_LEN];

    code = session_who_form(args[0]);

    if (code == EXIT_DONE) {
        code = caps_check(options);
    }

    return (code == EXIT_DONE) ? cert_file(args[1], digest) : code;
}


static int
cert_who_check(const options_t *options, const char *const *args)
{
    (void) options;

    return session_who_form(args[0]);
}


static int
cert_revoke_check(const options_t *options, const char *const *args)
{
    uint8_t  digest[PU_SHA256_LEN];

    (void) options;

    if (!cert_digest(args[1], digest)) {
        return fail(EXIT_USAGE, "\"%s\" is no digest of a certificate: "
                    "allowed are its SHA-256 as base64url (43 characters) "
                    "and in hex", args[1]);
    }

    return session_who_form(args[0]);
}


static int
cert_file(const char *path, uint8_t digest[PU_SHA256_LEN])
{
    BIO       *bio;
    X509      *cert;
    char       err[PU_ERROR_SIZE];
    size_t     len;
    unsigned   n;
    uint8_t   *text;

    text = pu_file_read(path, CERT_FILE_MAX, &len, err);

    if (text == NULL) {
        return fail(EXIT_USAGE, "%s", err);
    }

    bio = BIO_new_mem_buf(text, (int) len);
    cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, "") : NULL;

    n = 0;

    if (cert != NULL && X509_digest(cert, EVP_sha256(), digest, &n) != 1) {
        n = 0;
    }

    X509_free(cert);
    BIO_free(bio);
    free(text);
    ERR_clear_error();

    if (n != PU_SHA256_LEN) {
        return fail(EXIT_USAGE, "%s holds no certificate in PEM; give it the "
                    "client's certificate, which begins with -----BEGIN "
                    "CERTIFICATE-----", path);
    }

    return EXIT_DONE;
}


/* base64url, or hex with or without colons. */

static int
cert_digest(const char *text, uint8_t digest[PU_SHA256_LEN])
{
    int       high, low;
    size_t    n;
    uint8_t   raw[PU_DIGEST_TEXT_LEN];

    if (strlen(text) == PU_DIGEST_TEXT_LEN) {

        if (pu_base64url_decode(raw, pu_str(text)) != PU_SHA256_LEN) {
            return 0;
        }

        memcpy(digest, raw, PU_SHA256_LEN);

        return 1;
    }

    for (n = 0; n < PU_SHA256_LEN; n++) {

        if (n != 0 && text[0] == ':') {
            text++;
        }

        high = cert_hex(text[0]);
        low = (high < 0) ? -1 : cert_hex(text[1]);

        if (low < 0) {
            return 0;
        }

        digest[n] = (uint8_t) (high << 4 | low);
        text += 2;
    }

    return text[0] == '\0';
}


static int
cert_hex(int c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


static int
cert_add(session_t *s, const char *const *args)
{
    int          code;
    caps_t       caps;
    uint8_t      digest[PU_SHA256_LEN];
    pu_change_t  change = { .op = PU_CHANGE_HANDLE_ADD };

    code = cert_file(args[1], digest);

    if (code == EXIT_DONE) {
        code = caps_read(s, &caps, &change);
    }

    if (code != EXIT_DONE) {
        return code;
    }

    return cert_change(s, &change, args[0], digest, "handle_add",
                       "stands for the user now", "did so already");
}


static int
cert_list(session_t *s, const char *const *args)
{
    return handles_list(s, args[0], PU_HANDLE_CERT);
}


static int
cert_revoke(session_t *s, const char *const *args)
{
    uint8_t      digest[PU_SHA256_LEN];
    pu_change_t  change = { .op = PU_CHANGE_HANDLE_REVOKE };

    (void) cert_digest(args[1], digest);

    return cert_change(s, &change, args[0], digest, "handle_revoke",
                       "is revoked", "was revoked already");
}


static int
cert_change(session_t *s, pu_change_t *change, const char *who,
    const uint8_t digest[PU_SHA256_LEN], const char *op, const char *done,
    const char *unchanged)
{
    int       code, changed, again;
    char      user[PU_USER_ID_LEN], handle[PU_HANDLE_TEXT_MAX];
    char      id[PU_DIGEST_TEXT_LEN + 1], what[PU_DIGEST_TEXT_LEN + 16];
    int64_t   version;

    code = session_who(s, who, user);

    if (code != EXIT_DONE) {
        return code;
    }

    id[pu_base64url_encode(id, digest, PU_SHA256_LEN)] = '\0';
    snprintf(what, sizeof(what), "certificate %s", id);

    change->user.data = (const uint8_t *) user;
    change->user.len = sizeof(user);
    change->handle.data = (const uint8_t *) handle;
    change->handle.len = pu_handle_text(handle, PU_HANDLE_CERT, digest);
    change->public_id = pu_str(id);

    code = handle_change(s, change, what, &changed, &version, &again);

    if (code == EXIT_DONE) {
        handle_print(s, change, "certificate", id, op,
                     changed ? done : unchanged, changed, version);
    }

    return code;
}
