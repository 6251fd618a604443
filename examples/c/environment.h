/* What the examples share: a client set up from the environment, and what to do when something fails. All of it is
 * inline, for not every example uses all of it. */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include <activity_status.h>

#include <stdio.h>
#include <stdlib.h>

/* The exit codes are those of the command line. */
enum { ALL_ANSWERED = 0, SOME_FAILED = 1, WRONG_INPUT = 2, TOO_LATE = 3, NO_ANSWER = 4 };

/* Says what went wrong, and returns the exit code for it. */
static inline int show_error(const astat_error *error)
{
    fprintf(stderr, "%s\n", astat_error_message(error).ptr);
    switch (astat_error_code(error)) {
    case ASTAT_E_CONFIG:
    case ASTAT_E_ARGUMENT: return WRONG_INPUT;
    case ASTAT_E_DEADLINE: return TOO_LATE;
    }
    return NO_ANSWER;
}

/* The same, and ends the error. */
static inline int report(astat_error *error)
{
    const int exit_code = show_error(error);
    astat_error_free(error);
    return exit_code;
}

/* A configuration for the account, and the limiter, that the ACTIVITY_STATUS_* variables name. */
static inline astat_code config_from_environment(astat_config *config, astat_error **error)
{
    static const char *const settings[][2] = {
        {"region", "ACTIVITY_STATUS_REGION"},
        {"base_url", "ACTIVITY_STATUS_BASE_URL"},
        {"limiter", "ACTIVITY_STATUS_LIMITER"},
    };
    size_t i;
    astat_code code = astat_config_set_keys(config, astat_cstr(getenv("ACTIVITY_STATUS_API_KEY")),
                                            astat_cstr(getenv("ACTIVITY_STATUS_ACCESS_KEY")),
                                            astat_cstr(getenv("ACTIVITY_STATUS_SECRET_KEY")), error);

    for (i = 0; code == ASTAT_OK && i < sizeof settings / sizeof *settings; i++) {
        const char *value = getenv(settings[i][1]);
        if (value)
            code = astat_config_set(config, astat_cstr(settings[i][0]), astat_cstr(value), error);
    }
    return code;
}

/* A client for them. */
static inline astat_code client_from_environment(astat_client **client, astat_error **error)
{
    astat_config *config = astat_config_new();
    astat_code code = config_from_environment(config, error);

    if (code == ASTAT_OK)
        code = astat_client_new(config, client, error);
    astat_config_free(config);
    return code;
}

/* Prints a status as one line, and returns the exit code for it. */
static inline int show(const astat_status *status)
{
    printf("%s  %s  %s: %s\n", astat_status_request_id(status).ptr, astat_status_outcome_name(status).ptr,
           astat_status_state(status).ptr, astat_status_reason(status).ptr);
    if (astat_status_created_id(status).ptr)
        printf("    created %s\n", astat_status_created_id(status).ptr);
    return astat_status_outcome(status) == ASTAT_FAILED ? SOME_FAILED : ALL_ANSWERED;
}

/* Prints how one of many jobs ended, and returns the exit code for it. */
static inline int show_end(const astat_ended *ended)
{
    const astat_error *error = astat_ended_error(ended);
    return error ? show_error(error) : show(astat_ended_status(ended));
}

#endif
