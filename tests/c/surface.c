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
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

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
    CHECK(astat_client_status(NULL, NONE, NONE, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_client_wait(NULL, NONE, NONE, NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_client_metrics(NULL, NONE, NULL, NULL) == ASTAT_E_ARGUMENT);
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
    astat_status *status = STALE(astat_status), *again;
    astat_metrics *metrics = STALE(astat_metrics);
    astat_error *error = STALE(astat_error);

    CHECK(id.len > 0 && strlen(id.ptr) == id.len);
    CHECK(astat_client_status(client, ACTIVITY, id, &status, &error) == ASTAT_OK && !error);
    CHECK(astat_status_outcome(status) == ASTAT_PENDING || astat_status_outcome(status) == ASTAT_SUCCEEDED);
    CHECK(is(astat_status_request_id(status), id.ptr));
    astat_status_free(status);

    CHECK(astat_client_wait(client, ACTIVITY, id, NULL, &status, &error) == ASTAT_OK && !error);
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

/* A limiter that lets all through and counts, or misbehaves as it is told. */
struct plug {
    int acquired, left, settled, looked, destroyed;
    int32_t last_class, last_how;
    uint64_t last_retry_after, last_time;
    int32_t answer; /* of try_acquire */
    int32_t answer_of_others;
    uint64_t wait;
    const char *trouble;
    const astat_client *reenters; /* calls this one in each of its functions */
    astat_batch *batch;           /* and these with it */
    astat_tracker *tracker;
    astat_look *look; /* once */
    int reentered;
};

#define PLUG {0, 0, 0, 0, 0, 0, 0, 0, 0, ASTAT_GRANTED, ASTAT_OK, 0, NULL, NULL, NULL, NULL, NULL, 0}
#define PERMIT UINT64_C(0xfedcba9876543210)

static pthread_mutex_t plugging = PTHREAD_MUTEX_INITIALIZER;

/* Nor those that drive a batch or a tracker, whosever it is. */
static void reenter_waits(struct plug *plug)
{
    astat_batch *new_batch = STALE(astat_batch), *batch = plug->batch;
    astat_tracker *new_tracker = STALE(astat_tracker), *tracker = plug->tracker;
    astat_look *look = plug->look, *new_look = STALE(astat_look);
    astat_ended *ended = STALE(astat_ended);
    astat_jobs *jobs = STALE(astat_jobs);
    astat_progress progress = ASTAT_PROGRESS_INIT;
    astat_error *error = NULL;
    uint64_t one = 0, two = 0;
    int32_t what = 7;

    FAILS(ASTAT_E_REENTRANT, astat_batch_new(plug->reenters, NULL, &new_batch, &error), new_batch, error);
    FAILS(ASTAT_E_REENTRANT, astat_tracker_new(plug->reenters, NULL, &new_tracker, &error), new_tracker,
          error);
    if (batch) {
        FAILS(ASTAT_E_REENTRANT, astat_batch_next(batch, 0, &what, &ended, &error), ended, error);
        CHECK(what == 0);
        FAILS(ASTAT_E_REENTRANT, astat_batch_add(batch, ACTIVITY, ASTAT_LIT("1"), 0, NULL, &error), NULL,
              error);
        FAILS(ASTAT_E_REENTRANT, astat_batch_progress(batch, &progress, &error), NULL, error);
        FAILS(ASTAT_E_REENTRANT, astat_batch_open(batch, &jobs, &error), jobs, error);
        FAILS(ASTAT_E_REENTRANT, astat_batch_overdue(batch, &jobs, &error), jobs, error);
        FAILS(ASTAT_E_REENTRANT, astat_batch_eta(batch, ACTIVITY, ASTAT_LIT("1"), &one, &two, &error), NULL,
              error);
    }
    if (tracker) {
        FAILS(ASTAT_E_REENTRANT, astat_tracker_step(tracker, &what, &one, &new_look, &ended, &error), ended,
              error);
        FAILS(ASTAT_E_REENTRANT, astat_tracker_add(tracker, ACTIVITY, ASTAT_LIT("1"), 0, NULL, &error), NULL,
              error);
    }
    if (look) {
        plug->look = NULL;
        FAILS(ASTAT_E_REENTRANT, astat_look_head_arrived(look, 200, NULL, 0, &error), NULL, error);
        FAILS(ASTAT_E_REENTRANT, astat_look_send(look, &error), NULL, error);
    }
}

/* None of the functions that block may be called. */
static void reenter(struct plug *plug)
{
    astat_submitted *submitted = STALE(astat_submitted);
    astat_status *status = STALE(astat_status);
    astat_metrics *metrics = STALE(astat_metrics);
    astat_snapshot quota = ASTAT_SNAPSHOT_INIT;
    astat_error *error = NULL;
    if (!plug->reenters)
        return;
    FAILS(ASTAT_E_REENTRANT, astat_client_submit(plug->reenters, ACTIVITY, BODY, NULL, &submitted, &error),
          submitted, error);
    FAILS(ASTAT_E_REENTRANT, astat_client_status(plug->reenters, ACTIVITY, ASTAT_LIT("1"), &status, &error),
          status, error);
    status = STALE(astat_status);
    FAILS(ASTAT_E_REENTRANT,
          astat_client_wait(plug->reenters, ACTIVITY, ASTAT_LIT("1"), NULL, &status, &error), status, error);
    FAILS(ASTAT_E_REENTRANT, astat_client_metrics(plug->reenters, ACTIVITY, &metrics, &error), metrics,
          error);
    FAILS(ASTAT_E_REENTRANT, astat_client_snapshot(plug->reenters, &quota, &error), NULL, error);
    reenter_waits(plug);
    plug->reentered++;
}

static int32_t plug_try_acquire(void *context, int32_t call_class, uint64_t now, uint64_t *permit,
                                uint64_t *wait, astat_trouble *trouble)
{
    struct plug *plug = (struct plug *)context;
    reenter(plug);
    pthread_mutex_lock(&plugging);
    plug->acquired++;
    plug->last_class = call_class;
    plug->last_time = now;
    pthread_mutex_unlock(&plugging);
    *permit = PERMIT;
    *wait = plug->wait;
    if (plug->trouble) {
        astat_trouble_say(trouble, ASTAT_LIT("a first thought"));
        astat_trouble_say(trouble, astat_cstr(plug->trouble));
    }
    return plug->answer;
}

static void plug_leave(void *context)
{
    struct plug *plug = (struct plug *)context;
    reenter(plug);
    plug->left++;
}

static int32_t plug_settle(void *context, uint64_t permit, int32_t how, uint64_t retry_after, uint64_t now,
                           astat_trouble *trouble)
{
    struct plug *plug = (struct plug *)context;
    reenter(plug);
    CHECK(permit == PERMIT);
    pthread_mutex_lock(&plugging);
    plug->settled++;
    plug->last_time = now;
    plug->last_how = how;
    plug->last_retry_after = retry_after;
    pthread_mutex_unlock(&plugging);
    astat_trouble_say(trouble, astat_cstr(plug->trouble));
    return plug->answer_of_others;
}

static int32_t plug_snapshot(void *context, uint64_t now, astat_snapshot *out, astat_trouble *trouble)
{
    struct plug *plug = (struct plug *)context;
    reenter(plug);
    plug->looked++;
    plug->last_time = now;
    CHECK(out->struct_size == sizeof *out && out->used == 0 && out->waiting == 0);
    CHECK(out->next_free_in_ns == 0);
    out->used = 3;
    out->free = ASTAT_NONE; /* more than the library counts to */
    out->refused = 5;
    astat_trouble_say(trouble, astat_cstr(plug->trouble));
    return plug->answer_of_others;
}

static void plug_destroy(void *context)
{
    struct plug *plug = (struct plug *)context;
    reenter(plug);
    pthread_mutex_lock(&plugging);
    plug->destroyed++;
    pthread_mutex_unlock(&plugging);
}

static const astat_limiter_ops PLUG_OPS = {sizeof PLUG_OPS, plug_destroy, plug_try_acquire,
                                           plug_leave,      plug_settle,  plug_snapshot};

static astat_config *new_config(void)
{
    astat_config *config = astat_config_new();
    CHECK(astat_config_set_keys(config, api_key, access_key, secret_key, NULL) == ASTAT_OK);
    CHECK(astat_config_set(config, ASTAT_LIT("base_url"), astat_cstr(base_url), NULL) == ASTAT_OK);
    return config;
}

static astat_client *plugged_client(struct plug *plug, const char *call_deadline)
{
    astat_config *config = new_config();
    astat_client *client = NULL;
    astat_error *error = STALE(astat_error);
    CHECK(astat_config_set(config, ASTAT_LIT("call_deadline"), astat_cstr(call_deadline), NULL) == ASTAT_OK);
    CHECK(astat_config_set_limiter(config, &PLUG_OPS, plug, &error) == ASTAT_OK && !error);
    CHECK(astat_client_new(config, &client, &error) == ASTAT_OK && !error);
    astat_config_free(config);
    CHECK(plug->destroyed == 0);
    return client;
}

static void own_limiter(void)
{
    struct plug plug = PLUG;
    astat_client *client = plugged_client(&plug, NULL);
    astat_submitted *submitted = submit(client, BODY);
    astat_status *status = NULL;
    astat_metrics *metrics = NULL;
    astat_snapshot quota = ASTAT_SNAPSHOT_INIT;
    astat_error *error = NULL;
    uint64_t settled_at;

    CHECK(plug.acquired == 1 && plug.last_class == ASTAT_CLASS_SUBMIT);
    settled_at = plug.last_time;
    CHECK(settled_at > 0);
    CHECK(plug.settled == 1 && plug.last_how == ASTAT_SETTLED_ANSWERED);
    CHECK(plug.last_retry_after == ASTAT_NS_NONE);
    CHECK(astat_client_status(client, ACTIVITY, astat_submitted_request_id(submitted), &status, &error)
          == ASTAT_OK);
    CHECK(plug.acquired == 2 && plug.last_class == ASTAT_CLASS_POLL && plug.settled == 2);
    CHECK(astat_client_metrics(client, ACTIVITY, &metrics, &error) == ASTAT_OK);
    CHECK(plug.acquired == 3 && plug.last_class == ASTAT_CLASS_OTHER && plug.settled == 3);
    CHECK(astat_client_snapshot(client, &quota, &error) == ASTAT_OK && !error && plug.looked == 1);
    CHECK(quota.used == 3 && quota.free == UINT32_MAX && quota.refused == 5 && quota.waiting == 0);
    CHECK(quota.next_free_in_ns == 0 && quota.struct_size == sizeof quota);
    CHECK(plug.left == 0 && plug.last_time > settled_at);
    astat_metrics_free(metrics);
    astat_status_free(status);
    astat_submitted_free(submitted);
    CHECK(plug.destroyed == 0);
    astat_client_free(client);
    CHECK(plug.destroyed == 1);
}

/* A limiter ends once, whatever happens to it. */
static void a_limiter_ends_once(void)
{
    static const size_t unreadable[] = {0, 1, sizeof(size_t), offsetof(astat_limiter_ops, try_acquire) - 1,
                                        100000, (size_t)-1};
    struct plug plug = PLUG, other = PLUG;
    astat_limiter_ops ops = PLUG_OPS;
    struct {
        astat_limiter_ops known;
        uint64_t later;
    } newer = {ASTAT_LIMITER_OPS_INIT, 0};
    astat_config *config = new_config();
    astat_client *one = NULL, *two = NULL, *client = STALE(astat_client);
    astat_error *error = NULL;
    size_t i;

    FAILS(ASTAT_E_ARGUMENT, astat_config_set_limiter(NULL, &ops, &plug, &error), NULL, error);
    CHECK(plug.destroyed == 1);
    ops.try_acquire = NULL;
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_limiter(config, &ops, &plug, &error), NULL, error);
    CHECK(plug.destroyed == 2);
    ops = PLUG_OPS;
    ops.settle = NULL;
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_limiter(config, &ops, &plug, &error), NULL, error);
    CHECK(plug.destroyed == 3);
    ops = PLUG_OPS;
    ops.struct_size = offsetof(astat_limiter_ops, try_acquire); /* as far as destroy */
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_limiter(config, &ops, &plug, &error), NULL, error);
    CHECK(plug.destroyed == 4);
    newer.known = PLUG_OPS;
    newer.known.struct_size = sizeof newer;
    newer.later = 1;
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_limiter(config, &newer.known, &plug, &error), NULL, error);
    CHECK(plug.destroyed == 5);

    /* What has no destroy to be read ends nothing. */
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_limiter(config, NULL, &plug, &error), NULL, error);
    for (i = 0; i < COUNT(unreadable); i++) {
        ops.struct_size = unreadable[i];
        FAILS(ASTAT_E_ARGUMENT, astat_config_set_limiter(config, &ops, &plug, &error), NULL, error);
    }
    CHECK(plug.destroyed == 5);

    /* Replaced before it was used. */
    CHECK(astat_config_set_limiter(config, &PLUG_OPS, &plug, NULL) == ASTAT_OK && plug.destroyed == 5);
    newer.later = 0;
    CHECK(astat_config_set_limiter(config, &newer.known, &other, NULL) == ASTAT_OK && plug.destroyed == 6);

    /* Two clients share it, and a third has another. */
    CHECK(astat_client_new(config, &one, &error) == ASTAT_OK);
    CHECK(astat_client_new(config, &two, &error) == ASTAT_OK);
    CHECK(astat_config_set_limiter(config, &PLUG_OPS, &plug, NULL) == ASTAT_OK && other.destroyed == 0);
    astat_client_free(one);
    CHECK(other.destroyed == 0);
    astat_client_free(two);
    CHECK(other.destroyed == 1 && plug.destroyed == 6);

    /* No client comes of it. */
    CHECK(astat_config_set(config, ASTAT_LIT("limiter"), ASTAT_LIT("process"), NULL) == ASTAT_OK);
    FAILS(ASTAT_E_CONFIG, astat_client_new(config, &client, &error), client, error);
    CHECK(plug.destroyed == 6);
    astat_config_free(config);
    CHECK(plug.destroyed == 7);
    config = astat_config_new();
    CHECK(astat_config_set_limiter(config, &PLUG_OPS, &plug, NULL) == ASTAT_OK);
    FAILS(ASTAT_E_CONFIG, astat_client_new(config, &client, &error), client, error);
    CHECK(plug.destroyed == 7);
    astat_config_free(config);
    CHECK(plug.destroyed == 8);
}

