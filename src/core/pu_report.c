/*
 * pu_report: the policy as a table and as JSON.
 *
 * What looks wrong in it is in pu_report_warn.c.
 */

#include <stdio.h>
#include <stdlib.h>

#include "pu_memory.h"
#include "pu_report.h"


#define PU_CELL_MAX  160                /* all method words fit */
#define PU_GAP       2                  /* blanks between columns */

#define PU_ROLE_NAME_MAX  64


static size_t pu_report_columns(const pu_report_server_t *server,
    pu_str_t **roles);
static void pu_report_table(FILE *out, const pu_report_server_t *server,
    const pu_str_t *roles, size_t n);
static void pu_report_blanks(FILE *out, size_t n);
static void pu_report_cell(pu_buf_t *b, const pu_report_row_t *row,
    const pu_str_t *roles, size_t column);
static void pu_report_access(pu_buf_t *b, const pu_report_row_t *row);
static void pu_report_also(FILE *out, const pu_report_row_t *row,
    size_t blanks);
static void pu_report_item(FILE *out, size_t *blanks, const char *text);
static uint32_t pu_policy_methods(const pu_policy_t *policy, pu_str_t role);
static void pu_report_put(FILE *out, pu_str_t s);
static json_t *pu_json_of(pu_str_t s);
static json_t *pu_report_profiles(const pu_profiles_t *profiles);
static json_t *pu_report_row(const pu_report_row_t *row);
static json_t *pu_report_scopes(const pu_policy_t *policy);
static json_t *pu_json_methods(uint32_t methods);


/* In the order of PU_METHOD_WORDS; each is a bit. */
static const char *const  pu_report_words[] = {
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE",
    "CONNECT", "MKCOL", "COPY", "MOVE", "PROPFIND", "PROPPATCH", "LOCK",
    "UNLOCK"
};

#define PU_REPORT_WORDS                                                       \
    (sizeof(pu_report_words) / sizeof(pu_report_words[0]))


static uint32_t
pu_report_bit(size_t word)
{
    return pu_method(pu_str(pu_report_words[word]));
}


void
pu_methods_text(pu_buf_t *b, uint32_t methods, uint32_t full)
{
    size_t  i;

    if ((methods & full) == full && (full & PU_METHOD_OTHER)) {
        pu_buf_char(b, '*');
        return;
    }

    methods &= full;

    if (methods == 0) {
        pu_buf_char(b, '-');
        return;
    }

    if (methods & pu_method(PU_STR("GET"))) {
        methods &= ~pu_method(PU_STR("HEAD"));
    }

    for (i = 0; i < PU_REPORT_WORDS; i++) {
        if (methods & pu_report_bit(i)) {
            pu_buf_text(b, pu_buf_written(b).len ? " " : "");
            pu_buf_text(b, pu_report_words[i]);
        }
    }

    if (methods & PU_METHOD_OTHER) {
        pu_buf_text(b, pu_buf_written(b).len ? " others" : "others");
    }
}


char *
pu_report_text(const pu_report_t *report)
{
    FILE      *out;
    char      *text;
    size_t     i, n, len;
    pu_str_t  *roles;

    pu_memory_watch();

    out = open_memstream(&text, &len);

    if (out == NULL) {
        return NULL;
    }

    fputs("Who may do what, location by location. \"*\": every method, \"-\": "
          "none, PUBLIC: nobody\nis asked, REPORT: nothing is refused.\n", out);

    for (i = 0; i < report->nservers; i++) {
        fputs("\nserver ", out);
        pu_report_put(out, report->servers[i].names);
        fputs("  (", out);
        pu_report_put(out, report->servers[i].where);
        fputs(")\n\n", out);

        n = pu_report_columns(&report->servers[i], &roles);
        pu_report_table(out, &report->servers[i], roles, n);
        free(roles);
    }

    if (fclose(out) != 0 || pu_memory_short()) {
        free(text);
        return NULL;
    }

    return text;
}


/* Every role that a line of the server is for, sorted, once. */

