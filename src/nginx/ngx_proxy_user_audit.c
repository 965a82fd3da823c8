
/*
 * The audit line: what was decided about a request, by whom it was made and
 * what became of it.
 *
 * Written under the settings of the location that decided.  Valid JSON for
 * every input byte; never a token, a key or a cookie.
 */

#include "ngx_proxy_user_audit.h"
#include "ngx_proxy_user_identity.h"
#include "pu_json.h"


#define NGX_PROXY_USER_LINE_BASE   4096
#define NGX_PROXY_USER_LINE_MAX    65536
#define NGX_PROXY_USER_URI_MAX     4096
#define NGX_PROXY_USER_BUFFER_MIN  4096


typedef struct {
    u_char                      *start;
    u_char                      *pos;
    u_char                      *last;
    ngx_event_t                 *event;     /* NULL: no flush= */
    ngx_msec_t                   flush;
    ngx_uint_t                   failing;   /* the last write failed */
} ngx_proxy_user_buffer_t;


struct ngx_proxy_user_audit_s {
    ngx_open_file_t             *file;
    ngx_syslog_peer_t           *syslog;
    ngx_uint_t                  *failing;   /* without a buffer, the same */
    ngx_http_complex_value_t    *filter;    /* if=; NULL: none */
    ngx_uint_t                   denied;    /* decisions=deny */
};


static ngx_uint_t ngx_proxy_user_audit_again(const ngx_str_t *words,
    ngx_uint_t i);
static ngx_int_t ngx_proxy_user_audit_param(ngx_conf_t *cf,
    ngx_proxy_user_audit_t *audit, ngx_str_t *word, ssize_t *buffer,
    ngx_msec_t *flush);
static ngx_int_t ngx_proxy_user_audit_buffer(ngx_conf_t *cf,
    ngx_proxy_user_audit_t *audit, ssize_t size, ngx_msec_t flush);
static ngx_uint_t ngx_proxy_user_audit_wanted(ngx_http_request_t *r,
    const ngx_proxy_user_audit_t *audit,
    const ngx_proxy_user_decision_t *decision);
static ngx_int_t ngx_proxy_user_audit_line(ngx_http_request_t *r,
    const ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_decision_t *decision, pu_str_t *line);
static void ngx_proxy_user_audit_who(pu_buf_t *b,
    const ngx_proxy_user_whom_t *whom,
    const ngx_proxy_user_decision_t *decision);
static void ngx_proxy_user_audit_what(pu_buf_t *b, ngx_http_request_t *r,
    const ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_decision_t *decision);
static void ngx_proxy_user_audit_time(pu_buf_t *b);
static void ngx_proxy_user_audit_name(pu_buf_t *b, const char *name);
static void ngx_proxy_user_audit_close(pu_buf_t *b, u_char *before);
static void ngx_proxy_user_audit_decimal(pu_buf_t *b, const char *name,
    int64_t n, ngx_uint_t digits);
static void ngx_proxy_user_audit_text(pu_buf_t *b, const char *name,
    pu_str_t value);
static void ngx_proxy_user_audit_words(pu_buf_t *b, const char *name,
    pu_str_t words);
static void ngx_proxy_user_audit_write(const ngx_proxy_user_audit_t *audit,
    pu_str_t line);
static void ngx_proxy_user_audit_out(ngx_open_file_t *file, u_char *data,
    size_t len, ngx_uint_t *failing, ngx_log_t *log);
static void ngx_proxy_user_audit_flush(ngx_open_file_t *file,
    ngx_log_t *log);
static void ngx_proxy_user_audit_flush_handler(ngx_event_t *ev);
static void ngx_proxy_user_audit_syslog(ngx_http_request_t *r,
    ngx_syslog_peer_t *peer, pu_str_t line);