/* Only try_acquire and settle are needed, and what an older caller's struct does not have is not called. */
static void a_limiter_of_few_functions(void)
{
    struct plug plug = PLUG;
    astat_limiter_ops ops = PLUG_OPS;
    astat_config *config = new_config();
    astat_client *client = NULL;
    astat_status *status = NULL;
    astat_snapshot quota = ASTAT_SNAPSHOT_INIT;
    astat_error *error = NULL;

    ops.struct_size = offsetof(astat_limiter_ops, snapshot);
    ops.destroy = NULL;
    ops.leave = NULL;
    plug.answer = -1;
    CHECK(astat_config_set_limiter(config, &ops, &plug, NULL) == ASTAT_OK);
    memset(&ops, 0xff, sizeof ops); /* they were copied */
    CHECK(astat_client_new(config, &client, &error) == ASTAT_OK);
    FAILS(ASTAT_E_LIMITER, astat_client_status(client, ACTIVITY, ASTAT_LIT("1"), &status, &error), status,
          error);
    quota.used = 7;
    CHECK(astat_client_snapshot(client, &quota, &error) == ASTAT_OK && !error && plug.looked == 0);
    CHECK(quota.used == ASTAT_NONE && quota.free == ASTAT_NONE && quota.waiting == ASTAT_NONE);
    CHECK(quota.refused == ASTAT_NONE && quota.next_free_in_ns == ASTAT_NS_NONE);
    astat_client_free(client);
    astat_config_free(config);
    CHECK(plug.left == 0 && plug.destroyed == 0);
}