static size_t
pu_report_columns(const pu_report_server_t *server, pu_str_t **roles)
{
    size_t              i, k, m, p, n, max;
    pu_str_t            role;
    const pu_rule_t    *rule;
    const pu_policy_t  *policy;

    for (i = 0, max = 1; i < server->n; i++) {
        for (k = 0; k < server->rows[i].policy->nroles; k++) {
            max += server->rows[i].policy->roles[k].npermits;
        }
    }

    *roles = malloc(max * sizeof(pu_str_t));
    n = 0;

    if (*roles == NULL) {
        return 0;
    }

    for (i = 0; i < server->n; i++) {
        policy = server->rows[i].policy;

        for (k = 0; k < policy->nroles; k++) {
            rule = &policy->roles[k];

            for (m = 0; m < rule->npermits; m++) {
                role = rule->permits[m].role;

                for (p = 0; p < n && pu_str_cmp((*roles)[p], role) < 0; p++) {
                    /* void */
                }

                if (p < n && pu_str_eq((*roles)[p], role)) {
                    continue;
                }

                memmove(*roles + p + 1, *roles + p,
                        (n - p) * sizeof(pu_str_t));
                (*roles)[p] = role;
                n++;
            }
        }
    }

    return n;
}


/* Columns: the location, what is asked, each role; as wide as they must be. */

static void
pu_report_table(FILE *out, const pu_report_server_t *server,
    const pu_str_t *roles, size_t n)
{
    char                    cell[PU_CELL_MAX];
    size_t                  i, k, len, blanks, *widths;
    pu_buf_t                b;
    const pu_report_row_t  *row;

    blanks = PU_GAP;
    widths = calloc(n + 2, sizeof(size_t));

    if (widths == NULL) {
        return;
    }

    /* row 0 is the head; in the first round only widths are found */

    for (i = 0; i < 2 * (server->n + 1); i++) {
        row = (i % (server->n + 1)) ? &server->rows[i % (server->n + 1) - 1]
                                    : NULL;

        for (k = 0; k < n + 2; k++) {
            pu_buf_init(&b, cell, sizeof(cell));
            pu_report_cell(&b, row, roles, k);
            len = pu_buf_written(&b).len;

            if (i <= server->n) {
                widths[k] = (len > widths[k]) ? len : widths[k];
                continue;
            }

            /* blanks only before something */

            pu_report_blanks(out, len ? blanks : 0);
            pu_report_put(out, pu_buf_written(&b));
            blanks = widths[k] + PU_GAP - len;
        }

        if (i > server->n) {
            pu_report_also(out, row, blanks);
            fputc('\n', out);
        }

        blanks = PU_GAP;
    }

    free(widths);
}


static void
pu_report_blanks(FILE *out, size_t n)
{
    while (n--) {
        fputc(' ', out);
    }
}


static void
pu_report_cell(pu_buf_t *b, const pu_report_row_t *row,
    const pu_str_t *roles, size_t column)
{
    if (row == NULL) {
        if (column < 2) {
            pu_buf_text(b, column ? "asks for" : "location");
        } else {
            pu_buf_str(b, roles[column - 2]);
        }

        return;
    }

    if (column == 0) {
        pu_buf_str(b, row->location);

    } else if (column == 1) {
        pu_report_access(b, row);

    } else if (row->access == PU_ACCESS_PUBLIC || row->policy->nroles == 0) {
        pu_methods_text(b, PU_METHOD_ALL, row->methods);

    } else {
        pu_methods_text(b, pu_policy_methods(row->policy, roles[column - 2]),
                        row->methods);
    }
}


static void
pu_report_access(pu_buf_t *b, const pu_report_row_t *row)
{
    if (row->access == PU_ACCESS_PUBLIC) {
        pu_buf_text(b, "PUBLIC");
        return;
    }

    pu_buf_text(b, row->policy->nroles ? "a role"
                   : row->access == PU_ACCESS_OPTIONAL ? "nothing" : "a user");

    if (row->report) {
        pu_buf_text(b, " REPORT");
    }
}


