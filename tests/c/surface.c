/*
 * Tries every function of the library against a sandbox: surface BASE_URL
 *
 * The keys of the sandbox are in the environment. It prints each check that failed and, at the end, how many
 * passed; it ends with 0 if all did.
 */
#include <activity_status.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MS UINT64_C(1000000)
#define NONE astat_cstr(NULL)
#define ACTIVITY ASTAT_LIT("activity.create")
#define BODY_WITH(note) \
    ASTAT_LIT("{\"RelatedProspectId\":\"b8e49bf4\",\"ActivityEvent\":380,\"ActivityNote\":\"" note "\"}")
#define BODY BODY_WITH("surface")

static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static int passed, failed;

static int check(int ok, const char *what, int line)
{
    pthread_mutex_lock(&counting);
    if (ok)
        passed++;
    else {
        failed++;
        printf("line %d: %s\n", line, what);
    }
    pthread_mutex_unlock(&counting);
    return ok;
}

#define CHECK(condition) check((condition) ? 1 : 0, #condition, __LINE__)

static const char *base_url;
static astat_str api_key, access_key, secret_key;

/* What comes out has its length and a NUL behind it. */
static int is(astat_str text, const char *expected)
{
    return text.ptr && text.len == strlen(expected) && memcmp(text.ptr, expected, text.len + 1) == 0;
}

static int holds(astat_str text, const char *part)
{
    return text.ptr && text.ptr[text.len] == '\0' && strstr(text.ptr, part) != NULL;
}

static int is_absent(astat_str text) { return !text.ptr && text.len == 0; }

/* No key, nor the one that the checks make up, may be in a text. */
static int is_clean(astat_str text)
{
    return !holds(text, api_key.ptr) && !holds(text, access_key.ptr) && !holds(text, secret_key.ptr)
           && !holds(text, "wr0ng-s3cr3t");
}

/* A call failed with this code, said so in its error, and gave nothing else; it ends the error. */
static void failed_with(astat_code expected, astat_code code, const void *out, astat_error *error, int line)
{
    const astat_str word = astat_code_name(expected);
    check(code == expected, "the code is another one", line);
    if (code != expected)
        printf("line %d: %s instead of %s: %s\n", line, astat_code_name(code).ptr, word.ptr,
               error ? astat_error_message(error).ptr : "no error");
    check(out == NULL, "a failed call gave a result", line);
    if (check(error != NULL, "a failed call gave no error", line)) {
        const astat_str texts[] = {astat_error_message(error), astat_error_json(error),
                                   astat_error_exception_type(error), astat_error_exception_message(error)};
        size_t i;
        check(astat_error_code(error) == expected, "the error has another code", line);
        check(is(astat_error_kind(error), word.ptr), "the error has another kind", line);
        check(texts[0].len > 0, "the error has no message", line);
        check(holds(texts[1], astat_error_resend_name(error).ptr), "the advice is not in the JSON", line);
        for (i = 0; i < COUNT(texts); i++)
            check(is_clean(texts[i]), "a key is in a text", line);
    }
    astat_error_free(error);
}

/* The call comes first: C may read its arguments in any order. */
#define FAILS(expected, call, out, error)                         \
    do {                                                          \
        const astat_code code_ = (call);                          \
        failed_with((expected), code_, (out), (error), __LINE__); \
    } while (0)

/* The value of something that no call may leave as it is. */
#define STALE(type) ((type *)(void *)&passed)

static astat_client *client_with(astat_str key, astat_str url, const char *const (*settings)[2], size_t count)
{
    astat_config *config = astat_config_new();
    astat_client *client = NULL;
    astat_error *error = NULL;
    size_t i;
    CHECK(config);
    CHECK(astat_config_set_keys(config, key, access_key, secret_key, &error) == ASTAT_OK);
    CHECK(astat_config_set(config, ASTAT_LIT("base_url"), url, NULL) == ASTAT_OK);
    for (i = 0; i < count; i++)
        CHECK(astat_config_set(config, astat_cstr(settings[i][0]), astat_cstr(settings[i][1]), &error)
              == ASTAT_OK);
    CHECK(astat_client_new(config, &client, &error) == ASTAT_OK);
    CHECK(error == NULL);
    astat_config_free(config);
    return client;
}

static astat_client *new_client(void) { return client_with(api_key, astat_cstr(base_url), NULL, 0); }

