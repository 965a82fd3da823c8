
/*
 * Walks the locations of every server; see the header.
 */

#include "ngx_proxy_user_report.h"
#include "pu_report.h"


/* one walk */
typedef struct {
    ngx_conf_t      *cf;
    ngx_array_t      rows;                        /* pu_report_row_t */
    ngx_array_t      pages;                       /* error_page, told */
    ngx_str_t        server;
} ngx_proxy_user_walk_t;


static ngx_int_t ngx_proxy_user_report_server(ngx_proxy_user_walk_t *walk,
    ngx_http_core_srv_conf_t *cscf, pu_report_server_t *server);
static ngx_int_t ngx_proxy_user_report_names(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf, pu_report_server_t *server);
static ngx_int_t ngx_proxy_user_report_inside(ngx_proxy_user_walk_t *walk,
    ngx_http_core_loc_conf_t *clcf);
static ngx_int_t ngx_proxy_user_report_tree(ngx_proxy_user_walk_t *walk,
    ngx_http_location_tree_node_t *node);
static ngx_int_t ngx_proxy_user_report_location(ngx_proxy_user_walk_t *walk,
    ngx_http_core_loc_conf_t *clcf);
static ngx_int_t ngx_proxy_user_report_label(ngx_proxy_user_walk_t *walk,
    ngx_http_core_loc_conf_t *clcf, uint32_t methods, pu_str_t *label);
static ngx_int_t ngx_proxy_user_report_row(ngx_proxy_user_walk_t *walk,
    ngx_http_core_loc_conf_t *clcf, void **loc_conf, uint32_t methods);
static ngx_int_t ngx_proxy_user_report_pages(ngx_proxy_user_walk_t *walk,
    ngx_http_core_loc_conf_t *clcf);
static void ngx_proxy_user_report_warn(void *data, const char *sentence);
static ngx_int_t ngx_proxy_user_report_write(ngx_conf_t *cf,
    const pu_report_t *report, ngx_str_t *name);
static ngx_int_t ngx_proxy_user_report_file(ngx_conf_t *cf, ngx_str_t *name,
    const char *suffix, const char *text);