/* What a limiter says reaches the caller, without keys. */
static void a_limiter_in_trouble(void)
{
    struct plug plug = PLUG;
    astat_client *client = plugged_client(&plug, NULL);
    astat_submitted *submitted = submit(client, BODY);
    const astat_str id = astat_submitted_request_id(submitted);
    astat_status *status = STALE(astat_status);
    astat_snapshot quota = ASTAT_SNAPSHOT_INIT;
    astat_error *error = NULL;
    char text[200];

    sprintf(text, "the store at %s is gone", api_key.ptr);
    plug.trouble = text;
    plug.answer = 77;
    CHECK(astat_client_status(client, ACTIVITY, id, &status, &error) == ASTAT_E_LIMITER);
    CHECK(holds(astat_error_message(error), "the store at "));
    CHECK(holds(astat_error_message(error), " is gone"));
    CHECK(!holds(astat_error_message(error), "a first thought"));
    CHECK(astat_error_resend(error) == ASTAT_RESEND_SAFE && astat_error_attempts(error) == 0);
    CHECK(plug.left == 0 && plug.settled == 1); /* one that cannot tell cannot hear either */
    FAILS(ASTAT_E_LIMITER, ASTAT_E_LIMITER, status, error);

    plug.trouble = NULL;
    CHECK(astat_client_status(client, ACTIVITY, id, &status, &error) == ASTAT_E_LIMITER);
    CHECK(holds(astat_error_message(error), "try_acquire") && holds(astat_error_message(error), "77"));
    FAILS(ASTAT_E_LIMITER, ASTAT_E_LIMITER, status, error);
    plug.trouble = "\xff";
    plug.answer = ASTAT_OK; /* a forgotten answer is no leave */
    CHECK(astat_client_status(client, ACTIVITY, id, &status, &error) == ASTAT_E_LIMITER);
    CHECK(holds(astat_error_message(error), "UTF-8"));
    FAILS(ASTAT_E_LIMITER, ASTAT_E_LIMITER, status, error);

    plug.trouble = text;
    plug.answer_of_others = 78;
    CHECK(astat_client_snapshot(client, &quota, &error) == ASTAT_E_LIMITER);
    CHECK(holds(astat_error_message(error), " is gone") && quota.used == ASTAT_NONE);
    FAILS(ASTAT_E_LIMITER, ASTAT_E_LIMITER, NULL, error);

    /* The call was made, so it counts, though its settlement was not recorded. */
    plug.answer = ASTAT_GRANTED;
    CHECK(astat_client_status(client, ACTIVITY, id, &status, &error) == ASTAT_OK && !error);
    CHECK(plug.settled == 2);
    astat_status_free(status);
    astat_submitted_free(submitted);
    astat_client_free(client);
    CHECK(plug.destroyed == 1);
}

/* A wait of nothing or of ages ends with the call's deadline. */
static void a_limiter_without_sense(void)
{
    static const uint64_t waits[] = {0, 1, 10 * MS, UINT64_MAX};
    size_t i;
    for (i = 0; i < COUNT(waits); i++) {
        struct plug plug = PLUG;
        astat_client *client = plugged_client(&plug, "50ms");
        astat_status *status = STALE(astat_status);
        astat_error *error = NULL;
        plug.answer = ASTAT_RETRY_AFTER;
        plug.wait = waits[i];
        FAILS(ASTAT_E_DEADLINE, astat_client_status(client, ACTIVITY, ASTAT_LIT("1"), &status, &error),
              status, error);
        CHECK(plug.acquired >= 1 && plug.acquired <= 51 && plug.left == 1 && plug.settled == 0);
        astat_client_free(client);
    }
}

static void reentrance(void)
{
    struct plug plug = PLUG;
    astat_client *client = plugged_client(&plug, NULL), *other = new_client();
    astat_submitted *submitted = submit(client, BODY);
    const astat_str id = astat_submitted_request_id(submitted);
    astat_status *status = NULL;
    astat_snapshot quota = ASTAT_SNAPSHOT_INIT;
    astat_error *error = NULL;

    plug.reenters = client;
    CHECK(astat_client_status(client, ACTIVITY, id, &status, &error) == ASTAT_OK);
    astat_status_free(status);
    CHECK(plug.reentered == 2); /* try_acquire and settle */
    CHECK(astat_client_snapshot(client, &quota, &error) == ASTAT_OK && plug.reentered == 3);
    plug.answer = -1;
    FAILS(ASTAT_E_LIMITER, astat_client_status(client, ACTIVITY, id, &status, &error), status, error);
    CHECK(plug.reentered == 4); /* try_acquire alone */
    plug.answer = ASTAT_RETRY_AFTER;
    plug.wait = UINT64_C(3600000000000);
    FAILS(ASTAT_E_DEADLINE, astat_client_status(client, ACTIVITY, id, &status, &error), status, error);
    CHECK(plug.reentered == 6); /* try_acquire and leave */

    /* Another client is no way round, and afterwards all is as before. */
    plug.reenters = other;
    astat_client_free(client);
    CHECK(plug.reentered == 7 && plug.destroyed == 1);
    CHECK(astat_client_status(other, ACTIVITY, id, &status, &error) == ASTAT_OK);
    astat_status_free(status);
    astat_submitted_free(submitted);
    astat_client_free(other);
}

/* How the built-in limiter stands, for callers with an older or a newer header too. */
static void the_quota(void)
{
    static const char *const ten[][2] = {{"quota", "10/1m"}, {"strict", "true"}, {"submit_share", "20"}};
    static const size_t never_set[] = {0, 1, sizeof(size_t), 100000, (size_t)-1};
    astat_client *client = client_with(api_key, astat_cstr(base_url), ten, COUNT(ten));
    astat_submitted *submitted = submit(client, BODY);
    struct {
        astat_snapshot known;
        uint64_t later;
    } newer = {ASTAT_SNAPSHOT_INIT, 7};
    astat_snapshot *quota = &newer.known;
    astat_error *error = NULL;
    size_t i;

    CHECK(astat_client_snapshot(client, quota, &error) == ASTAT_OK && !error);
    CHECK(quota->used == 1 && quota->free == 9 && quota->next_free_in_ns == 0);
    CHECK(quota->waiting == 0 && quota->refused == 0);

    for (i = 0; i < COUNT(never_set); i++) {
        quota->struct_size = never_set[i];
        quota->used = 77;
        FAILS(ASTAT_E_ARGUMENT, astat_client_snapshot(client, quota, &error), NULL, error);
        CHECK(quota->used == 77);
    }
    quota->struct_size = sizeof newer;
    CHECK(astat_client_snapshot(client, quota, NULL) == ASTAT_OK);
    CHECK(quota->used == 1 && quota->struct_size == sizeof newer && newer.later == 7);
    quota->struct_size = offsetof(astat_snapshot, free);
    quota->used = quota->free = 77;
    CHECK(astat_client_snapshot(client, quota, NULL) == ASTAT_OK);
    CHECK(quota->used == 1 && quota->free == 77);
    astat_submitted_free(submitted);
    astat_client_free(client);
}

/* Two clients on one file share the quota; other settings of a limiter are checked. */
static void shared_quota(void)
{
    static const struct {
        const char *key, *value;
        astat_code code;
    } wrong[] = {
        {"limiter", "carrier-pigeon", ASTAT_E_CONFIG},
        {"limiter", "file:/no/such/folder/quota", ASTAT_E_CONFIG},
        {"limiter_away", "x", ASTAT_E_CONFIG},
        {"strict", "x", ASTAT_E_CONFIG},
        {"submit_share", "0", ASTAT_E_CONFIG},
    };
    char path[] = "/tmp/astat-surface-XXXXXX", place[64];
    const char *const settings[][2] = {{"quota", "10/1m"}, {"limiter", place}};
    astat_client *one, *two, *client;
    astat_snapshot quota = ASTAT_SNAPSHOT_INIT;
    astat_submitted *submitted;
    astat_error *error = NULL;
    size_t i;

    CHECK(mkdtemp(path) != NULL);
    sprintf(place, "file:%s/quota", path);
    one = client_with(api_key, astat_cstr(base_url), settings, COUNT(settings));
    two = client_with(api_key, astat_cstr(base_url), settings, COUNT(settings));
    submitted = submit(one, BODY);
    CHECK(astat_client_snapshot(two, &quota, &error) == ASTAT_OK && !error);
    CHECK(quota.used == 1 && quota.free == 9);
    astat_submitted_free(submitted);
    astat_client_free(one);
    submitted = submit(two, BODY);
    CHECK(astat_client_snapshot(two, &quota, &error) == ASTAT_OK);
    CHECK(quota.used == 2 && quota.free == 8);
    astat_submitted_free(submitted);
    astat_client_free(two);
    CHECK(unlink(place + strlen("file:")) == 0);
    CHECK(rmdir(path) == 0);

    for (i = 0; i < COUNT(wrong); i++) {
        astat_config *config = new_config();
        client = STALE(astat_client);
        CHECK(astat_config_set(config, astat_cstr(wrong[i].key), astat_cstr(wrong[i].value), NULL)
              == ASTAT_OK);
        FAILS(wrong[i].code, astat_client_new(config, &client, &error), client, error);
        astat_config_free(config);
    }
}

