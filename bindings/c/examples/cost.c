/* The same calls as cost.rs, so that `cargo xtask bench c` can count what the C library adds to one: BASE_URL ID CALLS */
#include <activity_status.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    astat_config *config = astat_config_new();
    astat_client *client = NULL;
    astat_error *error = NULL;
    long calls;

    if (argc != 4) {
        fprintf(stderr, "usage: cost BASE_URL ID CALLS\n");
        return 2;
    }
    if (astat_config_set(config, ASTAT_LIT("base_url"), astat_cstr(argv[1]), &error) == ASTAT_OK
        && astat_config_set(config, ASTAT_LIT("quota"), ASTAT_LIT("1000/5s"), &error) == ASTAT_OK
        && astat_config_set_keys(config, ASTAT_LIT("sandbox-api-key"), astat_cstr(NULL), astat_cstr(NULL), &error)
               == ASTAT_OK)
        (void)!astat_client_new(config, &client, &error);
    for (calls = atol(argv[3]); !error && calls > 0; calls--) {
        astat_status *status = NULL;

        if (astat_client_status(client, ASTAT_LIT("activity.create"), astat_cstr(argv[2]), NULL, &status, &error)
                == ASTAT_OK
            && strcmp(astat_status_request_id(status).ptr, argv[2]) != 0)
            return 1;
        astat_status_free(status);
    }
    if (error)
        fprintf(stderr, "%s\n", astat_error_message(error).ptr);
    astat_client_free(client);
    astat_config_free(config);
    return error != NULL;
}
