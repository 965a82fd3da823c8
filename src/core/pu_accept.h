/*
 * pu_accept: does an Accept header name a media type?  (RFC 9110 section
 * 12.5.1)
 *
 * Only whether it is named and not refused by q=0: no ranking, and a range
 * with an asterisk names nothing.
 */

#ifndef PU_ACCEPT_H
#define PU_ACCEPT_H

#include "pu_str.h"


/* 1 or 0; "type" is compared without regard to case. */
int pu_accepts(pu_str_t accept, pu_str_t type);


#endif /* PU_ACCEPT_H */