struct opened {
    struct plug plug;
    int count;
    const astat_limiter_ops *ops;
};

static const astat_limiter_ops *open_plug(void *user, uint32_t number, uint32_t calls, uint64_t window,
                                          void **context)
{
    struct opened *opened = (struct opened *)user;
    CHECK(number > 0 && calls > 0 && window == 5000 * MS);
    opened->count++;
    *context = &opened->plug;
    return opened->ops;
}

/* What does not keep a quota does not pass, and is told why. The examples have limiters that pass. */
static void conformance(void)
{
    astat_limiter_ops half = PLUG_OPS;
    struct opened opened = {PLUG, 0, &PLUG_OPS};
    astat_error *error = NULL;

    CHECK(astat_conform_limiter(open_plug, &opened, ASTAT_NS_NONE, &error) == ASTAT_E_LIMITER);
    CHECK(holds(astat_error_message(error), "a slot ends with its call: "));
    CHECK(holds(astat_error_message(error), "another got leave"));
    FAILS(ASTAT_E_LIMITER, ASTAT_E_LIMITER, NULL, error);
    CHECK(opened.count > 0 && opened.plug.destroyed == opened.count);

    opened.plug.answer = 77;
    opened.plug.trouble = "out of order";
    CHECK(astat_conform_limiter(open_plug, &opened, 0, &error) == ASTAT_E_LIMITER);
    CHECK(holds(astat_error_message(error), "out of order"));
    FAILS(ASTAT_E_LIMITER, ASTAT_E_LIMITER, NULL, error);
    opened.plug.answer = ASTAT_RETRY_AFTER;
    FAILS(ASTAT_E_LIMITER, astat_conform_limiter(open_plug, &opened, UINT64_MAX - 1, &error), NULL, error);
    CHECK(opened.plug.destroyed == opened.count);

    half.settle = NULL;
    opened.ops = &half;
    CHECK(astat_conform_limiter(open_plug, &opened, 0, &error) == ASTAT_E_LIMITER);
    CHECK(holds(astat_error_message(error), "settle is NULL"));
    FAILS(ASTAT_E_LIMITER, ASTAT_E_LIMITER, NULL, error);
    CHECK(opened.plug.destroyed == opened.count);
    opened.ops = NULL;
    CHECK(astat_conform_limiter(open_plug, &opened, 0, &error) == ASTAT_E_LIMITER);
    CHECK(holds(astat_error_message(error), "could not be opened"));
    FAILS(ASTAT_E_LIMITER, ASTAT_E_LIMITER, NULL, error);
}

static void nap(uint64_t ns)
{
    struct timespec time;
    time.tv_sec = (time_t)(ns / (1000 * MS));
    time.tv_nsec = (long)(ns % (1000 * MS));
    nanosleep(&time, NULL);
}

static uint64_t unix_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

/* A client whose quota holds nothing up. */
static astat_client *quick_client(void)
{
    static const char *const wide[][2] = {{"quota", "50/1s"}};
    return client_with(api_key, astat_cstr(base_url), wide, COUNT(wide));
}

static astat_batch *new_batch(const astat_client *client, const astat_wait_options *options)
{
    astat_batch *batch = STALE(astat_batch);
    astat_error *error = STALE(astat_error);
    CHECK(astat_batch_new(client, options, &batch, &error) == ASTAT_OK && !error);
    return batch;
}

static int add(astat_batch *batch, astat_str id)
{
    astat_error *error = STALE(astat_error);
    int32_t added = 7;
    CHECK(astat_batch_add(batch, ACTIVITY, id, ASTAT_NS_NONE, &added, &error) == ASTAT_OK && !error);
    return added;
}

static astat_progress progress_of(astat_batch *batch)
{
    astat_progress progress = ASTAT_PROGRESS_INIT;
    CHECK(astat_batch_progress(batch, &progress, NULL) == ASTAT_OK);
    CHECK(progress.total == progress.settled + progress.errors + progress.open);
    return progress;
}

/* What next says, and the job if one has ended. */
static int32_t next(astat_batch *batch, uint64_t timeout_ns, astat_ended **ended)
{
    astat_error *error = STALE(astat_error);
    int32_t what = 0;
    *ended = STALE(astat_ended);
    CHECK(astat_batch_next(batch, timeout_ns, &what, ended, &error) == ASTAT_OK && !error);
    CHECK((what == ASTAT_NEXT_ENDED) == (*ended != NULL));
    return what;
}

static int is_open(astat_batch *batch, astat_str id)
{
    astat_jobs *jobs = STALE(astat_jobs);
    size_t i;
    int found = 0;
    CHECK(astat_batch_open(batch, &jobs, NULL) == ASTAT_OK);
    for (i = 0; i < astat_jobs_count(jobs); i++)
        found |= is(astat_jobs_request_id(jobs, i), id.ptr);
    CHECK(is_absent(astat_jobs_request_id(jobs, i)) && is_absent(astat_jobs_operation(jobs, i)));
    astat_jobs_free(jobs);
    return found;
}

/* Several jobs with each kind of end, each given once. */
static void a_batch(void)
{
    enum { NORMAL = 4, FAILING = NORMAL, UNKNOWN, ALL };
    astat_client *client = quick_client();
    astat_batch *batch = new_batch(client, NULL);
    astat_submitted *submitted[UNKNOWN];
    astat_str ids[ALL];
    astat_jobs *jobs = STALE(astat_jobs);
    astat_ended *ended = NULL, *kept = NULL;
    astat_progress progress;
    uint64_t remaining = 0, uncertainty = 0;
    int count[ALL] = {0}, others = 0, turns;
    size_t i;

    CHECK(next(batch, ASTAT_NS_NONE, &ended) == ASTAT_NEXT_DONE);
    for (i = 0; i < UNKNOWN; i++) {
        submitted[i] = submit(client, i < NORMAL ? BODY : BODY_WITH("sandbox:fail"));
        ids[i] = astat_submitted_request_id(submitted[i]);
    }
    ids[UNKNOWN] = ASTAT_LIT("no-such-job");
    CHECK(astat_batch_add(batch, ACTIVITY, ids[0], unix_now(), NULL, NULL) == ASTAT_OK);
    for (i = 1; i < ALL; i++)
        CHECK(add(batch, ids[i]) == 1);
    CHECK(add(batch, ids[2]) == 0 && add(batch, ids[UNKNOWN]) == 0);
    astat_client_free(client); /* the batch has what it needs */

    progress = progress_of(batch);
    CHECK(progress.total == ALL && progress.open == ALL && progress.failed == 0 && progress.rate == 0.0);
    CHECK(astat_batch_open(batch, &jobs, NULL) == ASTAT_OK && astat_jobs_count(jobs) == ALL);
    for (i = 0; i < ALL; i++) {
        CHECK(is(astat_jobs_request_id(jobs, i), ids[i].ptr));
        CHECK(is(astat_jobs_operation(jobs, i), "activity.create"));
    }
    astat_jobs_free(jobs);

    for (turns = 0; turns < 50 && next(batch, ASTAT_NS_NONE, &ended) == ASTAT_NEXT_ENDED; turns++) {
        const astat_str id = astat_ended_request_id(ended);
        const astat_status *status = astat_ended_status(ended);
        const astat_error *error = astat_ended_error(ended);
        for (i = 0; i < ALL && !is(id, ids[i].ptr); i++)
            ;
        if (i < ALL)
            count[i]++;
        else
            others++;
        CHECK(is(astat_ended_operation(ended), "activity.create") && !status == !!error);
        CHECK(!is_open(batch, id));
        if (i == UNKNOWN) {
            CHECK(astat_error_code(error) == ASTAT_E_NOT_FOUND);
            CHECK(is(astat_error_request_id(error), id.ptr) && astat_error_attempts(error) == 1);
        } else {
            CHECK(is(astat_status_request_id(status), id.ptr));
            CHECK(astat_status_outcome(status) == (i == FAILING ? ASTAT_FAILED : ASTAT_SUCCEEDED));
        }
        CHECK(astat_batch_eta(batch, ACTIVITY, id, &remaining, &uncertainty, NULL) == ASTAT_OK);
        CHECK(remaining == ASTAT_NS_NONE && uncertainty == ASTAT_NS_NONE);
        astat_ended_free(kept);
        kept = ended;
    }
    CHECK(turns == ALL && others == 0);
    for (i = 0; i < ALL; i++)
        CHECK(count[i] == 1);
    progress = progress_of(batch);
    CHECK(progress.total == ALL && progress.settled == ALL - 1 && progress.failed == 1);
    CHECK(progress.errors == 1 && progress.open == 0 && progress.rate > 0.0);
    CHECK(next(batch, 0, &ended) == ASTAT_NEXT_DONE);

    /* A job that has ended may be waited for again. */
    CHECK(add(batch, ids[0]) == 1 && is_open(batch, ids[0]));
    CHECK(next(batch, ASTAT_NS_NONE, &ended) == ASTAT_NEXT_ENDED);
    CHECK(is(astat_ended_request_id(ended), ids[0].ptr));
    astat_batch_free(batch);
    CHECK(is(astat_ended_operation(ended), "activity.create") && astat_ended_request_id(kept).len > 0);
    astat_ended_free(ended);
    astat_ended_free(kept);
    for (i = 0; i < UNKNOWN; i++)
        astat_submitted_free(submitted[i]);
}

