/*
 * Asks once how each job stands: status ID...
 *
 *     cc status.c -lactivity_status -o status
 *     ACTIVITY_STATUS_REGION=in ACTIVITY_STATUS_API_KEY=... ./status 72003d66-aa5d-4533-9e13-73da598dedf4
 */
#include "environment.h"

int main(int argc, char **argv)
{
    astat_client *client = NULL;
    astat_error *error = NULL;
    int exit_code = ALL_ANSWERED;
    int i;

    if (argc < 2) {
        fprintf(stderr, "usage: status ID...\n");
        return WRONG_INPUT;
    }
    if (client_from_environment(&client, &error) != ASTAT_OK)
        return report(error);
    for (i = 1; i < argc; i++) {
        astat_status *status = NULL;
        int worse;

        if (astat_client_status(client, ASTAT_LIT("activity.create"), astat_cstr(argv[i]), NULL, &status, &error)
            == ASTAT_OK)
            worse = show(status);
        else
            worse = report(error);
        if (worse > exit_code)
            exit_code = worse;
        astat_status_free(status);
    }
    astat_client_free(client);
    return exit_code;
}
