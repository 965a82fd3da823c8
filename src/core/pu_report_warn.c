/*
 * pu_report_warn: what looks wrong in a policy.
 *
 * Nothing here is an error: a role that nobody has today may be granted
 * tomorrow.
 */

#include <stdio.h>

#include "pu_report.h"


/* who hears of it */
typedef struct {
    const pu_report_t  *report;
    pu_profile_warn_f   warn;
    void               *data;
} pu_teller_t;


static void pu_report_role(const pu_teller_t *t, const pu_report_row_t *row,
    const pu_rule_t *rule, size_t word);
static int pu_report_first(const pu_report_t *report,
    const pu_report_row_t *row, const pu_rule_t *rule, size_t word);
static int pu_report_gives(const pu_report_t *report, pu_str_t role);
static int pu_report_maps(const pu_report_t *report, pu_str_t role);
static int pu_report_uses(const pu_report_t *report, const pu_profile_t *p);
static int pu_report_open(const pu_report_t *report,
    const pu_report_row_t *row);


/* Every role line of a location that asks for a user. */
#define PU_EACH_LINE(report, row, rule)                                       \
    for (size_t s_ = 0; s_ < (report)->nservers; s_++)                        \
        for (size_t r_ = 0; r_ < (report)->servers[s_].n; r_++)               \
            if (((row) = &(report)->servers[s_].rows[r_])->access             \
                != PU_ACCESS_PUBLIC)                                          \
                for (size_t l_ = 0; l_ < (row)->policy->nroles                \
                     && ((rule) = &(row)->policy->roles[l_]); l_++)


void
pu_report_warn(const pu_report_t *report, pu_profile_warn_f warn, void *data)
{
    char                    text[PU_ERROR_SIZE];
    size_t                  i, k;
    pu_teller_t             t = { report, warn, data };
    const pu_rule_t        *rule;
    const pu_report_row_t  *row;

    PU_EACH_LINE(report, row, rule) {
        for (k = 0; k < rule->n; k++) {
            pu_report_role(&t, row, rule, k);
        }
    }

    for (i = 0; i < report->profiles->n; i++) {
        if (!pu_report_uses(report, &report->profiles->items[i])) {
            snprintf(text, sizeof(text), "\"proxy_user_profile %.*s\" is used "
                     "by no location: no \"proxy_user_role\" names the role",
                     PU_STR_FMT(report->profiles->items[i].role));
            warn(data, text);
        }
    }

    for (i = 0; i < report->nservers; i++) {
        for (k = 0; k < report->servers[i].n; k++) {
            row = &report->servers[i].rows[k];

            if (pu_report_open(report, row)
                || pu_policy_closed(row->policy, row->methods))
            {
                continue;
            }

            snprintf(text, sizeof(text), "location \"%.*s\" of server "
                     "\"%.*s\" can be entered by nobody: nothing can give a "
                     "role that its lines let in", PU_STR_FMT(row->location),
                     PU_STR_FMT(report->servers[i].names));
            warn(data, text);
        }
    }
}


static void
pu_report_role(const pu_teller_t *t, const pu_report_row_t *row,
    const pu_rule_t *rule, size_t word)
{
    char      text[PU_ERROR_SIZE];
    pu_str_t  role;

    role = rule->words[word];

    if (pu_report_gives(t->report, role)
        || !pu_report_first(t->report, row, rule, word))
    {
        return;
    }

    snprintf(text, sizeof(text), "the role \"%.*s\" in %.*s is in no %s",
             PU_STR_FMT(role), PU_STR_FMT(rule->where),
             t->report->grants
             ? "profile, \"role_map\" or \"default_role\": only a grant can "
               "give it"
             : "\"role_map\" or \"default_role\", and without "
               "\"proxy_user_redis\" nothing else can give it");
    t->warn(t->data, text);
}


/* Is it here that the role is named for the first time? */

static int
pu_report_first(const pu_report_t *report, const pu_report_row_t *row,
    const pu_rule_t *rule, size_t word)
{
    size_t                  k;
    const pu_rule_t        *line;
    const pu_report_row_t  *other;

    PU_EACH_LINE(report, other, line) {
        for (k = 0; k < line->n; k++) {
            if (pu_str_eq(line->words[k], rule->words[word])) {
                return other == row && line == rule && k == word;
            }
        }
    }

    return 0;
}


/* A profile is a promise that somebody will have the role. */

static int
pu_report_gives(const pu_report_t *report, pu_str_t role)
{
    size_t               i;
    const pu_profile_t  *profile;

    if (pu_report_maps(report, role)) {
        return 1;
    }

    for (i = 0; i < report->profiles->n; i++) {
        profile = &report->profiles->items[i];

        if (pu_profile_holds(report->profiles, profile, role)
            && (report->grants || pu_report_maps(report, profile->role)))
        {
            return 1;
        }
    }

    return 0;
}


static int
pu_report_maps(const pu_report_t *report, pu_str_t role)
{
    size_t              i, k, n;
    const pu_issuer_t  *issuer;

    for (i = 0; i < report->nissuers; i++) {
        issuer = report->issuers[i];

        for (k = 0; k < issuer->default_roles.n; k++) {
            if (pu_str_eq(issuer->default_roles.items[k], role)) {
                return 1;
            }
        }

        for (k = 0; k < issuer->nroles; k++) {
            for (n = 0; n < issuer->role_map[k].values.n; n++) {
                if (pu_str_eq(issuer->role_map[k].values.items[n], role)) {
                    return 1;
                }
            }
        }
    }

    return 0;
}


/* By a line for its role, or for one that it inherits. */

static int
pu_report_uses(const pu_report_t *report, const pu_profile_t *p)
{
    size_t                  k;
    const pu_rule_t        *rule;
    const pu_report_row_t  *row;

    PU_EACH_LINE(report, row, rule) {
        for (k = 0; k < rule->npermits; k++) {
            if (pu_str_eq(rule->permits[k].role, p->role)) {
                return 1;
            }
        }
    }

    return 0;
}


static int
pu_report_open(const pu_report_t *report, const pu_report_row_t *row)
{
    size_t              i, k;
    const pu_permit_t  *permit;

    if (row->access == PU_ACCESS_PUBLIC || row->policy->nroles == 0) {
        return 1;
    }

    for (i = 0; i < row->policy->nroles; i++) {
        for (k = 0; k < row->policy->roles[i].npermits; k++) {
            permit = &row->policy->roles[i].permits[k];

            if ((permit->methods & row->methods)
                && (report->grants || pu_report_maps(report, permit->role)))
            {
                return 1;
            }
        }
    }

    return 0;
}


int
pu_policy_closed(const pu_policy_t *policy, uint32_t methods)
{
    size_t  i;

    for (i = 0; i < policy->nroles; i++) {
        if (policy->roles[i].methods & methods) {
            return 0;
        }
    }

    return policy->nroles != 0;
}