/* A wait that was cancelled says so. */
static void *next_in_a_thread(void *argument)
{
    astat_ended *ended = STALE(astat_ended);
    astat_error *error = NULL;
    int32_t what = 7;
    FAILS(ASTAT_E_INTERRUPTED,
          astat_batch_next((astat_batch *)argument, 20000 * MS, &what, &ended, &error), ended, error);
    CHECK(what == 0);
    return NULL;
}

/* Nothing within the timeout, and then the deadline. */
static void a_batch_that_waits(const astat_client *client)
{
    astat_wait_options soon = ASTAT_WAIT_OPTIONS_INIT;
    astat_submitted *submitted = submit(client, BODY_WITH("sandbox:never"));
    const astat_str id = astat_submitted_request_id(submitted);
    astat_ended *ended = NULL;
    astat_batch *batch;
    astat_jobs *jobs = STALE(astat_jobs);
    const astat_error *error;

    soon.deadline_ns = 1500 * MS;
    soon.order = ASTAT_ORDER_UNKNOWN;
    batch = new_batch(client, &soon);
    CHECK(add(batch, id) == 1);
    CHECK(next(batch, 0, &ended) == ASTAT_NEXT_NOT_YET);
    CHECK(next(batch, 100 * MS, &ended) == ASTAT_NEXT_NOT_YET);
    CHECK(is_open(batch, id));
    CHECK(astat_batch_overdue(batch, &jobs, NULL) == ASTAT_OK && astat_jobs_count(jobs) == 0);
    astat_jobs_free(jobs);
    CHECK(next(batch, ASTAT_NS_NONE, &ended) == ASTAT_NEXT_ENDED);
    error = astat_ended_error(ended);
    CHECK(astat_error_code(error) == ASTAT_E_DEADLINE && is(astat_error_request_id(error), id.ptr));
    CHECK(astat_status_outcome(astat_error_last_status(error)) == ASTAT_PENDING);
    CHECK(astat_ended_status(ended) == NULL && is(astat_ended_request_id(ended), id.ptr));
    astat_ended_free(ended);
    CHECK(next(batch, ASTAT_NS_NONE, &ended) == ASTAT_NEXT_DONE);
    CHECK(progress_of(batch).errors == 1);
    astat_batch_cancel(batch);
    next_in_a_thread(batch); /* cancelled is cancelled, though there was nothing left */
    astat_batch_free(batch);
    astat_submitted_free(submitted);
}

/* While one thread waits, a second one can only cancel. */
static void a_batch_that_is_cancelled(const astat_client *client)
{
    astat_submitted *submitted = submit(client, BODY_WITH("sandbox:never"));
    const astat_str id = astat_submitted_request_id(submitted);
    astat_batch *batch = new_batch(client, NULL);
    astat_progress progress = ASTAT_PROGRESS_INIT;
    astat_error *error = NULL;
    pthread_t waiting;
    int tries;

    CHECK(add(batch, id) == 1);
    CHECK(pthread_create(&waiting, NULL, next_in_a_thread, batch) == 0);
    for (tries = 0; tries < 5000 && astat_batch_progress(batch, &progress, NULL) == ASTAT_OK; tries++)
        nap(MS);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_progress(batch, &progress, &error), NULL, error);
    astat_batch_cancel(batch);
    CHECK(pthread_join(waiting, NULL) == 0);
    astat_batch_cancel(batch);
    next_in_a_thread(batch);
    CHECK(is_open(batch, id) && progress_of(batch).open == 1);
    astat_batch_free(batch);
    astat_submitted_free(submitted);
}

/* A server that takes questions and never answers. */
static int silent_server(char *url)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    const int server = socket(AF_INET, SOCK_STREAM, 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(server, (struct sockaddr *)&address, sizeof address) == 0 && listen(server, 16) == 0);
    CHECK(getsockname(server, (struct sockaddr *)&address, &len) == 0);
    sprintf(url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    return server;
}

/* What is on its way when a batch ends comes to its own end, and with it the limiter. */
static void a_batch_left_alone(void)
{
    struct plug plug = PLUG;
    char url[64];
    const int server = silent_server(url);
    astat_config *config = new_config();
    astat_client *client = NULL;
    astat_ended *ended = NULL;
    astat_batch *batch;
    int tries, destroyed = 0;

    CHECK(astat_config_set(config, ASTAT_LIT("base_url"), astat_cstr(url), NULL) == ASTAT_OK);
    CHECK(astat_config_set(config, ASTAT_LIT("call_deadline"), ASTAT_LIT("500ms"), NULL) == ASTAT_OK);
    CHECK(astat_config_set_limiter(config, &PLUG_OPS, &plug, NULL) == ASTAT_OK);
    CHECK(astat_client_new(config, &client, NULL) == ASTAT_OK);
    astat_config_free(config);
    batch = new_batch(client, NULL);
    CHECK(add(batch, ASTAT_LIT("1")) == 1 && add(batch, ASTAT_LIT("2")) == 1);
    CHECK(next(batch, 100 * MS, &ended) == ASTAT_NEXT_NOT_YET);
    astat_client_free(client);
    astat_batch_free(batch);
    for (tries = 0; tries < 1000 && !destroyed; tries++) {
        nap(10 * MS);
        pthread_mutex_lock(&plugging);
        destroyed = plug.destroyed;
        pthread_mutex_unlock(&plugging);
    }
    CHECK(destroyed == 1 && plug.acquired > 0 && plug.settled == plug.acquired);
    CHECK(plug.last_how == ASTAT_SETTLED_IN_DOUBT);
    close(server);
}

static astat_tracker *new_tracker(const astat_client *client)
{
    astat_tracker *tracker = STALE(astat_tracker);
    astat_error *error = STALE(astat_error);
    CHECK(astat_tracker_new(client, NULL, &tracker, &error) == ASTAT_OK && !error);
    return tracker;
}

/* The next step but for a sleep, which it sleeps. */
static int32_t step(astat_tracker *tracker, astat_look **look, astat_ended **ended)
{
    int turns;
    for (turns = 0; turns < 1000; turns++) {
        astat_error *error = STALE(astat_error);
        uint64_t sleep_ns = 7;
        int32_t what = 0;
        *look = STALE(astat_look);
        *ended = STALE(astat_ended);
        CHECK(astat_tracker_step(tracker, &what, &sleep_ns, look, ended, &error) == ASTAT_OK && !error);
        CHECK((what == ASTAT_STEP_LOOK) == (*look != NULL));
        CHECK((what == ASTAT_STEP_ENDED) == (*ended != NULL));
        CHECK((what == ASTAT_STEP_SLEEP) == (sleep_ns > 0));
        if (what != ASTAT_STEP_SLEEP)
            return what;
        nap(sleep_ns < 50 * MS ? sleep_ns : 50 * MS); /* an answer may come sooner */
    }
    CHECK(!"the tracker sleeps for ever");
    return 0;
}

static astat_look *next_look(astat_tracker *tracker)
{
    astat_look *look;
    astat_ended *ended;
    CHECK(step(tracker, &look, &ended) == ASTAT_STEP_LOOK);
    return look;
}

static void *send_in_a_thread(void *argument)
{
    astat_error *error = STALE(astat_error);
    CHECK(astat_look_send((astat_look *)argument, &error) == ASTAT_OK && !error);
    return NULL;
}

