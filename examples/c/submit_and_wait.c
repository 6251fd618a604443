/*
 * Posts an activity and waits until it is settled: submit_and_wait [FILE]
 *
 *     cc submit_and_wait.c -lactivity_status -o submit_and_wait
 *
 * FILE holds the activity as JSON. The keys are in the environment: see environment.h.
 */
#include "environment.h"

static const char EXAMPLE[] = "{\"RelatedProspectId\":\"b8e49bf4-3b56-49e0-a339-4cc5832d0e34\","
                              "\"ActivityEvent\":380,\"ActivityNote\":\"Posted by an example in C\"}";

/* The whole file; NULL if it cannot be read. */
static char *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    char *bytes = NULL;
    size_t room = 0;

    *len = 0;
    if (!file)
        return NULL;
    do {
        char *more;
        room = room ? 2 * room : 4096;
        more = (char *)realloc(bytes, room);
        if (!more)
            break;
        bytes = more;
        *len += fread(bytes + *len, 1, room - *len, file);
    } while (*len == room);
    if (ferror(file) || *len == room) {
        free(bytes);
        bytes = NULL;
    }
    fclose(file);
    return bytes;
}

static int submit_and_wait(const astat_client *client, astat_str body)
{
    const astat_str operation = ASTAT_LIT("activity.create");
    astat_wait_options options = ASTAT_WAIT_OPTIONS_INIT;
    astat_submitted *submitted = NULL;
    astat_status *status = NULL;
    astat_error *error = NULL;
    astat_str id;
    int exit_code;

    if (astat_client_submit(client, operation, body, NULL, &submitted, &error) != ASTAT_OK) {
        /* It may have arrived all the same: only "safe" says that it can be sent again without a duplicate.
         */
        fprintf(stderr, "sending it again is: %s\n", astat_error_resend_name(error).ptr);
        return report(error);
    }
    id = astat_submitted_request_id(submitted);
    printf("%s  submitted\n", id.ptr);

    options.deadline_ns = UINT64_C(120) * 1000 * 1000 * 1000;
    if (astat_client_wait(client, operation, id, &options, &status, &error) == ASTAT_OK)
        exit_code = show(status);
    else
        exit_code = report(error);
    astat_status_free(status);
    astat_submitted_free(submitted);
    return exit_code;
}

int main(int argc, char **argv)
{
    astat_client *client = NULL;
    astat_error *error = NULL;
    astat_str body = astat_text(EXAMPLE, sizeof EXAMPLE - 1);
    char *bytes = NULL;
    int exit_code;

    if (argc > 2) {
        fprintf(stderr, "usage: submit_and_wait [FILE]\n");
        return WRONG_INPUT;
    }
    if (argc == 2) {
        size_t len;
        bytes = read_file(argv[1], &len);
        if (!bytes) {
            perror(argv[1]);
            return WRONG_INPUT;
        }
        body = astat_text(bytes, len);
    }
    if (client_from_environment(&client, &error) == ASTAT_OK)
        exit_code = submit_and_wait(client, body);
    else
        exit_code = report(error);
    astat_client_free(client);
    free(bytes);
    return exit_code;
}