ngx_int_t
ngx_proxy_user_report(ngx_conf_t *cf, ngx_proxy_user_main_conf_t *mcf)
{
    size_t                      first;
    ngx_uint_t                  i;
    pu_report_t                 report;
    pu_report_server_t         *servers;
    ngx_proxy_user_walk_t       walk;
    ngx_http_core_srv_conf_t  **cscf;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    ngx_memzero(&walk, sizeof(ngx_proxy_user_walk_t));
    walk.cf = cf;

    servers = ngx_pcalloc(cf->temp_pool, (cmcf->servers.nelts + 1)
                                         * sizeof(pu_report_server_t));

    if (servers == NULL
        || ngx_array_init(&walk.rows, cf->temp_pool, 16,
                          sizeof(pu_report_row_t)) != NGX_OK
        || ngx_array_init(&walk.pages, cf->temp_pool, 4,
                          sizeof(ngx_array_t *)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    cscf = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        if (ngx_proxy_user_report_server(&walk, cscf[i], &servers[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    for (i = 0, first = 0; i < cmcf->servers.nelts; i++) {
        servers[i].rows = (pu_report_row_t *) walk.rows.elts + first;
        first += servers[i].n;
    }

    if (mcf->report.len == 0 || ngx_process == NGX_PROCESS_SIGNALLER) {
        return NGX_OK;
    }

    report.nservers = cmcf->servers.nelts;
    report.servers = servers;
    report.profiles = &mcf->profiles;
    report.nissuers = mcf->issuers.n;
    report.issuers = mcf->issuers.items;
    report.grants = (mcf->redis != NULL);

    pu_report_warn(&report, ngx_proxy_user_report_warn, cf);

    return ngx_proxy_user_report_write(cf, &report, &mcf->report);
}


static ngx_int_t
ngx_proxy_user_report_server(ngx_proxy_user_walk_t *walk,
    ngx_http_core_srv_conf_t *cscf, pu_report_server_t *server)
{
    size_t                      n;
    ngx_http_core_loc_conf_t   *clcf, **named;

    n = walk->rows.nelts;
    clcf = cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];

    if (ngx_proxy_user_report_names(walk->cf, cscf, server) != NGX_OK) {
        return NGX_ERROR;
    }

    walk->server.len = server->names.len;
    walk->server.data = (u_char *) (uintptr_t) server->names.data;

    if (ngx_proxy_user_report_inside(walk, clcf) != NGX_OK) {
        return NGX_ERROR;
    }

    for (named = cscf->named_locations; named && *named; named++) {
        if (ngx_proxy_user_report_location(walk, *named) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    /* what no location takes is the server's own */

    if (ngx_proxy_user_report_row(walk, clcf, cscf->ctx->loc_conf,
                                  PU_METHOD_ALL) != NGX_OK)
    {
        return NGX_ERROR;
    }

    server->n = walk->rows.nelts - n;

    return NGX_OK;
}


static ngx_int_t
ngx_proxy_user_report_names(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf,
    pu_report_server_t *server)
{
    size_t                   len;
    u_char                  *p;
    ngx_uint_t               i;
    ngx_http_server_name_t  *name;

    name = cscf->server_names.elts;
    len = sizeof("\"\"");

    for (i = 0; i < cscf->server_names.nelts; i++) {
        len += name[i].name.len + sizeof(" \"\"");
    }

    p = ngx_pnalloc(cf->temp_pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    server->names.data = p;

    for (i = 0; i < cscf->server_names.nelts; i++) {
        p = ngx_sprintf(p, name[i].name.len ? "%s%V" : "%s\"%V\"",
                        i ? " " : "", &name[i].name);
    }

    if (i == 0) {
        p = ngx_sprintf(p, "\"\"");
    }

    server->names.len = p - server->names.data;

    len = ngx_strlen(cscf->file_name) + 1 + NGX_INT_T_LEN;

    p = ngx_pnalloc(cf->temp_pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    server->where.data = p;
    server->where.len = ngx_snprintf(p, len, "%s:%ui", cscf->file_name,
                                     cscf->line)
                        - p;

    return NGX_OK;
}


/* The locations in a server or in a location. */

static ngx_int_t
ngx_proxy_user_report_inside(ngx_proxy_user_walk_t *walk,
    ngx_http_core_loc_conf_t *clcf)
{
#if (NGX_PCRE)
    ngx_http_core_loc_conf_t  **regex;
#endif

    if (ngx_proxy_user_report_tree(walk, clcf->static_locations) != NGX_OK) {
        return NGX_ERROR;
    }

#if (NGX_PCRE)

    for (regex = clcf->regex_locations; regex && *regex; regex++) {
        if (ngx_proxy_user_report_location(walk, *regex) != NGX_OK) {
            return NGX_ERROR;
        }
    }

#endif

    return NGX_OK;
}


/* In the order of their names. */

static ngx_int_t
ngx_proxy_user_report_tree(ngx_proxy_user_walk_t *walk,
    ngx_http_location_tree_node_t *node)
{
    if (node == NULL) {
        return NGX_OK;
    }

    if (ngx_proxy_user_report_tree(walk, node->left) != NGX_OK
        || ngx_proxy_user_report_location(walk, node->exact) != NGX_OK
        || ngx_proxy_user_report_location(walk, node->inclusive) != NGX_OK
        || ngx_proxy_user_report_tree(walk, node->tree) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_proxy_user_report_tree(walk, node->right);
}


static ngx_int_t
ngx_proxy_user_report_location(ngx_proxy_user_walk_t *walk,
    ngx_http_core_loc_conf_t *clcf)
{
    if (clcf == NULL) {
        return NGX_OK;
    }

    if (clcf->limit_except_loc_conf == NULL) {

        if (ngx_proxy_user_report_row(walk, clcf, clcf->loc_conf,
                                      PU_METHOD_ALL) != NGX_OK)
        {
            return NGX_ERROR;
        }

    } else if (ngx_proxy_user_report_row(walk, clcf, clcf->loc_conf,
                                         ~clcf->limit_except) != NGX_OK
               || ngx_proxy_user_report_row(walk, clcf,
                                            clcf->limit_except_loc_conf,
                                            clcf->limit_except) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_proxy_user_report_inside(walk, clcf);
}


static ngx_int_t
ngx_proxy_user_report_row(ngx_proxy_user_walk_t *walk,
    ngx_http_core_loc_conf_t *clcf, void **loc_conf, uint32_t methods)
{
    pu_report_row_t                  *row;
    const ngx_proxy_user_loc_conf_t  *conf;

    conf = loc_conf[ngx_proxy_user_module.ctx_index];

    row = ngx_array_push(&walk->rows);
    if (row == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(row, sizeof(pu_report_row_t));

    row->access = (conf->enable == NGX_PROXY_USER_ON) ? PU_ACCESS_USER
                  : (conf->enable == NGX_PROXY_USER_OFF) ? PU_ACCESS_PUBLIC
                                                         : PU_ACCESS_OPTIONAL;
    row->methods = methods;
    row->policy = &conf->policy;
    row->requires = conf->requires ? conf->requires->nelts : 0;
    row->report = (conf->mode == NGX_PROXY_USER_REPORT);
    row->preflight = (conf->preflight != 0);

    if (ngx_proxy_user_report_label(walk, clcf, methods, &row->location)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (row->access == PU_ACCESS_PUBLIC) {
        return NGX_OK;
    }

    /* a part of a location may well be closed on purpose */

    if (methods == PU_METHOD_ALL && pu_policy_closed(row->policy, methods)) {
        ngx_conf_log_error(NGX_LOG_WARN, walk->cf, 0,
                           "location \"%*s\" of server \"%V\" can be entered "
                           "by nobody: the profiles allow its roles none of "
                           "its methods", row->location.len,
                           row->location.data, &walk->server);
    }

    return ngx_proxy_user_report_pages(walk, clcf);
}


/* A location as it is written, and for which methods it is. */

static ngx_int_t
ngx_proxy_user_report_label(ngx_proxy_user_walk_t *walk,
    ngx_http_core_loc_conf_t *clcf, uint32_t methods, pu_str_t *label)
{
    char         words[160];
    size_t       size;
    u_char      *p;
    pu_buf_t     b;
    const char  *sign;

    sign = clcf->exact_match ? "= " : clcf->noregex ? "^~ " : "";

#if (NGX_PCRE)
    if (clcf->regex) {
        sign = "~ ";
    }
#endif

    pu_buf_init(&b, words, sizeof(words));

    if (methods != PU_METHOD_ALL) {
        pu_buf_text(&b, (methods & PU_METHOD_OTHER) ? " [but " : " [");

        if (methods & PU_METHOD_OTHER) {
            methods = ~methods;
        }

        size = pu_buf_written(&b).len;
        b.start += size;
        pu_methods_text(&b, methods, PU_METHOD_ALL);
        b.start -= size;
        pu_buf_char(&b, ']');
    }

    size = clcf->name.len + sizeof("(no location)") + sizeof(words);

    p = ngx_pnalloc(walk->cf->temp_pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    label->data = p;

    if (clcf->name.len == 0) {
        p = ngx_sprintf(p, "(no location)");

    } else {
        p = ngx_sprintf(p, "%s%V%*s", sign, &clcf->name,
                        pu_buf_written(&b).len, words);
    }

    label->len = p - label->data;

    return NGX_OK;
}


/* A refusal that is called a success; each set of lines is told once. */

static ngx_int_t
ngx_proxy_user_report_pages(ngx_proxy_user_walk_t *walk,
    ngx_http_core_loc_conf_t *clcf)
{
    ngx_uint_t            i;
    ngx_array_t         **told;
    ngx_http_err_page_t  *page;

    if (clcf->error_pages == NULL) {
        return NGX_OK;
    }

    told = walk->pages.elts;

    for (i = 0; i < walk->pages.nelts; i++) {
        if (told[i] == clcf->error_pages) {
            return NGX_OK;
        }
    }

    told = ngx_array_push(&walk->pages);
    if (told == NULL) {
        return NGX_ERROR;
    }

    *told = clcf->error_pages;
    page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {

        if ((page[i].status != NGX_HTTP_UNAUTHORIZED
             && page[i].status != NGX_HTTP_FORBIDDEN)
            || page[i].overwrite < NGX_HTTP_OK
            || page[i].overwrite >= NGX_HTTP_SPECIAL_RESPONSE)
        {
            continue;
        }

        ngx_conf_log_error(NGX_LOG_WARN, walk->cf, 0,
                           "\"error_page\" of location \"%V\" of server "
                           "\"%V\" makes %i of %i: who is refused there is "
                           "told that all is well", &clcf->name,
                           &walk->server, page[i].overwrite, page[i].status);
    }

    return NGX_OK;
}


static void
ngx_proxy_user_report_warn(void *data, const char *sentence)
{
    ngx_conf_t *cf = data;

    ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "%s", sentence);
}


static ngx_int_t
ngx_proxy_user_report_write(ngx_conf_t *cf, const pu_report_t *report,
    ngx_str_t *name)
{
    char       *text, *json;
    ngx_int_t   rc;

    text = pu_report_text(report);
    json = pu_report_json(report);
    rc = NGX_ERROR;

    if (text == NULL || json == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"proxy_user_policy_report\""
                           " has no memory for \"%V\"", name);

    } else if (ngx_proxy_user_report_file(cf, name, "", text) == NGX_OK
               && ngx_proxy_user_report_file(cf, name, ".json", json)
                  == NGX_OK)
    {
        rc = NGX_OK;
    }

    free(text);
    free(json);

    return rc;
}


/* Whole or not at all: who reads the file meanwhile has the one before. */

static ngx_int_t
ngx_proxy_user_report_file(ngx_conf_t *cf, ngx_str_t *name,
    const char *suffix, const char *text)
{
    u_char      *path, *temp;
    size_t       len, size;
    ngx_err_t    err;
    ngx_fd_t     fd;
    const char  *what;

    len = ngx_strlen(text);
    size = name->len + sizeof(".json.") + NGX_ATOMIC_T_LEN;

    path = ngx_pnalloc(cf->temp_pool, size);
    temp = ngx_pnalloc(cf->temp_pool, size);

    if (path == NULL || temp == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(path, "%V%s%Z", name, suffix);
    (void) ngx_sprintf(temp, "%s.%P%Z", path, ngx_pid);

    (void) ngx_delete_file(temp);

    fd = ngx_open_tempfile(temp, 1, 0644);
    what = ngx_open_tempfile_n;

    if (fd == NGX_INVALID_FILE) {
        goto failed;
    }

    what = "write()";

    if (ngx_write_fd(fd, (void *) (uintptr_t) text, len) != (ssize_t) len) {
        goto close;
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        what = ngx_close_file_n;
        goto remove;
    }

    what = ngx_rename_file_n;

    if (ngx_rename_file(temp, path) != NGX_FILE_ERROR) {
        return NGX_OK;
    }

    goto remove;

close:

    err = ngx_errno;
    (void) ngx_close_file(fd);
    ngx_set_errno(err);

remove:

    err = ngx_errno;
    (void) ngx_delete_file(temp);
    ngx_set_errno(err);

failed:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                       "\"proxy_user_policy_report\" cannot write \"%s\": %s "
                       "failed", path, what);

    return NGX_ERROR;
}
