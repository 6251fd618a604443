/*
 * One job: submitted, asked about, waited for; and the operations that there are.
 */
#include "checks.h"

/* A whole life: submitted, asked about, waited for; and what the queue says. */
static void a_life(void)
{
    astat_client *client = new_client();
    astat_submitted *submitted = submit(client, BODY);
    const astat_str id = astat_submitted_request_id(submitted);
    astat_status *status = STALE(astat_status), *again;
    astat_metrics *metrics = STALE(astat_metrics);
    astat_error *error = STALE(astat_error);

    CHECK(id.len > 0 && strlen(id.ptr) == id.len);
    CHECK(astat_client_status(client, ACTIVITY, id, NULL, &status, &error) == ASTAT_OK && !error);
    CHECK(astat_status_outcome(status) == ASTAT_PENDING || astat_status_outcome(status) == ASTAT_SUCCEEDED);
    CHECK(is(astat_status_request_id(status), id.ptr));
    astat_status_free(status);

    CHECK(astat_client_wait(client, ACTIVITY, id, NULL, &status, &error) == ASTAT_OK && !error);
    CHECK(astat_status_outcome(status) == ASTAT_SUCCEEDED);
    CHECK(astat_client_metrics(client, ACTIVITY, NULL, &metrics, &error) == ASTAT_OK && !error);

    /* Results outlive the client and what came before them. */
    astat_submitted_free(submitted);
    astat_client_free(client);
    again = astat_status_ref(status);
    CHECK(again == status);
    astat_status_free(status);

    CHECK(is(astat_status_outcome_name(again), "succeeded"));
    CHECK(is(astat_status_state(again), "Success"));
    CHECK(is(astat_status_task_type(again), "Activity Create"));
    CHECK(is(astat_status_reason(again), "Request was successfully completed"));
    CHECK(is_absent(astat_status_current_step(again)));
    CHECK(astat_status_last_step(again).len > 0);
    CHECK(is(astat_status_request_body(again), BODY.ptr));
    CHECK(holds(astat_status_message(again), "\"Id\""));
    CHECK(astat_status_created_id(again).len > 0);
    CHECK(astat_status_related_id(again).ptr != NULL);
    CHECK(holds(astat_status_raw(again), "\"TaskStatus\""));
    CHECK(holds(astat_status_json(again), "\"operation\":\"activity.create\",\"outcome\":\"succeeded\""));
    CHECK(!strchr(astat_status_json(again).ptr, '\n'));
    astat_status_free(again);

    CHECK(astat_metrics_pending(metrics) < ASTAT_NONE);
    CHECK(astat_metrics_max_delay_ns(metrics) < ASTAT_NS_NONE);
    CHECK(astat_metrics_rate_per_minute(metrics) >= 0);
    CHECK(holds(astat_metrics_raw(metrics), "PendingMessages"));
    astat_metrics_free(metrics);
}

/* A job that failed is an answer. */
static void a_failed_job(const astat_client *client)
{
    astat_submitted *submitted = submit(client, BODY_WITH("sandbox:fail"));
    astat_status *status = NULL;
    CHECK(astat_client_wait(client, ACTIVITY, astat_submitted_request_id(submitted), NULL, &status, NULL)
          == ASTAT_OK);
    CHECK(astat_status_outcome(status) == ASTAT_FAILED);
    CHECK(is(astat_status_outcome_name(status), "failed"));
    CHECK(astat_status_reason(status).len > 0);
    CHECK(is_absent(astat_status_created_id(status)));
    astat_status_free(status);
    astat_submitted_free(submitted);
}

static void a_deadline(const astat_client *client)
{
    astat_submitted *submitted = submit(client, BODY_WITH("sandbox:never"));
    const astat_str id = astat_submitted_request_id(submitted);
    astat_wait_options soon = ASTAT_WAIT_OPTIONS_INIT;
    astat_status *status = STALE(astat_status);
    astat_error *error = NULL;
    soon.deadline_ns = 1500 * MS;
    soon.price_ns = 100 * MS;

    CHECK(astat_client_wait(client, ACTIVITY, id, &soon, &status, &error) == ASTAT_E_DEADLINE);
    CHECK(status == NULL);
    CHECK(astat_error_resend(error) == ASTAT_RESEND_SAFE && is(astat_error_resend_name(error), "safe"));
    CHECK(astat_error_attempts(error) > 0);
    CHECK(is(astat_error_request_id(error), id.ptr) && is(astat_error_operation(error), "activity.create"));
    status = astat_status_ref(astat_error_last_status(error));
    FAILS(ASTAT_E_DEADLINE, ASTAT_E_DEADLINE, NULL, error);

    /* The last status was made our own, so it outlives the error. */
    CHECK(is(astat_status_request_id(status), id.ptr));
    CHECK(astat_status_outcome(status) == ASTAT_PENDING && is(astat_status_outcome_name(status), "pending"));
    CHECK(holds(astat_status_json(status), "\"operation\":\"activity.create\",\"outcome\":\"pending\""));
    astat_status_free(status);
    astat_submitted_free(submitted);
}

