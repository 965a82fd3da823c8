/*
 * pu_scim_off: is this request a switch that turns somebody off?
 *
 * For a user whose record cannot be read: nothing can be changed in it, but
 * off is off.  Each operation of a PATCH is tried by itself on a user with
 * nothing but a name; one that needs more than that has not spoken about
 * "active".
 */

#include "pu_scim_resource.h"


static int pu_off_patched(json_t *user, const json_t *body);


int
pu_scim_turns_off(const json_t *body, int patch)
{
    int                off;
    json_t            *user;
    pu_scim_error_t    err;
    pu_scim_record_t   record;

    memset(&record, 0, sizeof(pu_scim_record_t));
    memset(&err, 0, sizeof(pu_scim_error_t));

    if (!patch) {
        off = pu_scim_record_read(&record, PU_SCIM_USERS, body, NULL, &err)
              && record.active == PU_ACTIVE_NO;
        pu_scim_record_free(&record);

        return off;
    }

    user = json_object();

    off = pu_off_patched(user, body)
          && json_object_set_new(user, "userName", json_string("x")) == 0
          && pu_scim_record_read(&record, PU_SCIM_USERS, user, NULL, &err)
          && record.active == PU_ACTIVE_NO;

    pu_scim_record_free(&record);
    json_decref(user);

    return off;
}


/* "user" is left with "active" alone, if that was said; 1 or 0: no sense. */

static int
pu_off_patched(json_t *user, const json_t *body)
{
    size_t           i, n;
    json_t          *one, *active, *operations;
    pu_scim_error_t  err;

    operations = pu_scim_get(body, PU_STR("Operations"));
    n = json_array_size(operations);

    if (n > PU_SCIM_PATCH_MAX) {
        return 0;
    }

    active = NULL;

    for (i = 0; i < n; i++) {
        one = json_pack("{s:[O]}", "Operations",
                        json_array_get(operations, i));
        memset(&err, 0, sizeof(pu_scim_error_t));

        if (one != NULL
            && pu_scim_patch(user, PU_SCIM_USERS, one, NULL, &err)
            && json_object_get(user, "active") != NULL)
        {
            json_decref(active);
            active = json_incref(json_object_get(user, "active"));
        }

        json_decref(one);
        (void) json_object_clear(user);
    }

    return active != NULL
           && json_object_set_new(user, "active", active) == 0;
}
