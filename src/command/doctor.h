/*
 * doctor: what its files share.
 */

#ifndef DOCTOR_H
#define DOCTOR_H

#include "command.h"


#define CHECK_SHOWN  20                 /* faults that are named */

typedef struct {
    int64_t   users;
    int64_t   handles;
    int64_t   faults;
    size_t    shown;
    char      lines[CHECK_SHOWN][200];  /* one fault each */
} check_report_t;

/*
 * Reads every record and the log: do they fit together, can nginx read them?
 * EXIT_DONE and the report, whatever it says.
 */
int doctor_check(session_t *s, check_report_t *report);


#endif /* DOCTOR_H */