/* The client sends, each look on a thread of its own; one is dropped, and asked again. */
static void a_tracker_by_its_client(void)
{
    astat_client *client = quick_client();
    astat_tracker *tracker = new_tracker(client);
    astat_submitted *one = submit(client, BODY), *two = submit(client, BODY_WITH("sandbox:fail"));
    const astat_str ids[] = {astat_submitted_request_id(one), astat_submitted_request_id(two)};
    astat_progress progress = ASTAT_PROGRESS_INIT;
    astat_jobs *jobs = STALE(astat_jobs);
    astat_look *look;
    astat_ended *ended;
    pthread_t sending[200];
    int32_t added = 7, what;
    size_t sent = 0, dropped = 0, i, count[2] = {0, 0};

    CHECK(astat_tracker_add(tracker, ACTIVITY, ids[0], ASTAT_NS_NONE, NULL, NULL) == ASTAT_OK);
    CHECK(astat_tracker_add(tracker, ACTIVITY, ids[0], 0, &added, NULL) == ASTAT_OK && added == 0);
    CHECK(astat_tracker_add(tracker, ACTIVITY, ids[1], unix_now(), &added, NULL) == ASTAT_OK && added == 1);
    CHECK(astat_tracker_open(tracker, &jobs, NULL) == ASTAT_OK && astat_jobs_count(jobs) == 2);
    CHECK(is(astat_jobs_request_id(jobs, 1), ids[1].ptr));
    astat_jobs_free(jobs);
    CHECK(astat_tracker_overdue(tracker, &jobs, NULL) == ASTAT_OK && astat_jobs_count(jobs) == 0);
    astat_jobs_free(jobs);
    astat_client_free(client);
    while (sent < COUNT(sending) && (what = step(tracker, &look, &ended)) != ASTAT_STEP_DONE) {
        if (what == ASTAT_STEP_ENDED) {
            for (i = 0; i < 2; i++)
                count[i] += is(astat_ended_request_id(ended), ids[i].ptr) ? 1 : 0;
            CHECK(astat_status_outcome(astat_ended_status(ended))
                  == (is(astat_ended_request_id(ended), ids[0].ptr) ? ASTAT_SUCCEEDED : ASTAT_FAILED));
            astat_ended_free(ended);
        } else if (dropped++ == 0)
            astat_look_free(look);
        else
            CHECK(pthread_create(&sending[sent++], NULL, send_in_a_thread, look) == 0);
    }
    for (i = 0; i < sent; i++)
        CHECK(pthread_join(sending[i], NULL) == 0);
    CHECK(count[0] == 1 && count[1] == 1 && sent >= 2);
    CHECK(astat_tracker_progress(tracker, &progress, NULL) == ASTAT_OK);
    CHECK(progress.total == 2 && progress.settled == 2 && progress.failed == 1 && progress.open == 0);
    astat_tracker_free(tracker);
    astat_submitted_free(one);
    astat_submitted_free(two);
}

static void a_look_at(const astat_look *look, astat_str id)
{
    const size_t count = astat_look_header_count(look);
    size_t i, keys = 0;
    CHECK(is(astat_look_request_id(look), id.ptr));
    CHECK(holds(astat_look_url(look), base_url) && holds(astat_look_url(look), "/activity/create/status?"));
    CHECK(holds(astat_look_url(look), id.ptr) && is_clean(astat_look_url(look)));
    for (i = 0; i < count; i++) {
        const astat_str name = astat_look_header_name(look, i), value = astat_look_header_value(look, i);
        CHECK(name.len > 0 && value.len > 0 && value.len == strlen(value.ptr));
        CHECK(is(name, "x-api-key") == is(value, api_key.ptr));
        keys += is(name, "x-api-key") ? 1 : 0;
    }
    CHECK(keys == 1);
    CHECK(is_absent(astat_look_header_name(look, count)) && is_absent(astat_look_header_value(look, count)));
    CHECK(astat_look_time_left_ns(look) > 0 && astat_look_time_left_ns(look) <= UINT64_C(60000) * MS);
}

static void answer(astat_look *look, const char *id, const char *state)
{
    const astat_pair headers[] = {{ASTAT_LIT("Content-Type"), ASTAT_LIT("application/json")},
                                  {ASTAT_LIT("X-Odd"), ASTAT_LIT("\xff")}};
    astat_error *error = STALE(astat_error);
    char body[200];
    sprintf(body, "{\"RequestId\":\"%s\",\"TaskStatus\":{\"Status\":\"%s\"}}", id, state);
    CHECK(astat_look_answered(look, 200, headers, COUNT(headers), body, strlen(body), &error) == ASTAT_OK
          && !error);
}

/* Questions that the program asks itself: it decides what the vendor says. */
static void a_tracker_by_own_answers(void)
{
    static const char metrics[] = "{\"PendingMessages\":600,\"ProcessingRatePerMinute\":60}";
    struct plug plug = PLUG;
    astat_client *client = plugged_client(&plug, NULL);
    astat_tracker *tracker = new_tracker(client);
    const astat_str id = ASTAT_LIT("72003d66");
    uint64_t remaining = 0, uncertainty = 0;
    astat_look *look;
    astat_ended *ended;

    astat_client_free(client);
    CHECK(astat_tracker_add(tracker, ACTIVITY, id, unix_now(), NULL, NULL) == ASTAT_OK);
    CHECK(astat_tracker_eta(tracker, ACTIVITY, id, &remaining, &uncertainty, NULL) == ASTAT_OK);
    CHECK(remaining == ASTAT_NS_NONE && uncertainty == ASTAT_NS_NONE);
    { /* Nothing is asked for by a step that has no place for it. */
        uint64_t sleep_ns = 0;
        int32_t what = 0;
        int turns;
        for (turns = 0; turns < 50; turns++) {
            CHECK(astat_tracker_step(tracker, NULL, &sleep_ns, &look, &ended, NULL) == ASTAT_E_ARGUMENT);
            CHECK(astat_tracker_step(tracker, &what, NULL, &look, &ended, NULL) == ASTAT_E_ARGUMENT);
            CHECK(astat_tracker_step(tracker, &what, &sleep_ns, NULL, &ended, NULL) == ASTAT_E_ARGUMENT);
            CHECK(astat_tracker_step(tracker, &what, &sleep_ns, &look, NULL, NULL) == ASTAT_E_ARGUMENT);
            nap(20 * MS);
        }
        CHECK(plug.acquired == 0);
    }
    look = next_look(tracker);
    a_look_at(look, id);
    CHECK(plug.acquired == 1 && plug.settled == 0 && plug.last_class == ASTAT_CLASS_POLL);
    answer(look, id.ptr, "In-Queue");
    CHECK(plug.settled == 1 && plug.last_how == ASTAT_SETTLED_ANSWERED);

    /* A job that was submitted a moment ago: how long is the queue before it? */
    look = next_look(tracker);
    CHECK(is_absent(astat_look_request_id(look)) && holds(astat_look_url(look), "/activity/create/metrics"));
    CHECK(plug.last_class == ASTAT_CLASS_OTHER);
    CHECK(astat_look_answered(look, 200, NULL, 0, metrics, strlen(metrics), NULL) == ASTAT_OK);

    /* The schedule now knows better than to ask soon, and tells. */
    {
        uint64_t sleep_ns = 0;
        int32_t what = 0;
        CHECK(astat_tracker_step(tracker, &what, &sleep_ns, &look, &ended, NULL) == ASTAT_OK);
        CHECK(what == ASTAT_STEP_SLEEP && sleep_ns > 1000 * MS);
    }
    CHECK(astat_tracker_eta(tracker, ACTIVITY, id, &remaining, &uncertainty, NULL) == ASTAT_OK);
    CHECK(remaining > UINT64_C(300000) * MS && remaining < UINT64_C(900000) * MS);
    CHECK(uncertainty > 0 && uncertainty < ASTAT_NS_NONE);
    astat_tracker_free(tracker);
    CHECK(plug.settled == plug.acquired && plug.destroyed == 1);

    plug.destroyed = 0;
    client = plugged_client(&plug, NULL);
    tracker = new_tracker(client);
    astat_client_free(client);
    CHECK(astat_tracker_add(tracker, ACTIVITY, id, ASTAT_NS_NONE, NULL, NULL) == ASTAT_OK);
    answer(next_look(tracker), id.ptr, "Success");
    CHECK(step(tracker, &look, &ended) == ASTAT_STEP_ENDED);
    CHECK(is(astat_status_state(astat_ended_status(ended)), "Success") && !astat_ended_error(ended));
    astat_ended_free(ended);
    CHECK(step(tracker, &look, &ended) == ASTAT_STEP_DONE);
    CHECK(astat_tracker_add(tracker, ACTIVITY, id, ASTAT_NS_NONE, NULL, NULL) == ASTAT_OK);
    CHECK(astat_look_answered(next_look(tracker), 404, NULL, 0, "no \xff", 4, NULL) == ASTAT_OK);
    CHECK(step(tracker, &look, &ended) == ASTAT_STEP_ENDED && !astat_ended_status(ended));
    CHECK(astat_error_code(astat_ended_error(ended)) == ASTAT_E_NOT_FOUND);
    CHECK(astat_error_http_status(astat_ended_error(ended)) == 404);
    astat_ended_free(ended);
    astat_tracker_free(tracker);
    CHECK(plug.destroyed == 1);
}