char *
ngx_proxy_user_audit_parse(ngx_conf_t *cf, ngx_proxy_user_audit_t **slot)
{
    ssize_t                  buffer;
    ngx_str_t               *words;
    ngx_uint_t               i;
    ngx_msec_t               flush;
    ngx_proxy_user_audit_t  *audit;

    words = cf->args->elts;

    if (ngx_strcmp(words[1].data, "off") == 0) {

        if (cf->args->nelts > 2) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"proxy_user_audit off\" has the parameter "
                               "\"%V\", allowed is none", &words[2]);
            return NGX_CONF_ERROR;
        }

        *slot = NULL;
        return NGX_CONF_OK;
    }

    audit = ngx_pcalloc(cf->pool, sizeof(ngx_proxy_user_audit_t));
    if (audit == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_strncmp(words[1].data, "syslog:", 7) == 0) {
        audit->syslog = ngx_pcalloc(cf->pool, sizeof(ngx_syslog_peer_t));
        if (audit->syslog == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_syslog_process_conf(cf, audit->syslog) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }

    } else {
        audit->file = ngx_conf_open_file(cf->cycle, &words[1]);
        if (audit->file == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    buffer = 0;
    flush = 0;

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_proxy_user_audit_again(words, i)
            || ngx_proxy_user_audit_param(cf, audit, &words[i], &buffer,
                                          &flush)
               != NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"proxy_user_audit\" has the parameter "
                               "\"%V\", allowed are buffer= (from %d bytes) "
                               "flush= decisions=all|deny if=$variable, each "
                               "once", &words[i], NGX_PROXY_USER_BUFFER_MIN);
            return NGX_CONF_ERROR;
        }
    }

    if (audit->syslog && (buffer || flush)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_audit syslog:\" has no \"buffer=\" "
                           "and no \"flush=\"");
        return NGX_CONF_ERROR;
    }

    if (flush && buffer == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"proxy_user_audit\" has \"flush=\" without "
                           "\"buffer=\"");
        return NGX_CONF_ERROR;
    }

    if (audit->file
        && ngx_proxy_user_audit_buffer(cf, audit, buffer, flush) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    *slot = audit;

    return NGX_CONF_OK;
}


/* Was the parameter of this word there before, whatever it said? */

static ngx_uint_t
ngx_proxy_user_audit_again(const ngx_str_t *words, ngx_uint_t i)
{
    size_t      len;
    ngx_uint_t  n;

    len = strcspn((char *) words[i].data, "=") + 1;

    for (n = 2; n < i; n++) {
        if (ngx_strncmp(words[n].data, words[i].data, len) == 0) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_proxy_user_audit_param(ngx_conf_t *cf, ngx_proxy_user_audit_t *audit,
    ngx_str_t *word, ssize_t *buffer, ngx_msec_t *flush)
{
    ngx_int_t                          ms;
    ngx_str_t                          value;
    ngx_http_compile_complex_value_t   ccv;

    if (ngx_strncmp(word->data, "buffer=", 7) == 0) {
        value.data = word->data + 7;
        value.len = word->len - 7;

        *buffer = ngx_parse_size(&value);

        return *buffer >= NGX_PROXY_USER_BUFFER_MIN ? NGX_OK : NGX_ERROR;
    }

    if (ngx_strncmp(word->data, "flush=", 6) == 0) {
        value.data = word->data + 6;
        value.len = word->len - 6;

        ms = ngx_parse_time(&value, 0);

        if (ms == NGX_ERROR || ms == 0) {
            return NGX_ERROR;
        }

        *flush = ms;

        return NGX_OK;
    }

    if (ngx_strcmp(word->data, "decisions=all") == 0) {
        return NGX_OK;
    }

    if (ngx_strcmp(word->data, "decisions=deny") == 0) {
        audit->denied = 1;
        return NGX_OK;
    }

    if (ngx_strncmp(word->data, "if=", 3) == 0 && word->len > 3) {
        value.data = word->data + 3;
        value.len = word->len - 3;

        audit->filter = ngx_palloc(cf->pool,
                                   sizeof(ngx_http_complex_value_t));
        if (audit->filter == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));
        ccv.cf = cf;
        ccv.value = &value;
        ccv.complex_value = audit->filter;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_ERROR;
        }

        /* what never changes is no condition */

        return audit->filter->lengths ? NGX_OK : NGX_ERROR;
    }

    return NGX_ERROR;
}


