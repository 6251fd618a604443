/*
 * Settings, codes, errors, NULLs, odd texts, and the structs of older and newer headers.
 */
#include "checks.h"

#include <math.h>

static void the_version(void)
{
    CHECK(astat_version_number() == ASTAT_VERSION_NUMBER);
    CHECK(is(astat_version_string(), ASTAT_VERSION_STRING));
}

static void the_codes(void)
{
    static const struct {
        astat_code code;
        const char *word;
    } codes[] = {
        {ASTAT_OK, "ok"},
        {ASTAT_E_CONFIG, "config"},
        {ASTAT_E_ARGUMENT, "argument"},
        {ASTAT_E_REENTRANT, "reentrant"},
        {ASTAT_E_TRANSPORT, "transport"},
        {ASTAT_E_TIMED_OUT, "timed_out"},
        {ASTAT_E_MALFORMED, "malformed"},
        {ASTAT_E_IN_DOUBT, "in_doubt"},
        {ASTAT_E_UNAUTHORIZED, "unauthorized"},
        {ASTAT_E_BAD_REQUEST, "bad_request"},
        {ASTAT_E_NOT_FOUND, "not_found"},
        {ASTAT_E_REFUSED, "refused"},
        {ASTAT_E_SERVER, "server"},
        {ASTAT_E_LIMITER, "limiter"},
        {ASTAT_E_LEDGER, "ledger"},
        {ASTAT_E_DEADLINE, "deadline"},
        {ASTAT_E_INTERRUPTED, "interrupted"},
        {ASTAT_E_PANIC, "panic"},
    };
    size_t i;
    for (i = 0; i < COUNT(codes); i++)
        CHECK(is(astat_code_name(codes[i].code), codes[i].word));
    CHECK(is_absent(astat_code_name(-1)));
    CHECK(is_absent(astat_code_name(404)));
}

static void the_settings(void)
{
    astat_config *config = astat_config_new();
    astat_client *client = STALE(astat_client);
    astat_error *error = NULL;
    const size_t count = astat_config_key_count();
    size_t i;

    CHECK(count > 10);
    for (i = 0; i < count; i++) {
        CHECK(astat_config_key(i).len > 0 && strlen(astat_config_key(i).ptr) == astat_config_key(i).len);
        CHECK(astat_config_key_help(i).len > 0);
        CHECK(astat_config_set(config, astat_config_key(i), ASTAT_LIT("x"), NULL) == ASTAT_OK);
    }
    CHECK(is_absent(astat_config_key(count)) && is_absent(astat_config_key((size_t)-1)));
    CHECK(is_absent(astat_config_key_help(count)));

    CHECK(astat_config_set(config, ASTAT_LIT("qouta"), ASTAT_LIT("wr0ng-s3cr3t"), &error) == ASTAT_E_CONFIG);
    CHECK(holds(astat_error_message(error), "qouta") && holds(astat_error_message(error), "quota"));
    CHECK(astat_error_resend(error) == ASTAT_RESEND_POINTLESS);
    CHECK(is(astat_error_resend_name(error), "pointless"));
    CHECK(astat_error_attempts(error) == 0 && astat_error_http_status(error) == 0);
    CHECK(is_absent(astat_error_request_id(error)) && is_absent(astat_error_operation(error)));
    CHECK(is_absent(astat_error_exception_type(error)) && is_absent(astat_error_exception_message(error)));
    CHECK(astat_error_last_status(error) == NULL);
    FAILS(ASTAT_E_CONFIG, ASTAT_E_CONFIG, NULL, error);

    FAILS(ASTAT_E_CONFIG, astat_client_new(config, &client, &error), client, error);
    astat_config_free(config);

    config = astat_config_new();
    FAILS(ASTAT_E_CONFIG, astat_client_new(config, &client, &error), client, error);
    CHECK(astat_config_set(config, ASTAT_LIT("region"), ASTAT_LIT("in"), NULL) == ASTAT_OK);
    CHECK(astat_config_set_keys(config, ASTAT_LIT("wr0ng-s3cr3t\n"), NONE, NONE, NULL) == ASTAT_OK);
    FAILS(ASTAT_E_CONFIG, astat_client_new(config, &client, &error), client, error);
    CHECK(astat_config_set_keys(config, astat_text("a\0b", 3), NONE, NONE, NULL) == ASTAT_OK);
    FAILS(ASTAT_E_CONFIG, astat_client_new(config, &client, &error), client, error);
    CHECK(astat_config_set_keys(config, ASTAT_LIT(""), NONE, NONE, NULL) == ASTAT_OK);
    FAILS(ASTAT_E_CONFIG, astat_client_new(config, &client, &error), client, error);
    CHECK(astat_config_set_keys(config, ASTAT_LIT("key"), ASTAT_LIT("one of two"), NONE, NULL) == ASTAT_OK);
    FAILS(ASTAT_E_CONFIG, astat_client_new(config, &client, &error), client, error);
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_keys(config, ASTAT_LIT("\xff"), NONE, NONE, &error), NULL,
          error);
    FAILS(ASTAT_E_ARGUMENT, astat_config_set(config, ASTAT_LIT("\xff"), NONE, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_config_set(config, ASTAT_LIT("quota"), ASTAT_LIT("\xff"), &error), NULL,
          error);
    astat_config_free(config);
}