/* What else is asked for, or allowed, behind the table. */

static void
pu_report_also(FILE *out, const pu_report_row_t *row, size_t blanks)
{
    char              text[PU_CELL_MAX];
    size_t            i, k;
    pu_buf_t          b;
    const pu_rule_t  *rule;

    if (row == NULL || row->access == PU_ACCESS_PUBLIC) {
        return;
    }

    for (i = 0; i < row->policy->nscopes; i++) {
        rule = &row->policy->scopes[i];

        if (!(rule->methods & row->methods)) {
            continue;
        }

        pu_report_item(out, &blanks, "scope");

        for (k = 0; k < rule->n; k++) {
            fputc(' ', out);
            pu_report_put(out, rule->words[k]);
        }

        pu_buf_init(&b, text, sizeof(text));
        pu_methods_text(&b, rule->methods, PU_METHOD_ALL);
        fputc(' ', out);
        pu_report_put(out, pu_buf_written(&b));
    }

    if (row->requires) {
        pu_report_item(out, &blanks, "requirements");
    }

    if (row->preflight) {
        pu_report_item(out, &blanks, "preflights pass");
    }

    if (pu_policy_closed(row->policy, row->methods)) {
        pu_report_item(out, &blanks, "NOBODY can enter");
    }
}


static void
pu_report_item(FILE *out, size_t *blanks, const char *text)
{
    if (*blanks) {
        pu_report_blanks(out, *blanks);
        *blanks = 0;

    } else {
        fputs("; ", out);
    }

    fputs(text, out);
}


static uint32_t
pu_policy_methods(const pu_policy_t *policy, pu_str_t role)
{
    size_t    i, k;
    uint32_t  methods;

    methods = 0;

    for (i = 0; i < policy->nroles; i++) {
        for (k = 0; k < policy->roles[i].npermits; k++) {
            if (pu_str_eq(policy->roles[i].permits[k].role, role)) {
                methods |= policy->roles[i].permits[k].methods;
            }
        }
    }

    return methods;
}


static void
pu_report_put(FILE *out, pu_str_t s)
{
    (void) fwrite(s.data, 1, s.len, out);
}


char *
pu_report_json(const pu_report_t *report)
{
    char    *text;
    size_t   i, k;
    json_t  *root, *servers, *server, *rows;

    pu_memory_watch();

    root = json_object();
    servers = json_array();

    for (i = 0; i < report->nservers; i++) {
        server = json_object();
        rows = json_array();

        for (k = 0; k < report->servers[i].n; k++) {
            json_array_append_new(rows,
                                  pu_report_row(&report->servers[i].rows[k]));
        }

        json_object_set_new(server, "names",
                            pu_json_of(report->servers[i].names));
        json_object_set_new(server, "where",
                            pu_json_of(report->servers[i].where));
        json_object_set_new(server, "locations", rows);
        json_array_append_new(servers, server);
    }

    json_object_set_new(root, "profiles",
                        pu_report_profiles(report->profiles));
    json_object_set_new(root, "servers", servers);

    text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(root);

    if (pu_memory_short()) {
        free(text);
        return NULL;
    }

    return text;
}


/* Names of a configuration may be any bytes: JSON has UTF-8 or nothing. */

static json_t *
pu_json_of(pu_str_t s)
{
    json_t  *value;

    value = json_stringn((const char *) s.data, s.len);

    return (value != NULL) ? value : json_string("(not UTF-8)");
}