/* One file has one buffer, whoever writes to it: nginx flushes it by file. */

static ngx_int_t
ngx_proxy_user_audit_buffer(ngx_conf_t *cf, ngx_proxy_user_audit_t *audit,
    ssize_t size, ngx_msec_t flush)
{
    ngx_open_file_t          *file;
    ngx_proxy_user_buffer_t  *buffer;

    audit->failing = ngx_pcalloc(cf->pool, sizeof(ngx_uint_t));
    if (audit->failing == NULL) {
        return NGX_ERROR;
    }

    file = audit->file;
    buffer = file->data;

    if (buffer || file->flush) {

        if (file->flush != ngx_proxy_user_audit_flush
            || buffer->last - buffer->start != size
            || buffer->flush != flush)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the log \"%V\" is already written with "
                               "another \"buffer=\" or \"flush=\"",
                               &file->name);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (size == 0) {
        return NGX_OK;
    }

    buffer = ngx_pcalloc(cf->pool, sizeof(ngx_proxy_user_buffer_t));
    if (buffer == NULL) {
        return NGX_ERROR;
    }

    buffer->start = ngx_pnalloc(cf->pool, size);
    if (buffer->start == NULL) {
        return NGX_ERROR;
    }

    buffer->pos = buffer->start;
    buffer->last = buffer->start + size;
    buffer->flush = flush;

    if (flush) {
        buffer->event = ngx_pcalloc(cf->pool, sizeof(ngx_event_t));
        if (buffer->event == NULL) {
            return NGX_ERROR;
        }

        buffer->event->data = file;
        buffer->event->handler = ngx_proxy_user_audit_flush_handler;
        buffer->event->log = &cf->cycle->new_log;
        buffer->event->cancelable = 1;
    }

    file->flush = ngx_proxy_user_audit_flush;
    file->data = buffer;

    return NGX_OK;
}


