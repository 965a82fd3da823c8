/*
 * user: the verbs of "proxy-user user" that have a file of their own.
 */

#ifndef USER_H
#define USER_H

#include "command.h"


int user_list_check(const options_t *options, const char *const *args);
int user_list(session_t *s, const char *const *args);
int user_show(session_t *s, const char *const *args);
int user_create_check(const options_t *options, const char *const *args);
int user_create(session_t *s, const char *const *args);
int user_link_check(const options_t *options, const char *const *args);
int user_link(session_t *s, const char *const *args);


#endif /* USER_H */
