/*
 * Posts five activities, and tells of each as soon as it is settled.
 *
 *     cc wait_all.c -lactivity_status -o wait_all
 *
 * The keys are in the environment: see environment.h.
 */
#include "environment.h"

enum { ACTIVITIES = 5 };

/* Posts an activity, and adds it to those that are waited for. */
static astat_code submit(const astat_client *client, astat_batch *batch, int number, astat_error **error)
{
    const astat_str operation = ASTAT_LIT("activity.create");
    astat_submitted *submitted = NULL;
    char body[200];
    astat_code code;

    sprintf(body,
            "{\"RelatedProspectId\":\"b8e49bf4-3b56-49e0-a339-4cc5832d0e34\",\"ActivityEvent\":380,"
            "\"ActivityNote\":\"Posted by an example in C, number %d\"}",
            number);
    code = astat_client_submit(client, operation, astat_cstr(body), NULL, &submitted, error);
    if (code == ASTAT_OK) {
        const astat_str id = astat_submitted_request_id(submitted);
        printf("%s  submitted\n", id.ptr);
        code = astat_batch_add(batch, operation, id, ASTAT_NS_NONE, NULL, error);
    }
    astat_submitted_free(submitted);
    return code;
}

static void show_progress(astat_batch *batch)
{
    astat_progress progress = ASTAT_PROGRESS_INIT;

    if (astat_batch_progress(batch, &progress, NULL) != ASTAT_OK)
        return;
    printf("    %d of %d", (int)(progress.total - progress.open), (int)progress.total);
    if (progress.open && progress.remaining_ns != ASTAT_NS_NONE)
        printf(", the rest in about %.1f s", (double)progress.remaining_ns / 1e9);
    printf("\n");
}

static int wait_for_all(astat_batch *batch)
{
    int exit_code = ALL_ANSWERED;

    for (;;) {
        astat_ended *ended = NULL;
        astat_error *error = NULL;
        int32_t what;
        int worse;

        if (astat_batch_next(batch, ASTAT_NS_NONE, &what, &ended, &error) != ASTAT_OK)
            return report(error);
        if (what == ASTAT_NEXT_DONE)
            return exit_code;
        worse = show_end(ended);
        if (worse > exit_code)
            exit_code = worse;
        astat_ended_free(ended);
        show_progress(batch);
    }
}

int main(void)
{
    astat_wait_options options = ASTAT_WAIT_OPTIONS_INIT;
    astat_client *client = NULL;
    astat_batch *batch = NULL;
    astat_error *error = NULL;
    astat_code code = client_from_environment(&client, &error);
    int number, exit_code;

    options.deadline_ns = UINT64_C(120) * 1000 * 1000 * 1000;
    if (code == ASTAT_OK)
        code = astat_batch_new(client, &options, &batch, &error);
    for (number = 1; code == ASTAT_OK && number <= ACTIVITIES; number++)
        code = submit(client, batch, number, &error);
    exit_code = code == ASTAT_OK ? wait_for_all(batch) : report(error);
    astat_batch_free(batch);
    astat_client_free(client);
    return exit_code;
}