ngx_int_t
ngx_proxy_user_audit_handler(ngx_http_request_t *r)
{
    pu_str_t                          line;
    const ngx_proxy_user_audit_t     *audit;
    const ngx_proxy_user_identity_t  *id;
    const ngx_proxy_user_decision_t  *decision;

    id = ngx_proxy_user_identity_find(r);

    if (id == NULL) {
        return NGX_OK;
    }

    decision = ngx_proxy_user_identity_decision(id);

    if (decision == NULL) {
        return NGX_OK;
    }

    audit = decision->conf->audit;

    if (audit == NULL || !ngx_proxy_user_audit_wanted(r, audit, decision)) {
        return NGX_OK;
    }

    if (ngx_proxy_user_audit_line(r, id, decision, &line) != NGX_OK) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0,
                      "proxy_user: no memory for an audit line");
        return NGX_OK;
    }

    if (audit->syslog) {
        ngx_proxy_user_audit_syslog(r, audit->syslog, line);

    } else {
        ngx_proxy_user_audit_write(audit, line);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_proxy_user_audit_wanted(ngx_http_request_t *r,
    const ngx_proxy_user_audit_t *audit,
    const ngx_proxy_user_decision_t *decision)
{
    ngx_str_t  value;

    if (audit->denied
        && decision->verdict != NGX_PROXY_USER_DENY
        && decision->verdict != NGX_PROXY_USER_UNKNOWN)
    {
        return 0;
    }

    if (audit->filter == NULL) {
        return 1;
    }

    /* a condition that cannot be computed must not silence the record */

    if (ngx_http_complex_value(r, audit->filter, &value) != NGX_OK) {
        return 1;
    }

    return value.len && !(value.len == 1 && value.data[0] == '0');
}


static ngx_int_t
ngx_proxy_user_audit_line(ngx_http_request_t *r,
    const ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_decision_t *decision, pu_str_t *line)
{
    size_t                        size;
    u_char                       *memory;
    pu_buf_t                      b;
    ngx_proxy_user_whom_t         now;
    const ngx_proxy_user_whom_t  *whom;

    whom = &id->whom;

    if (decision != &id->refused) {
        ngx_proxy_user_identity_whom(id, &now);
        whom = &now;
    }

    /* a byte becomes six at most, and a word of an array gets two quotes */

    size = NGX_PROXY_USER_LINE_BASE
           + 6 * (id->host.len + ngx_min(id->uri.len, NGX_PROXY_USER_URI_MAX)
                  + id->method.len + decision->location.len + whom->name.len)
           + 3 * (decision->roles.len + decision->scopes.len);

    size = ngx_min(size, NGX_PROXY_USER_LINE_MAX);

    memory = ngx_pnalloc(r->pool, size);
    if (memory == NULL) {
        return NGX_ERROR;
    }

    /* room for the end of the line, whatever comes before it */

    pu_buf_init(&b, memory, size - 2);

    pu_buf_text(&b, "{\"time\":\"");
    ngx_proxy_user_audit_time(&b);

    ngx_proxy_user_audit_who(&b, whom, decision);
    ngx_proxy_user_audit_what(&b, r, id, decision);

    ngx_proxy_user_audit_text(&b, "cache",
                              ngx_proxy_user_cache_word(whom->cache));
    ngx_proxy_user_audit_text(&b, "token_cache",
                              ngx_proxy_user_cache_word(whom->token_cache));

    b.end += 2;
    pu_buf_text(&b, "}\n");

    *line = pu_buf_written(&b);

    return NGX_OK;
}


static void
ngx_proxy_user_audit_who(pu_buf_t *b, const ngx_proxy_user_whom_t *whom,
    const ngx_proxy_user_decision_t *decision)
{
    ngx_proxy_user_audit_text(b, "decision",
                              ngx_proxy_user_verdict_word(decision->verdict));
    ngx_proxy_user_audit_text(b, "reason", pu_reason_word(decision->reason));

    ngx_proxy_user_audit_text(b, "user", whom->user);
    ngx_proxy_user_audit_text(b, "name", whom->name);
    ngx_proxy_user_audit_text(b, "type", whom->type);
    ngx_proxy_user_audit_text(b, "issuer", whom->issuer);
    ngx_proxy_user_audit_text(b, "subject", whom->subject);
    ngx_proxy_user_audit_text(b, "handle", (pu_str_t) {
                                  whom->handle_len, (u_char *) whom->handle });
    ngx_proxy_user_audit_text(b, "credential", whom->credential);
    ngx_proxy_user_audit_words(b, "roles", decision->roles);
    ngx_proxy_user_audit_words(b, "scopes", decision->scopes);
}


static void
ngx_proxy_user_audit_what(pu_buf_t *b, ngx_http_request_t *r,
    const ngx_proxy_user_identity_t *id,
    const ngx_proxy_user_decision_t *decision)
{
    ngx_int_t                          ms;
    pu_str_t                           uri;
    ngx_uint_t                         i, status;
    ngx_time_t                        *tp;
    ngx_http_upstream_state_t         *state;
    ngx_http_variable_value_t         *v;
    const ngx_proxy_user_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_proxy_user_module);
    v = ngx_http_get_indexed_variable(r, mcf->request_id);

    if (v && !v->not_found) {
        ngx_proxy_user_audit_text(b, "request_id",
                                  (pu_str_t) { v->len, v->data });
    }

    if (decision->conf->mode == NGX_PROXY_USER_REPORT) {
        ngx_proxy_user_audit_text(b, "mode", PU_STR("report"));
    }

    status = r->err_status ? r->err_status : r->headers_out.status;
    ngx_proxy_user_audit_decimal(b, "status", status, 0);

    if (decision->rule) {
        ngx_proxy_user_audit_text(b, "rule", decision->rule->where);
    }

    uri = ngx_proxy_user_str(&id->uri);
    uri.len = ngx_min(uri.len, NGX_PROXY_USER_URI_MAX);

    ngx_proxy_user_audit_text(b, "method", ngx_proxy_user_str(&id->method));
    ngx_proxy_user_audit_text(b, "host", ngx_proxy_user_str(&id->host));
    ngx_proxy_user_audit_text(b, "uri", uri);
    ngx_proxy_user_audit_text(b, "location",
                              ngx_proxy_user_str(&decision->location));
    ngx_proxy_user_audit_text(b, "client",
                              ngx_proxy_user_str(&r->connection->addr_text));

    ngx_proxy_user_audit_decimal(b, "bytes", r->connection->sent, 0);

    tp = ngx_timeofday();
    ms = (tp->sec - r->start_sec) * 1000 + (tp->msec - r->start_msec);
    ngx_proxy_user_audit_decimal(b, "request_time", ngx_max(ms, 0), 3);
    ngx_proxy_user_audit_decimal(b, "decide_time", id->spent, 6);

    if (id->cut != PU_OK) {
        ngx_proxy_user_audit_text(b, "cut", pu_reason_word(id->cut));
    }

    if (r->upstream_states) {
        state = r->upstream_states->elts;

        for (i = r->upstream_states->nelts; i > 0; i--) {
            if (state[i - 1].status) {
                ngx_proxy_user_audit_decimal(b, "upstream_status",
                                             state[i - 1].status, 0);
                break;
            }
        }
    }
}


