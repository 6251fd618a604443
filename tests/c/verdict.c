/*
 * Asks how jobs stand and writes every field out exactly, for comparison with the other languages: verdict
 * BASE_URL
 *
 * Reads lines "OPERATION REQUEST_ID" and writes for each
 *
 *     case REQUEST_ID
 *     FIELD LENGTH BYTES      LENGTH bytes, whatever they are, after one space
 *     FIELD -                 if there is no such text
 *
 * The keys are in the environment. It ends with 0 if every line had its case, else with 2.
 */
#include <activity_status.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef astat_str (*status_text)(const astat_status *);

static const struct {
    const char *name;
    status_text text;
} FIELDS[] = {
    {"outcome", astat_status_outcome_name},
    {"state", astat_status_state},
    {"task_type", astat_status_task_type},
    {"reason", astat_status_reason},
    {"current_step", astat_status_current_step},
    {"last_step", astat_status_last_step},
    {"request_body", astat_status_request_body},
    {"message", astat_status_message},
    {"created_id", astat_status_created_id},
    {"related_id", astat_status_related_id},
    {"raw", astat_status_raw},
    {"json", astat_status_json},
};

static void field(const char *name, astat_str text)
{
    if (!text.ptr) {
        printf("%s -\n", name);
        return;
    }
    printf("%s %lu ", name, (unsigned long)text.len);
    fwrite(text.ptr, 1, text.len, stdout);
    putchar('\n');
}

static void answer(const astat_status *status)
{
    size_t i;
    for (i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++)
        field(FIELDS[i].name, FIELDS[i].text(status));
}

static void failure(const astat_error *error)
{
    char http_status[16];
    field("kind", astat_error_kind(error));
    sprintf(http_status, "%d", (int)astat_error_http_status(error));
    field("http_status", astat_cstr(astat_error_http_status(error) ? http_status : NULL));
    field("resend", astat_error_resend_name(error));
    field("vendor_type", astat_error_exception_type(error));
    field("vendor_message", astat_error_exception_message(error));
    field("json", astat_error_json(error));
}

static astat_client *client_at(const char *base_url)
{
    astat_config *config = astat_config_new();
    astat_client *client = NULL;
    astat_error *error = NULL;
    const int ok =
        astat_config_set(config, ASTAT_LIT("base_url"), astat_cstr(base_url), &error) == ASTAT_OK
        && astat_config_set(config, ASTAT_LIT("max_attempts"), ASTAT_LIT("1"), &error) == ASTAT_OK
        && astat_config_set(config, ASTAT_LIT("quota"), ASTAT_LIT("1000/0.1s"), &error) == ASTAT_OK
        && astat_config_set_keys(config, astat_cstr(getenv("ACTIVITY_STATUS_API_KEY")),
                                 astat_cstr(getenv("ACTIVITY_STATUS_ACCESS_KEY")),
                                 astat_cstr(getenv("ACTIVITY_STATUS_SECRET_KEY")), &error)
               == ASTAT_OK
        && astat_client_new(config, &client, &error) == ASTAT_OK;

    if (!ok)
        fprintf(stderr, "%s\n", astat_error_message(error).ptr);
    astat_error_free(error);
    astat_config_free(config);
    return client;
}

int main(int argc, char **argv)
{
    char line[1024];
    astat_client *client;
    int wrong = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: verdict BASE_URL\n");
        return 2;
    }
    client = client_at(argv[1]);
    if (!client)
        return 2;
    while (fgets(line, sizeof line, stdin)) {
        char *operation = strtok(line, " \r\n");
        char *id = strtok(NULL, " \r\n");
        astat_status *status = NULL;
        astat_error *error = NULL;

        if (!operation || !id) {
            fprintf(stderr, "a line is not of the form OPERATION REQUEST_ID\n");
            wrong = 2;
            continue;
        }
        printf("case %s\n", id);
        if (astat_client_status(client, astat_cstr(operation), astat_cstr(id), NULL, &status, &error) == ASTAT_OK)
            answer(status);
        else
            failure(error);
        fflush(stdout);
        astat_status_free(status);
        astat_error_free(error);
    }
    astat_client_free(client);
    return wrong;
}
