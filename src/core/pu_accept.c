
/*
 * pu_accept: does an Accept header name a media type?
 */

#include "pu_accept.h"


static pu_str_t pu_accept_part(pu_str_t *rest, uint8_t separator);
static int pu_accept_refused(pu_str_t parameters);


int
pu_accepts(pu_str_t accept, pu_str_t type)
{
    pu_str_t  item, name;

    while (accept.len) {
        item = pu_accept_part(&accept, ',');
        name = pu_accept_part(&item, ';');

        if (pu_str_case_eq(name, type) && !pu_accept_refused(item)) {
            return 1;
        }
    }

    return 0;
}


/* Takes what stands before the separator, without the spaces around it. */

static pu_str_t
pu_accept_part(pu_str_t *rest, uint8_t separator)
{
    size_t          n;
    pu_str_t        part;
    const uint8_t  *p;

    p = rest->len ? memchr(rest->data, separator, rest->len) : NULL;
    n = p ? (size_t) (p - rest->data) : rest->len;

    part.data = rest->data;
    part.len = n;

    if (p) {
        n++;
    }

    rest->data += n;
    rest->len -= n;

    while (part.len && (part.data[0] == ' ' || part.data[0] == '\t')) {
        part.data++;
        part.len--;
    }

    while (part.len && (part.data[part.len - 1] == ' '
                        || part.data[part.len - 1] == '\t'))
    {
        part.len--;
    }

    return part;
}


/* A weight of 0, 0.0, 0.00 or 0.000 means "not acceptable". */

static int
pu_accept_refused(pu_str_t parameters)
{
    size_t    i;
    pu_str_t  parameter;

    while (parameters.len) {
        parameter = pu_accept_part(&parameters, ';');

        if (parameter.len < 3
            || (parameter.data[0] | 0x20) != 'q'
            || parameter.data[1] != '=')
        {
            continue;
        }

        for (i = 2; i < parameter.len; i++) {
            if (parameter.data[i] != '0' && parameter.data[i] != '.') {
                return 0;
            }
        }

        return 1;
    }

    return 0;
}