static json_t *
pu_report_profiles(const pu_profiles_t *profiles)
{
    size_t               i, k;
    json_t              *list, *item, *inherits;
    const pu_profile_t  *p;

    list = json_array();

    for (i = 0; i < profiles->n; i++) {
        p = &profiles->items[i];
        item = json_object();
        inherits = json_array();

        for (k = 0; k < p->ninherits; k++) {
            json_array_append_new(inherits, pu_json_of(p->inherits[k]));
        }

        json_object_set_new(item, "role", pu_json_of(p->role));
        json_object_set_new(item, "where", pu_json_of(p->where));
        json_object_set_new(item, "inherits", inherits);
        json_object_set_new(item, "methods", pu_json_methods(p->methods));

        if (p->rate.n) {
            json_object_set_new(item, "rate", json_pack("{s:I,s:I,s:I}",
                                "requests", (json_int_t) p->rate.n,
                                "seconds", (json_int_t) p->rate.seconds,
                                "burst", (json_int_t) p->rate.burst));
        }

        if (p->quota.n) {
            json_object_set_new(item, "quota", json_pack("{s:I,s:s}",
                                "requests", (json_int_t) p->quota.n, "per",
                                (const char *)
                                pu_period_word(p->quota.period).data));
        }

        if (p->concurrency) {
            json_object_set_new(item, "concurrency",
                                json_integer(p->concurrency));
        }

        if (p->max_grant) {
            json_object_set_new(item, "max_grant",
                                json_integer(p->max_grant));
        }

        json_array_append_new(list, item);
    }

    return list;
}


static json_t *
pu_report_row(const pu_report_row_t *row)
{
    char                key[PU_ROLE_NAME_MAX + 1];
    size_t              i, n;
    json_t             *item, *roles;
    pu_buf_t            b;
    pu_str_t           *names;
    pu_report_server_t  one = { { 0, NULL }, { 0, NULL }, 1, row };

    static const char *const  access[] = { "public", "optional", "user" };

    item = json_object();
    json_object_set_new(item, "location", pu_json_of(row->location));
    json_object_set_new(item, "access", json_string(access[row->access]));
    json_object_set_new(item, "methods", pu_json_methods(row->methods));

    if (row->access == PU_ACCESS_PUBLIC) {
        return item;
    }

    json_object_set_new(item, "mode",
                        json_string(row->report ? "report" : "enforce"));
    json_object_set_new(item, "preflight", json_boolean(row->preflight));

    /* without a line there is no "roles": every user may */

    if (row->policy->nroles) {
        n = pu_report_columns(&one, &names);
        roles = json_object();

        for (i = 0; i < n; i++) {
            pu_buf_init(&b, key, sizeof(key));
            pu_buf_str(&b, names[i]);
            pu_buf_char(&b, '\0');
            json_object_set_new(roles, key,
                                pu_json_methods(
                                    pu_policy_methods(row->policy, names[i])
                                    & row->methods));
        }

        free(names);
        json_object_set_new(item, "roles", roles);
        json_object_set_new(item, "nobody",
                            json_boolean(pu_policy_closed(row->policy,
                                                          row->methods)));
    }

    json_object_set_new(item, "scopes", pu_report_scopes(row->policy));
    json_object_set_new(item, "requirements",
                        json_integer((json_int_t) row->requires));

    return item;
}


static json_t *
pu_report_scopes(const pu_policy_t *policy)
{
    size_t            i, k;
    json_t           *list, *item, *words;
    const pu_rule_t  *rule;

    list = json_array();

    for (i = 0; i < policy->nscopes; i++) {
        rule = &policy->scopes[i];
        item = json_object();
        words = json_array();

        for (k = 0; k < rule->n; k++) {
            json_array_append_new(words, pu_json_of(rule->words[k]));
        }

        json_object_set_new(item, "scopes", words);
        json_object_set_new(item, "methods", pu_json_methods(rule->methods));
        json_array_append_new(list, item);
    }

    return list;
}


/* "*" is every method, unknown ones too; "*" in a list the unknown ones. */

static json_t *
pu_json_methods(uint32_t methods)
{
    size_t   i;
    json_t  *list;

    if (methods == PU_METHOD_ALL) {
        return json_string("*");
    }

    list = json_array();

    for (i = 0; i < PU_REPORT_WORDS; i++) {
        if (methods & pu_report_bit(i)) {
            json_array_append_new(list, json_string(pu_report_words[i]));
        }
    }

    if (methods & PU_METHOD_OTHER) {
        json_array_append_new(list, json_string("*"));
    }

    return list;
}