static void null_in_each_place(const astat_client *client)
{
    astat_config *config = astat_config_new();
    astat_client *new_client = STALE(astat_client);
    astat_submitted *submitted = STALE(astat_submitted);
    astat_status *status = STALE(astat_status);
    astat_metrics *metrics = STALE(astat_metrics);
    astat_error *error = STALE(astat_error);
    astat_snapshot quota = ASTAT_SNAPSHOT_INIT;
    const astat_limiter_ops ops = ASTAT_LIMITER_OPS_INIT;
    const astat_str id = ASTAT_LIT("1");

    FAILS(ASTAT_E_ARGUMENT, astat_config_set(NULL, ASTAT_LIT("quota"), ASTAT_LIT("1/1s"), &error), NULL,
          error);
    FAILS(ASTAT_E_CONFIG, astat_config_set(config, NONE, ASTAT_LIT("1/1s"), &error), NULL, error);
    CHECK(astat_config_set(config, ASTAT_LIT("quota"), NONE, &error) == ASTAT_OK && !error);
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_keys(NULL, id, id, id, &error), NULL, error);
    CHECK(astat_config_set_keys(config, NONE, NONE, NONE, &error) == ASTAT_OK && !error);
    FAILS(ASTAT_E_ARGUMENT, astat_config_add_operation(NULL, id, ASTAT_LIT("/x"), NONE, NONE, &error), NULL,
          error);
    FAILS(ASTAT_E_CONFIG, astat_config_add_operation(config, NONE, ASTAT_LIT("/x"), NONE, NONE, &error), NULL,
          error);
    FAILS(ASTAT_E_CONFIG, astat_config_add_operation(config, id, NONE, NONE, NONE, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_client_new(NULL, &new_client, &error), new_client, error);
    FAILS(ASTAT_E_ARGUMENT, astat_client_new(config, NULL, &error), NULL, error);

    FAILS(ASTAT_E_ARGUMENT, astat_client_submit(NULL, ACTIVITY, BODY, NULL, &submitted, &error), submitted,
          error);
    FAILS(ASTAT_E_CONFIG, astat_client_submit(client, NONE, BODY, NULL, &submitted, &error), submitted,
          error);
    FAILS(ASTAT_E_CONFIG, astat_client_submit(client, ACTIVITY, NONE, NULL, &submitted, &error), submitted,
          error);
    FAILS(ASTAT_E_ARGUMENT, astat_client_submit(client, ACTIVITY, BODY, NULL, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_client_status(NULL, ACTIVITY, id, NULL, &status, &error), status, error);
    FAILS(ASTAT_E_CONFIG, astat_client_status(client, NONE, id, NULL, &status, &error), status, error);
    FAILS(ASTAT_E_CONFIG, astat_client_status(client, ACTIVITY, NONE, NULL, &status, &error), status, error);
    FAILS(ASTAT_E_ARGUMENT, astat_client_status(client, ACTIVITY, id, NULL, NULL, &error), NULL, error);
    status = STALE(astat_status);
    FAILS(ASTAT_E_ARGUMENT, astat_client_wait(NULL, ACTIVITY, id, NULL, &status, &error), status, error);
    FAILS(ASTAT_E_CONFIG, astat_client_wait(client, NONE, id, NULL, &status, &error), status, error);
    FAILS(ASTAT_E_CONFIG, astat_client_wait(client, ACTIVITY, NONE, NULL, &status, &error), status, error);
    FAILS(ASTAT_E_ARGUMENT, astat_client_wait(client, ACTIVITY, id, NULL, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_client_metrics(NULL, ACTIVITY, NULL, &metrics, &error), metrics, error);
    FAILS(ASTAT_E_CONFIG, astat_client_metrics(client, NONE, NULL, &metrics, &error), metrics, error);
    FAILS(ASTAT_E_ARGUMENT, astat_client_metrics(client, ACTIVITY, NULL, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_client_snapshot(NULL, &quota, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_client_snapshot(client, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_limiter(config, NULL, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_limiter(NULL, &ops, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_conform_limiter(NULL, NULL, ASTAT_NS_NONE, &error), NULL, error);

    /* Without a place for the error, all of them fail in the same way. */
    CHECK(astat_config_set(NULL, NONE, NONE, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_config_set_keys(NULL, NONE, NONE, NONE, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_config_add_operation(NULL, NONE, NONE, NONE, NONE, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_client_new(NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_client_submit(NULL, NONE, NONE, NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_client_status(NULL, NONE, NONE, NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_client_wait(NULL, NONE, NONE, NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_client_metrics(NULL, NONE, NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_client_snapshot(NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_config_set_limiter(NULL, NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_conform_limiter(NULL, NULL, 0, NULL) == ASTAT_E_ARGUMENT);

    astat_config_free(NULL);
    astat_client_free(NULL);
    astat_submitted_free(NULL);
    astat_status_free(NULL);
    astat_metrics_free(NULL);
    astat_error_free(NULL);
    astat_trouble_say(NULL, ASTAT_LIT("nobody listens"));
    CHECK(!astat_client_ref(NULL) && !astat_status_ref(NULL));
    CHECK(is_absent(astat_submitted_request_id(NULL)));
    CHECK(is_absent(astat_status_request_id(NULL)) && astat_status_outcome(NULL) == 0);
    CHECK(is_absent(astat_status_outcome_name(NULL)) && is_absent(astat_status_state(NULL)));
    CHECK(is_absent(astat_status_task_type(NULL)) && is_absent(astat_status_reason(NULL)));
    CHECK(is_absent(astat_status_current_step(NULL)) && is_absent(astat_status_last_step(NULL)));
    CHECK(is_absent(astat_status_request_body(NULL)) && is_absent(astat_status_message(NULL)));
    CHECK(is_absent(astat_status_created_id(NULL)) && is_absent(astat_status_related_id(NULL)));
    CHECK(is_absent(astat_status_raw(NULL)) && is_absent(astat_status_json(NULL)));
    CHECK(astat_metrics_pending(NULL) == ASTAT_NONE && astat_metrics_max_delay_ns(NULL) == ASTAT_NS_NONE);
    CHECK(isnan(astat_metrics_rate_per_minute(NULL)) && is_absent(astat_metrics_raw(NULL)));
    CHECK(astat_error_code(NULL) == ASTAT_OK && is_absent(astat_error_kind(NULL)));
    CHECK(is_absent(astat_error_message(NULL)) && astat_error_http_status(NULL) == 0);
    CHECK(astat_error_resend(NULL) == 0 && is_absent(astat_error_resend_name(NULL)));
    CHECK(astat_error_attempts(NULL) == 0 && is_absent(astat_error_request_id(NULL)));
    CHECK(is_absent(astat_error_operation(NULL)) && is_absent(astat_error_exception_type(NULL)));
    CHECK(is_absent(astat_error_exception_message(NULL)) && !astat_error_last_status(NULL));
    CHECK(is_absent(astat_error_json(NULL)));
    astat_config_free(config);
}

static void odd_texts(const astat_client *client)
{
    static const struct {
        const char *bytes;
        size_t len;
        astat_code as_id, as_body;
    } texts[] = {
        {"", 0, ASTAT_E_CONFIG, ASTAT_E_CONFIG},
        {" ", 1, ASTAT_E_CONFIG, ASTAT_E_CONFIG},
        {"\xff", 1, ASTAT_E_ARGUMENT, ASTAT_E_ARGUMENT},
        {"{\"a\":\"\xc3\"}", 9, ASTAT_E_ARGUMENT, ASTAT_E_ARGUMENT},
        {"{\"a\":\"\0\"}", 9, ASTAT_E_CONFIG, ASTAT_E_CONFIG},
        {"7200\0", 5, ASTAT_E_CONFIG, ASTAT_E_CONFIG},
        {NULL, 1, ASTAT_E_ARGUMENT, ASTAT_E_ARGUMENT},
        {"x", (size_t)-1, ASTAT_E_ARGUMENT, ASTAT_E_ARGUMENT},
    };
    astat_status *status = NULL;
    astat_submitted *submitted = NULL;
    astat_metrics *metrics = NULL;
    astat_error *error = NULL;
    size_t i;
    for (i = 0; i < COUNT(texts); i++) {
        const astat_str text = astat_text(texts[i].bytes, texts[i].len);
        FAILS(texts[i].as_id, astat_client_status(client, ACTIVITY, text, NULL, &status, &error), status, error);
        FAILS(texts[i].as_id, astat_client_wait(client, ACTIVITY, text, NULL, &status, &error), status,
              error);
        FAILS(texts[i].as_id, astat_client_metrics(client, text, NULL, &metrics, &error), metrics, error);
        FAILS(texts[i].as_body, astat_client_submit(client, ACTIVITY, text, NULL, &submitted, &error),
              submitted, error);
    }
}

/* Programs that were compiled with an older or a newer header. */
static void other_headers(const astat_client *client)
{
    static const size_t never_set[] = {0, 1, sizeof(size_t), 100000, (size_t)-1};
    struct {
        astat_wait_options known;
        uint64_t later;
    } newer_wait = {ASTAT_WAIT_OPTIONS_INIT, 0};
    struct {
        astat_submit_options known;
        uint64_t later;
    } newer_submit = {ASTAT_SUBMIT_OPTIONS_INIT, 0};
    astat_submitted *submitted = submit(client, BODY);
    const astat_str id = astat_submitted_request_id(submitted);
    astat_submitted *other = NULL;
    astat_status *status = NULL;
    astat_batch *batch = STALE(astat_batch);
    astat_tracker *tracker = STALE(astat_tracker);
    astat_error *error = NULL;
    size_t i;

    for (i = 0; i < COUNT(never_set); i++) {
        newer_wait.known.struct_size = newer_submit.known.struct_size = never_set[i];
        FAILS(ASTAT_E_ARGUMENT, astat_client_wait(client, ACTIVITY, id, &newer_wait.known, &status, &error),
              status, error);
        FAILS(ASTAT_E_ARGUMENT,
              astat_client_submit(client, ACTIVITY, BODY, &newer_submit.known, &other, &error), other, error);
    }

    newer_wait.known.struct_size = sizeof newer_wait;
    newer_submit.known.struct_size = sizeof newer_submit;
    CHECK(astat_client_wait(client, ACTIVITY, id, &newer_wait.known, &status, &error) == ASTAT_OK && !error);
    astat_status_free(status);
    CHECK(astat_client_submit(client, ACTIVITY, BODY, &newer_submit.known, &other, &error) == ASTAT_OK
          && !error);
    astat_submitted_free(other);

    newer_wait.later = newer_submit.later = 1;
    FAILS(ASTAT_E_ARGUMENT, astat_client_wait(client, ACTIVITY, id, &newer_wait.known, &status, &error),
          status, error);
    FAILS(ASTAT_E_ARGUMENT, astat_client_submit(client, ACTIVITY, BODY, &newer_submit.known, &other, &error),
          other, error);

    /* What lies after an older caller's struct is not read, whatever it is. */
    newer_wait.known.struct_size = offsetof(astat_wait_options, order);
    newer_wait.known.order = newer_wait.known.reserved = 77;
    CHECK(astat_client_wait(client, ACTIVITY, id, &newer_wait.known, &status, &error) == ASTAT_OK && !error);
    astat_status_free(status);
    newer_wait.known.struct_size = sizeof(astat_wait_options);
    for (i = 0; i < 2; i++) {
        newer_wait.known.order = i ? ASTAT_ORDER_UNKNOWN : 0;
        newer_wait.known.reserved = (int32_t)i;
        FAILS(ASTAT_E_ARGUMENT, astat_client_wait(client, ACTIVITY, id, &newer_wait.known, &status, &error),
              status, error);
        FAILS(ASTAT_E_ARGUMENT, astat_batch_new(client, &newer_wait.known, &batch, &error), batch, error);
        FAILS(ASTAT_E_ARGUMENT, astat_tracker_new(client, &newer_wait.known, &tracker, &error), tracker,
              error);
    }
    newer_submit.known.struct_size = offsetof(astat_submit_options, path_tail);
    newer_submit.known.path_tail = astat_text(NULL, 1);
    CHECK(astat_client_submit(client, ACTIVITY, BODY, &newer_submit.known, &other, &error) == ASTAT_OK
          && !error);
    astat_submitted_free(other);
    astat_submitted_free(submitted);
}

static void errors(const astat_client *client)
{
    static const char *const once[][2] = {{"max_attempts", "1"}};
    const astat_str id = ASTAT_LIT("72003d66-aa5d-4533-9e13-73da598dedf4");
    astat_client *other = client_with(ASTAT_LIT("wr0ng-s3cr3t-of-someone"), astat_cstr(base_url), NULL, 0);
    astat_status *status = STALE(astat_status);
    astat_submitted *submitted = STALE(astat_submitted);
    astat_error *error = NULL;

    CHECK(astat_client_status(other, ACTIVITY, id, NULL, &status, &error) == ASTAT_E_UNAUTHORIZED);
    /* An error outlives its client. */
    astat_client_free(other);
    CHECK(astat_error_http_status(error) == 401);
    CHECK(astat_error_resend(error) == ASTAT_RESEND_POINTLESS && astat_error_attempts(error) == 1);
    CHECK(is(astat_error_request_id(error), id.ptr) && is(astat_error_operation(error), "activity.create"));
    CHECK(holds(astat_error_exception_type(error), "MX"));
    CHECK(astat_error_exception_message(error).len > 0);
    CHECK(holds(astat_error_json(error), "\"kind\":\"unauthorized\"")
          && holds(astat_error_json(error), "401"));
    CHECK(astat_error_last_status(error) == NULL);
    FAILS(ASTAT_E_UNAUTHORIZED, ASTAT_E_UNAUTHORIZED, status, error);

    CHECK(astat_client_status(client, ACTIVITY, id, NULL, &status, &error) == ASTAT_E_NOT_FOUND);
    CHECK(astat_error_http_status(error) == 404 && is(astat_error_request_id(error), id.ptr));
    FAILS(ASTAT_E_NOT_FOUND, ASTAT_E_NOT_FOUND, status, error);

    /* Nobody listens on port 1: it was surely not sent. */
    other = client_with(api_key, ASTAT_LIT("http://127.0.0.1:1"), once, COUNT(once));
    CHECK(astat_client_submit(other, ACTIVITY, BODY, NULL, &submitted, &error) == ASTAT_E_TRANSPORT);
    CHECK(astat_error_resend(error) == ASTAT_RESEND_SAFE && astat_error_http_status(error) == 0);
    CHECK(is_absent(astat_error_request_id(error)) && is(astat_error_operation(error), "activity.create"));
    FAILS(ASTAT_E_TRANSPORT, ASTAT_E_TRANSPORT, submitted, error);
    astat_client_free(other);
}

int main(int argc, char **argv)
{
    astat_client *client;

    if (!begins(argc, argv))
        return 2;
    client = new_client();
    the_version();
    the_codes();
    the_settings();
    null_in_each_place(client);
    odd_texts(client);
    other_headers(client);
    errors(client);
    astat_client_free(client);
    return ends();
}