/* What only one of the operations needs. */
static void submit_options(const astat_client *client)
{
    const astat_pair query[] = {{ASTAT_LIT("leadId"), ASTAT_LIT("b8e4")},
                                {ASTAT_LIT("postUpdatedLead"), ASTAT_LIT("true")}};
    const astat_pair key_in_query[] = {{ASTAT_LIT("accessKey"), ASTAT_LIT("wr0ng-s3cr3t")}};
    const astat_pair not_text[] = {{ASTAT_LIT("leadId"), ASTAT_LIT("\xff")}};
    const astat_str lead_update = ASTAT_LIT("lead.update"),
                    body = ASTAT_LIT("[{\"Attribute\":\"City\",\"Value\":\"Pune\"}]");
    astat_submit_options options = ASTAT_SUBMIT_OPTIONS_INIT;
    astat_submitted *submitted = NULL;
    astat_error *error = NULL;

    options.query = query;
    options.query_count = COUNT(query);
    CHECK(astat_client_submit(client, lead_update, body, &options, &submitted, &error) == ASTAT_OK && !error);
    CHECK(astat_submitted_request_id(submitted).len > 0);
    astat_submitted_free(submitted);

    options.query = key_in_query;
    options.query_count = 1;
    FAILS(ASTAT_E_CONFIG, astat_client_submit(client, lead_update, body, &options, &submitted, &error),
          submitted, error);
    options.query = not_text;
    FAILS(ASTAT_E_ARGUMENT, astat_client_submit(client, lead_update, body, &options, &submitted, &error),
          submitted, error);
    options.query = NULL;
    FAILS(ASTAT_E_ARGUMENT, astat_client_submit(client, lead_update, body, &options, &submitted, &error),
          submitted, error);

    options.query_count = 0;
    options.path_tail = ASTAT_LIT("connector-key");
    CHECK(astat_client_submit(client, ASTAT_LIT("telephony.logcall"), body, &options, &submitted, &error)
          == ASTAT_OK);
    astat_submitted_free(submitted);
    options.path_tail = ASTAT_LIT("");
    FAILS(ASTAT_E_CONFIG, astat_client_submit(client, lead_update, body, &options, &submitted, &error),
          submitted, error);
    options.path_tail = ASTAT_LIT("\xff");
    FAILS(ASTAT_E_ARGUMENT, astat_client_submit(client, lead_update, body, &options, &submitted, &error),
          submitted, error);
}

static void operations(void)
{
    astat_config *config = new_config();
    astat_client *client = NULL;
    astat_submitted *submitted = NULL;
    astat_metrics *metrics = NULL;
    astat_status *status = NULL;
    astat_error *error = NULL;

    FAILS(ASTAT_E_CONFIG,
          astat_config_add_operation(config, ASTAT_LIT("a b"), ASTAT_LIT("/x"), NONE, NONE, &error), NULL,
          error);
    FAILS(ASTAT_E_CONFIG,
          astat_config_add_operation(config, ASTAT_LIT("x"), ASTAT_LIT("/x"), ASTAT_LIT("?"), NONE, &error),
          NULL, error);
    FAILS(
        ASTAT_E_ARGUMENT,
        astat_config_add_operation(config, ASTAT_LIT("x"), ASTAT_LIT("/x"), NONE, ASTAT_LIT("\xff"), &error),
        NULL, error);
    CHECK(astat_config_add_operation(config, ASTAT_LIT("nowhere"), ASTAT_LIT("/no/where"), NONE, NONE, &error)
          == ASTAT_OK);
    CHECK(astat_config_add_operation(config, ASTAT_LIT("mine"), ASTAT_LIT("/no/where"),
                                     ASTAT_LIT("/activity/create/status"),
                                     ASTAT_LIT("/activity/create/metrics"), &error)
          == ASTAT_OK);
    /* A known name with other paths, of which the last counts. */
    CHECK(astat_config_add_operation(config, ASTAT_LIT("lead.capture"), ASTAT_LIT("/no/where"), NONE, NONE,
                                     &error)
          == ASTAT_OK);
    CHECK(astat_config_add_operation(config, ASTAT_LIT("lead.capture"), ASTAT_LIT("/activity/create"), NONE,
                                     NONE, &error)
          == ASTAT_OK);
    CHECK(astat_client_new(config, &client, &error) == ASTAT_OK);
    astat_config_free(config);

    FAILS(ASTAT_E_CONFIG, astat_client_metrics(client, ASTAT_LIT("activity.crate"), NULL, &metrics, &error),
          metrics, error);
    CHECK(astat_client_metrics(client, ASTAT_LIT("nowhere"), NULL, &metrics, &error) == ASTAT_E_NOT_FOUND);
    CHECK(is(astat_error_operation(error), "nowhere") && astat_error_http_status(error) == 404);
    FAILS(ASTAT_E_NOT_FOUND, ASTAT_E_NOT_FOUND, metrics, error);
    CHECK(astat_client_metrics(client, ASTAT_LIT("mine"), NULL, &metrics, &error) == ASTAT_OK);
    astat_metrics_free(metrics);

    CHECK(astat_client_submit(client, ASTAT_LIT("lead.capture"), BODY, NULL, &submitted, &error) == ASTAT_OK);
    CHECK(
        astat_client_status(client, ASTAT_LIT("mine"), astat_submitted_request_id(submitted), NULL, &status, &error)
        == ASTAT_OK);
    CHECK(is(astat_status_task_type(status), "Activity Create"));
    CHECK(holds(astat_status_json(status), "\"operation\":\"mine\""));
    astat_status_free(status);
    astat_submitted_free(submitted);
    astat_client_free(client);
}

int main(int argc, char **argv)
{
    astat_client *client;

    if (!begins(argc, argv))
        return 2;
    client = new_client();
    a_life();
    a_failed_job(client);
    a_deadline(client);
    submit_options(client);
    operations();
    astat_client_free(client);
    return ends();
}