/* What the limiter hears of each way in which a look can go. */
static void what_becomes_of_a_look(void)
{
    const astat_pair refused[] = {{ASTAT_LIT("Retry-After"), ASTAT_LIT("7")}};
    static const struct {
        int32_t delivery;
        astat_code why;
        int32_t settled;
    } failures[] = {{ASTAT_DELIVERY_NOT_SENT, ASTAT_E_TRANSPORT, ASTAT_SETTLED_NOT_SENT},
                    {ASTAT_DELIVERY_PARTLY, ASTAT_E_TIMED_OUT, ASTAT_SETTLED_IN_DOUBT},
                    {ASTAT_DELIVERY_IN_DOUBT, ASTAT_E_MALFORMED, ASTAT_SETTLED_IN_DOUBT}};
    static const struct {
        int32_t delivery;
        astat_code why;
        const char *message;
    } wrong[] = {{0, ASTAT_E_TRANSPORT, ""},
                 {4, ASTAT_E_TRANSPORT, ""},
                 {ASTAT_DELIVERY_NOT_SENT, ASTAT_OK, ""},
                 {ASTAT_DELIVERY_NOT_SENT, ASTAT_E_SERVER, ""},
                 {ASTAT_DELIVERY_NOT_SENT, ASTAT_E_TRANSPORT, "\xff"}};
    static const int32_t no_status[] = {-1, 0, 99, 1000, 65736};
    struct plug plug = PLUG;
    astat_client *client = plugged_client(&plug, NULL);
    const astat_str id = ASTAT_LIT("72003d66");
    astat_error *error = NULL;
    size_t i;

/* A tracker for each, for one that hears of failures takes its time. */
#define LOOK(tracker, look)                                                                       \
    astat_tracker *tracker = new_tracker(client);                                                 \
    astat_look *look;                                                                             \
    CHECK(astat_tracker_add(tracker, ACTIVITY, id, ASTAT_NS_NONE, NULL, NULL) == ASTAT_OK);       \
    look = next_look(tracker);                                                                    \
    plug.last_how = 0;                                                                            \
    plug.settled = 0;                                                                             \
    plug.last_retry_after = 0

    for (i = 0; i < COUNT(failures); i++) {
        LOOK(tracker, look);
        CHECK(astat_look_failed(look, failures[i].delivery, failures[i].why, ASTAT_LIT("it broke"), &error)
              == ASTAT_OK);
        CHECK(plug.settled == 1 && plug.last_how == failures[i].settled);
        astat_look_free(next_look(tracker)); /* it is asked again */
        astat_tracker_free(tracker);
    }
    for (i = 0; i < COUNT(wrong); i++) {
        LOOK(tracker, look);
        FAILS(ASTAT_E_ARGUMENT,
              astat_look_failed(look, wrong[i].delivery, wrong[i].why, astat_cstr(wrong[i].message), &error),
              NULL, error);
        CHECK(plug.settled == 1 && plug.last_how == ASTAT_SETTLED_IN_DOUBT);
        astat_tracker_free(tracker);
    }
    for (i = 0; i < COUNT(no_status); i++) {
        LOOK(tracker, look);
        FAILS(ASTAT_E_ARGUMENT, astat_look_head_arrived(look, no_status[i], NULL, 0, &error), NULL, error);
        CHECK(plug.settled == 0);
        FAILS(ASTAT_E_ARGUMENT, astat_look_answered(look, no_status[i], NULL, 0, NULL, 0, &error), NULL,
              error);
        CHECK(plug.settled == 1 && plug.last_how == ASTAT_SETTLED_IN_DOUBT);
        astat_tracker_free(tracker);
    }
    {
        LOOK(tracker, look);
        FAILS(ASTAT_E_ARGUMENT, astat_look_head_arrived(look, 200, NULL, 1, &error), NULL, error);
        FAILS(ASTAT_E_ARGUMENT, astat_look_head_arrived(look, 200, refused, (size_t)-1, &error), NULL, error);
        CHECK(plug.settled == 0);
        FAILS(ASTAT_E_ARGUMENT, astat_look_answered(look, 200, refused, 1, NULL, 1, &error), NULL, error);
        CHECK(plug.settled == 1);
        astat_tracker_free(tracker);
    }
    { /* A refusal and its advice, by the head alone, and no second time by the rest. */
        LOOK(tracker, look);
        CHECK(astat_look_head_arrived(look, 429, refused, COUNT(refused), &error) == ASTAT_OK);
        CHECK(plug.settled == 1 && plug.last_how == ASTAT_SETTLED_REFUSED);
        CHECK(plug.last_retry_after == 7000 * MS);
        CHECK(astat_look_answered(look, 429, refused, COUNT(refused), "", 0, &error) == ASTAT_OK);
        CHECK(plug.settled == 1);
        astat_tracker_free(tracker);
    }
    { /* Dropped, after its tracker. */
        LOOK(tracker, look);
        astat_tracker_free(tracker);
        a_look_at(look, id);
        astat_look_free(look);
        CHECK(plug.settled == 1 && plug.last_how == ASTAT_SETTLED_IN_DOUBT);
    }
#undef LOOK
    astat_client_free(client);
    CHECK(plug.destroyed == 1);
}

/* A limiter that calls back into what it is asked for. */
static void waits_in_a_plugin(void)
{
    struct plug plug = PLUG;
    astat_client *client = plugged_client(&plug, NULL), *other = new_client();
    astat_submitted *submitted = submit(client, BODY);
    const astat_str id = astat_submitted_request_id(submitted);
    astat_tracker *tracker = new_tracker(client), *others = new_tracker(other);
    astat_batch *batch = new_batch(client, NULL);
    astat_ended *ended = NULL;
    astat_look *look;

    CHECK(add(batch, id) == 1);
    CHECK(astat_tracker_add(tracker, ACTIVITY, id, ASTAT_NS_NONE, NULL, NULL) == ASTAT_OK);
    CHECK(astat_tracker_add(others, ACTIVITY, id, ASTAT_NS_NONE, NULL, NULL) == ASTAT_OK);
    plug.batch = batch;
    plug.tracker = tracker;
    plug.look = next_look(others);
    plug.reenters = client;
    CHECK(next(batch, ASTAT_NS_NONE, &ended) == ASTAT_NEXT_ENDED);
    astat_ended_free(ended);
    CHECK(plug.reentered >= 2 && !plug.look);
    look = next_look(tracker);
    send_in_a_thread(look);
    CHECK(step(tracker, &look, &ended) == ASTAT_STEP_ENDED);
    astat_ended_free(ended);
    look = next_look(others); /* the one that the plug-in lost is asked again */
    send_in_a_thread(look);
    CHECK(step(others, &look, &ended) == ASTAT_STEP_ENDED);
    astat_ended_free(ended);

    plug.reenters = NULL;
    astat_batch_free(batch);
    astat_tracker_free(tracker);
    astat_tracker_free(others);
    astat_submitted_free(submitted);
    astat_client_free(client);
    astat_client_free(other);
}