static astat_submitted *submit(const astat_client *client, astat_str body)
{
    astat_submitted *submitted = STALE(astat_submitted);
    astat_error *error = STALE(astat_error);
    CHECK(astat_client_submit(client, ACTIVITY, body, NULL, &submitted, &error) == ASTAT_OK);
    if (!CHECK(error == NULL)) {
        printf("    %s\n", astat_error_message(error).ptr);
        astat_error_free(error);
    }
    CHECK(submitted != NULL);
    return submitted;
}

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
    FAILS(ASTAT_E_ARGUMENT, astat_client_status(NULL, ACTIVITY, id, &status, &error), status, error);
    FAILS(ASTAT_E_CONFIG, astat_client_status(client, NONE, id, &status, &error), status, error);
    FAILS(ASTAT_E_CONFIG, astat_client_status(client, ACTIVITY, NONE, &status, &error), status, error);
    FAILS(ASTAT_E_ARGUMENT, astat_client_status(client, ACTIVITY, id, NULL, &error), NULL, error);
    status = STALE(astat_status);
    FAILS(ASTAT_E_ARGUMENT, astat_client_wait(NULL, ACTIVITY, id, NULL, &status, &error), status, error);
    FAILS(ASTAT_E_CONFIG, astat_client_wait(client, NONE, id, NULL, &status, &error), status, error);
    FAILS(ASTAT_E_CONFIG, astat_client_wait(client, ACTIVITY, NONE, NULL, &status, &error), status, error);
    FAILS(ASTAT_E_ARGUMENT, astat_client_wait(client, ACTIVITY, id, NULL, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_client_metrics(NULL, ACTIVITY, &metrics, &error), metrics, error);
    FAILS(ASTAT_E_CONFIG, astat_client_metrics(client, NONE, &metrics, &error), metrics, error);
    FAILS(ASTAT_E_ARGUMENT, astat_client_metrics(client, ACTIVITY, NULL, &error), NULL, error);

    /* Without a place for the error, all of them fail in the same way. */
    CHECK(astat_config_set(NULL, NONE, NONE, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_config_set_keys(NULL, NONE, NONE, NONE, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_config_add_operation(NULL, NONE, NONE, NONE, NONE, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_client_new(NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_client_submit(NULL, NONE, NONE, NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_client_status(NULL, NONE, NONE, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_client_wait(NULL, NONE, NONE, NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_client_metrics(NULL, NONE, NULL, NULL) == ASTAT_E_ARGUMENT);

    astat_config_free(NULL);
    astat_client_free(NULL);
    astat_submitted_free(NULL);
    astat_status_free(NULL);
    astat_metrics_free(NULL);
    astat_error_free(NULL);
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
        FAILS(texts[i].as_id, astat_client_status(client, ACTIVITY, text, &status, &error), status, error);
        FAILS(texts[i].as_id, astat_client_wait(client, ACTIVITY, text, NULL, &status, &error), status,
              error);
        FAILS(texts[i].as_id, astat_client_metrics(client, text, &metrics, &error), metrics, error);
        FAILS(texts[i].as_body, astat_client_submit(client, ACTIVITY, text, NULL, &submitted, &error),
              submitted, error);
    }
}

/* A whole life: submitted, asked about, waited for; and what the queue says. */
static void a_life(void)
{
    astat_client *client = new_client();
    astat_submitted *submitted = submit(client, BODY);
    const astat_str id = astat_submitted_request_id(submitted);
    astat_wait_options often = ASTAT_WAIT_OPTIONS_INIT;
    astat_status *status = STALE(astat_status), *again;
    astat_metrics *metrics = STALE(astat_metrics);
    astat_error *error = STALE(astat_error);

    CHECK(id.len > 0 && strlen(id.ptr) == id.len);
    CHECK(astat_client_status(client, ACTIVITY, id, &status, &error) == ASTAT_OK && !error);
    CHECK(astat_status_outcome(status) == ASTAT_PENDING || astat_status_outcome(status) == ASTAT_SUCCEEDED);
    CHECK(is(astat_status_request_id(status), id.ptr));
    astat_status_free(status);

    often.first_pause_ns = 50 * MS;
    CHECK(astat_client_wait(client, ACTIVITY, id, &often, &status, &error) == ASTAT_OK && !error);
    CHECK(astat_status_outcome(status) == ASTAT_SUCCEEDED);
    CHECK(astat_client_metrics(client, ACTIVITY, &metrics, &error) == ASTAT_OK && !error);

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
    astat_wait_options often = ASTAT_WAIT_OPTIONS_INIT;
    astat_status *status = NULL;
    often.first_pause_ns = 50 * MS;
    CHECK(astat_client_wait(client, ACTIVITY, astat_submitted_request_id(submitted), &often, &status, NULL)
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
    soon.first_pause_ns = soon.longest_pause_ns = 100 * MS;

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
    newer_wait.known.struct_size = offsetof(astat_wait_options, longest_pause_ns);
    newer_wait.known.longest_pause_ns = 0;
    CHECK(astat_client_wait(client, ACTIVITY, id, &newer_wait.known, &status, &error) == ASTAT_OK && !error);
    astat_status_free(status);
    newer_submit.known.struct_size = offsetof(astat_submit_options, path_tail);
    newer_submit.known.path_tail = astat_text(NULL, 1);
    CHECK(astat_client_submit(client, ACTIVITY, BODY, &newer_submit.known, &other, &error) == ASTAT_OK
          && !error);
    astat_submitted_free(other);
    astat_submitted_free(submitted);
}

static void operations(void)
{
    astat_config *config = astat_config_new();
    astat_client *client = NULL;
    astat_submitted *submitted = NULL;
    astat_metrics *metrics = NULL;
    astat_status *status = NULL;
    astat_error *error = NULL;

    CHECK(astat_config_set_keys(config, api_key, access_key, secret_key, NULL) == ASTAT_OK);
    CHECK(astat_config_set(config, ASTAT_LIT("base_url"), astat_cstr(base_url), NULL) == ASTAT_OK);
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

    FAILS(ASTAT_E_CONFIG, astat_client_metrics(client, ASTAT_LIT("activity.crate"), &metrics, &error),
          metrics, error);
    CHECK(astat_client_metrics(client, ASTAT_LIT("nowhere"), &metrics, &error) == ASTAT_E_NOT_FOUND);
    CHECK(is(astat_error_operation(error), "nowhere") && astat_error_http_status(error) == 404);
    FAILS(ASTAT_E_NOT_FOUND, ASTAT_E_NOT_FOUND, metrics, error);
    CHECK(astat_client_metrics(client, ASTAT_LIT("mine"), &metrics, &error) == ASTAT_OK);
    astat_metrics_free(metrics);

    CHECK(astat_client_submit(client, ASTAT_LIT("lead.capture"), BODY, NULL, &submitted, &error) == ASTAT_OK);
    CHECK(
        astat_client_status(client, ASTAT_LIT("mine"), astat_submitted_request_id(submitted), &status, &error)
        == ASTAT_OK);
    CHECK(is(astat_status_task_type(status), "Activity Create"));
    CHECK(holds(astat_status_json(status), "\"operation\":\"mine\""));
    astat_status_free(status);
    astat_submitted_free(submitted);
    astat_client_free(client);
}

static void errors(const astat_client *client)
{
    static const char *const once[][2] = {{"max_attempts", "1"}};
    const astat_str id = ASTAT_LIT("72003d66-aa5d-4533-9e13-73da598dedf4");
    astat_client *other = client_with(ASTAT_LIT("wr0ng-s3cr3t-of-someone"), astat_cstr(base_url), NULL, 0);
    astat_status *status = STALE(astat_status);
    astat_submitted *submitted = STALE(astat_submitted);
    astat_error *error = NULL;

    CHECK(astat_client_status(other, ACTIVITY, id, &status, &error) == ASTAT_E_UNAUTHORIZED);
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

    CHECK(astat_client_status(client, ACTIVITY, id, &status, &error) == ASTAT_E_NOT_FOUND);
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

static void *ask_in_a_thread(void *argument)
{
    astat_client *client = (astat_client *)argument;
    int i;
    for (i = 0; i < 3; i++) {
        astat_submitted *submitted = submit(client, BODY);
        astat_status *status = NULL;
        astat_error *error = NULL;
        CHECK(astat_client_status(client, ACTIVITY, astat_submitted_request_id(submitted), &status, &error)
              == ASTAT_OK);
        CHECK(is(astat_status_request_id(status), astat_submitted_request_id(submitted).ptr));
        astat_status_free(status);
        FAILS(ASTAT_E_NOT_FOUND,
              astat_client_status(client, ACTIVITY, ASTAT_LIT("no-such-job"), &status, &error), status,
              error);
        astat_submitted_free(submitted);
    }
    astat_client_free(client);
    return NULL;
}

/* Each thread is an owner of the client, and the last one to end it does so. */
static void threads(void)
{
    pthread_t running[4];
    astat_client *client = new_client();
    size_t i;
    for (i = 0; i < COUNT(running); i++)
        CHECK(pthread_create(&running[i], NULL, ask_in_a_thread, astat_client_ref(client)) == 0);
    astat_client_free(client);
    for (i = 0; i < COUNT(running); i++)
        CHECK(pthread_join(running[i], NULL) == 0);
}

int main(int argc, char **argv)
{
    astat_client *client;

    api_key = astat_cstr(getenv("ACTIVITY_STATUS_API_KEY"));
    access_key = astat_cstr(getenv("ACTIVITY_STATUS_ACCESS_KEY"));
    secret_key = astat_cstr(getenv("ACTIVITY_STATUS_SECRET_KEY"));
    if (argc != 2 || !api_key.len || !access_key.len || !secret_key.len) {
        fprintf(stderr,
                "usage: surface BASE_URL, with the keys of a sandbox in ACTIVITY_STATUS_API_KEY, _ACCESS_KEY "
                "and _SECRET_KEY\n");
        return 2;
    }
    base_url = argv[1];
    client = new_client();
    the_version();
    the_codes();
    the_settings();
    null_in_each_place(client);
    odd_texts(client);
    a_life();
    a_failed_job(client);
    a_deadline(client);
    submit_options(client);
    other_headers(client);
    operations();
    errors(client);
    threads();
    astat_client_free(client);
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : 0;
}
