/*
 * token: the verb of "proxy-user token" that has a file of its own.
 */

#ifndef TOKEN_H
#define TOKEN_H

#include "command.h"


int token_revoke_check(const options_t *options, const char *const *args);
int token_revoke(session_t *s, const char *const *args);


#endif /* TOKEN_H */