/* RFC 3339, UTC, milliseconds; closes the quote. */

static void
ngx_proxy_user_audit_time(pu_buf_t *b)
{
    u_char       text[sizeof("1970-01-01T00:00:00.000Z\"")];
    ngx_tm_t     tm;
    ngx_time_t  *tp;

    tp = ngx_timeofday();
    ngx_gmtime(tp->sec, &tm);

    pu_buf_put(b, text,
               ngx_sprintf(text, "%4d-%02d-%02dT%02d:%02d:%02d.%03MZ\"",
                           tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                           tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                           tp->msec)
               - text);
}


static void
ngx_proxy_user_audit_name(pu_buf_t *b, const char *name)
{
    pu_buf_text(b, ",\"");
    pu_buf_text(b, name);
    pu_buf_text(b, "\":");
}


/* A field that does not fit is left out whole: the line stays JSON. */

static void
ngx_proxy_user_audit_close(pu_buf_t *b, u_char *before)
{
    if (b->full) {
        b->pos = before;
        b->full = 0;
    }
}


/* n / 10^digits */

static void
ngx_proxy_user_audit_decimal(pu_buf_t *b, const char *name, int64_t n,
    ngx_uint_t digits)
{
    u_char      *before, text[2 * NGX_INT64_LEN];
    int64_t      unit;
    ngx_uint_t   i;

    before = b->pos;
    unit = 1;

    for (i = 0; i < digits; i++) {
        unit *= 10;
    }

    ngx_proxy_user_audit_name(b, name);
    pu_buf_int(b, n / unit);

    if (digits) {
        pu_buf_put(b, text,
                   ngx_sprintf(text, digits == 3 ? ".%03L" : ".%06L",
                               n % unit)
                   - text);
    }

    ngx_proxy_user_audit_close(b, before);
}


static void
ngx_proxy_user_audit_text(pu_buf_t *b, const char *name, pu_str_t value)
{
    u_char  *before;

    if (value.len == 0) {
        return;
    }

    before = b->pos;

    ngx_proxy_user_audit_name(b, name);
    pu_json_quote(b, value);

    ngx_proxy_user_audit_close(b, before);
}