static void null_in_a_wait(const astat_client *client)
{
    astat_batch *batch = STALE(astat_batch);
    astat_tracker *tracker = STALE(astat_tracker);
    astat_look *look = STALE(astat_look);
    astat_ended *ended = STALE(astat_ended);
    astat_jobs *jobs = STALE(astat_jobs);
    astat_progress progress = ASTAT_PROGRESS_INIT;
    astat_error *error = NULL;
    const astat_str id = ASTAT_LIT("1"), not_text = ASTAT_LIT("\xff");
    uint64_t one = 7, two = 7;
    int32_t what = 7;

    FAILS(ASTAT_E_ARGUMENT, astat_batch_new(NULL, NULL, &batch, &error), batch, error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_new(client, NULL, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_new(NULL, NULL, &tracker, &error), tracker, error);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_new(client, NULL, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_add(NULL, ACTIVITY, id, 0, &what, &error), NULL, error);
    CHECK(what == 0);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_next(NULL, 0, &what, &ended, &error), ended, error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_progress(NULL, &progress, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_open(NULL, &jobs, &error), jobs, error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_overdue(NULL, &jobs, &error), jobs, error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_eta(NULL, ACTIVITY, id, &one, &two, &error), NULL, error);
    CHECK(one == ASTAT_NS_NONE && two == ASTAT_NS_NONE);
    what = 7;
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_add(NULL, ACTIVITY, id, 0, &what, &error), NULL, error);
    CHECK(what == 0);
    ended = STALE(astat_ended);
    what = 7;
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_step(NULL, &what, &one, &look, &ended, &error), ended, error);
    CHECK(what == 0 && one == 0 && look == NULL);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_progress(NULL, &progress, &error), NULL, error);
    jobs = STALE(astat_jobs);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_open(NULL, &jobs, &error), jobs, error);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_overdue(NULL, &jobs, &error), jobs, error);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_eta(NULL, ACTIVITY, id, &one, &two, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_look_send(NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_look_head_arrived(NULL, 200, NULL, 0, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_look_answered(NULL, 200, NULL, 0, NULL, 0, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_look_failed(NULL, ASTAT_DELIVERY_NOT_SENT, ASTAT_E_TRANSPORT, id, &error),
          NULL, error);

    batch = new_batch(client, NULL);
    tracker = new_tracker(client);
    FAILS(ASTAT_E_CONFIG, astat_batch_add(batch, NONE, id, 0, NULL, &error), NULL, error);
    FAILS(ASTAT_E_CONFIG, astat_batch_add(batch, ACTIVITY, NONE, 0, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_add(batch, ACTIVITY, not_text, 0, NULL, &error), NULL, error);
    FAILS(ASTAT_E_CONFIG, astat_batch_add(batch, ASTAT_LIT("activity.crate"), id, 0, NULL, &error), NULL,
          error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_next(batch, 0, NULL, &ended, &error), ended, error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_next(batch, 0, &what, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_progress(batch, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_open(batch, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_overdue(batch, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_eta(batch, ACTIVITY, id, NULL, &two, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_eta(batch, ACTIVITY, id, &one, NULL, &error), NULL, error);
    FAILS(ASTAT_E_CONFIG, astat_batch_eta(batch, NONE, id, &one, &two, &error), NULL, error);
    FAILS(ASTAT_E_CONFIG, astat_tracker_add(tracker, NONE, id, 0, NULL, &error), NULL, error);
    FAILS(ASTAT_E_CONFIG, astat_tracker_add(tracker, ACTIVITY, NONE, 0, NULL, &error), NULL, error);
    CHECK(astat_tracker_add(tracker, ACTIVITY, id, 0, NULL, &error) == ASTAT_OK && !error);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_step(tracker, NULL, &one, &look, &ended, &error), ended, error);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_step(tracker, &what, NULL, &look, &ended, &error), ended, error);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_step(tracker, &what, &one, NULL, &ended, &error), ended, error);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_step(tracker, &what, &one, &look, NULL, &error), look, error);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_progress(tracker, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_open(tracker, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_overdue(tracker, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_eta(tracker, ACTIVITY, id, NULL, &two, &error), NULL, error);
    astat_look_free(next_look(tracker));
    astat_batch_free(batch);
    astat_tracker_free(tracker);

    CHECK(astat_batch_new(NULL, NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_batch_add(NULL, NONE, NONE, 0, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_batch_next(NULL, 0, NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_batch_progress(NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_batch_open(NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_batch_overdue(NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_batch_eta(NULL, NONE, NONE, NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_tracker_new(NULL, NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_tracker_add(NULL, NONE, NONE, 0, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_tracker_step(NULL, NULL, NULL, NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_tracker_progress(NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_tracker_open(NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_tracker_overdue(NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_tracker_eta(NULL, NONE, NONE, NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_look_send(NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_look_head_arrived(NULL, 0, NULL, 0, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_look_answered(NULL, 0, NULL, 0, NULL, 0, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_look_failed(NULL, 0, 0, NONE, NULL) == ASTAT_E_ARGUMENT);

    astat_batch_free(NULL);
    astat_batch_cancel(NULL);
    astat_tracker_free(NULL);
    astat_look_free(NULL);
    astat_ended_free(NULL);
    astat_jobs_free(NULL);
    CHECK(is_absent(astat_ended_operation(NULL)) && is_absent(astat_ended_request_id(NULL)));
    CHECK(!astat_ended_status(NULL) && !astat_ended_error(NULL) && astat_jobs_count(NULL) == 0);
    CHECK(is_absent(astat_jobs_operation(NULL, 0)) && is_absent(astat_jobs_request_id(NULL, 0)));
    CHECK(is_absent(astat_look_url(NULL)) && is_absent(astat_look_request_id(NULL)));
    CHECK(astat_look_header_count(NULL) == 0 && astat_look_time_left_ns(NULL) == 0);
    CHECK(is_absent(astat_look_header_name(NULL, 0)) && is_absent(astat_look_header_value(NULL, 0)));
}

static void progress_for_other_headers(const astat_client *client)
{
    static const size_t never_set[] = {0, 1, sizeof(size_t), 100000, (size_t)-1};
    struct {
        astat_progress known;
        uint64_t later;
    } newer = {ASTAT_PROGRESS_INIT, 7};
    astat_progress *progress = &newer.known;
    astat_batch *batch = new_batch(client, NULL);
    astat_error *error = NULL;
    size_t i;

    CHECK(add(batch, ASTAT_LIT("1")) == 1);
    for (i = 0; i < COUNT(never_set); i++) {
        progress->struct_size = never_set[i];
        progress->total = 77;
        FAILS(ASTAT_E_ARGUMENT, astat_batch_progress(batch, progress, &error), NULL, error);
        CHECK(progress->total == 77);
    }
    progress->struct_size = sizeof newer;
    progress->remaining_ns = progress->uncertainty_ns = 0;
    CHECK(astat_batch_progress(batch, progress, NULL) == ASTAT_OK && newer.later == 7);
    CHECK(progress->total == 1 && progress->open == 1 && progress->settled == 0 && progress->errors == 0);
    CHECK(progress->remaining_ns == ASTAT_NS_NONE && progress->uncertainty_ns == ASTAT_NS_NONE);
    progress->struct_size = offsetof(astat_progress, open);
    progress->total = progress->open = 77;
    CHECK(astat_batch_progress(batch, progress, NULL) == ASTAT_OK);
    CHECK(progress->total == 1 && progress->open == 77);
    astat_batch_free(batch);
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

/* Each thread is an owner of the client, and the last one to end it does so, and its limiter. */
static void threads(void)
{
    pthread_t running[4];
    struct plug plug = PLUG;
    astat_client *client = plugged_client(&plug, NULL);
    size_t i;
    for (i = 0; i < COUNT(running); i++)
        CHECK(pthread_create(&running[i], NULL, ask_in_a_thread, astat_client_ref(client)) == 0);
    astat_client_free(client);
    for (i = 0; i < COUNT(running); i++)
        CHECK(pthread_join(running[i], NULL) == 0);
    CHECK(plug.acquired == 4 * 3 * 3 && plug.settled == plug.acquired && plug.destroyed == 1);
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
    own_limiter();
    a_limiter_ends_once();
    a_limiter_of_few_functions();
    a_limiter_in_trouble();
    a_limiter_without_sense();
    reentrance();
    a_batch();
    a_batch_that_waits(client);
    a_batch_that_is_cancelled(client);
    a_batch_left_alone();
    null_in_a_wait(client);
    progress_for_other_headers(client);
    a_tracker_by_its_client();
    a_tracker_by_own_answers();
    what_becomes_of_a_look();
    waits_in_a_plugin();
    the_quota();
    shared_quota();
    conformance();
    threads();
    astat_client_free(client);
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : 0;
}