static void
ngx_proxy_user_audit_words(pu_buf_t *b, const char *name, pu_str_t words)
{
    u_char  *before;

    if (words.len == 0) {
        return;
    }

    before = b->pos;

    ngx_proxy_user_audit_name(b, name);
    pu_json_words(b, words);

    ngx_proxy_user_audit_close(b, before);
}


static void
ngx_proxy_user_audit_write(const ngx_proxy_user_audit_t *audit,
    pu_str_t line)
{
    ngx_open_file_t          *file;
    ngx_proxy_user_buffer_t  *buffer;

    file = audit->file;
    buffer = file->data;

    if (buffer == NULL) {
        ngx_proxy_user_audit_out(file, (u_char *) (uintptr_t) line.data,
                                 line.len, audit->failing, ngx_cycle->log);
        return;
    }

    if ((size_t) (buffer->last - buffer->pos) < line.len) {
        ngx_proxy_user_audit_flush(file, ngx_cycle->log);
    }

    if ((size_t) (buffer->last - buffer->pos) < line.len) {
        ngx_proxy_user_audit_out(file, (u_char *) (uintptr_t) line.data,
                                 line.len, &buffer->failing,
                                 ngx_cycle->log);
        return;
    }

    if (buffer->event && buffer->pos == buffer->start) {
        ngx_add_timer(buffer->event, buffer->flush);
    }

    buffer->pos = ngx_cpymem(buffer->pos, line.data, line.len);
}


/* A disk that is full is full for every line: it is said once. */

static void
ngx_proxy_user_audit_out(ngx_open_file_t *file, u_char *data, size_t len,
    ngx_uint_t *failing, ngx_log_t *log)
{
    ssize_t  n;

    n = ngx_write_fd(file->fd, data, len);

    if (n == (ssize_t) len) {

        if (*failing) {
            *failing = 0;
            ngx_log_error(NGX_LOG_NOTICE, log, 0,
                          "proxy_user: audit lines are written to \"%V\" "
                          "again", &file->name);
        }

        return;
    }

    if (*failing) {
        return;
    }

    *failing = 1;

    ngx_log_error(NGX_LOG_ERR, log, n == -1 ? ngx_errno : 0,
                  "proxy_user: the audit line could not be written to \"%V\"",
                  &file->name);
}


/* Also nginx's own way to flush: before a reopen, and at exit. */

static void
ngx_proxy_user_audit_flush(ngx_open_file_t *file, ngx_log_t *log)
{
    ngx_proxy_user_buffer_t  *buffer;

    buffer = file->data;

    if (buffer->pos > buffer->start) {
        ngx_proxy_user_audit_out(file, buffer->start,
                                 buffer->pos - buffer->start,
                                 &buffer->failing, log);
        buffer->pos = buffer->start;
    }

    if (buffer->event && buffer->event->timer_set) {
        ngx_del_timer(buffer->event);
    }
}


static void
ngx_proxy_user_audit_flush_handler(ngx_event_t *ev)
{
    ngx_proxy_user_audit_flush(ev->data, ev->log);
}


static void
ngx_proxy_user_audit_syslog(ngx_http_request_t *r, ngx_syslog_peer_t *peer,
    pu_str_t line)
{
    u_char   *p, *start;
    size_t    size;

    /* the new line belongs to the file, not to the message */

    line.len--;

    size = sizeof("<255>Jan 01 00:00:00 ") - 1 + ngx_cycle->hostname.len + 1
           + peer->tag.len + 2 + line.len;

    start = ngx_pnalloc(r->pool, size);
    if (start == NULL) {
        return;
    }

    p = ngx_syslog_add_header(peer, start);
    p = ngx_cpymem(p, line.data, line.len);

    if (ngx_syslog_send(peer, start, p - start) < 0) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "proxy_user: the audit line could not be sent to "
                      "syslog");
    }
}
