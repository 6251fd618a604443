/*
 * Batches: several jobs that are waited for at once.
 */
#include "plug.h"
#include "waits.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static astat_progress progress_of(astat_batch *batch)
{
    astat_progress progress = ASTAT_PROGRESS_INIT;
    CHECK(astat_batch_progress(batch, &progress, NULL) == ASTAT_OK);
    CHECK(progress.total == progress.settled + progress.errors + progress.open);
    return progress;
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

static void null_in_a_batch(const astat_client *client)
{
    astat_batch *batch = STALE(astat_batch);
    astat_ended *ended = STALE(astat_ended);
    astat_jobs *jobs = STALE(astat_jobs);
    astat_progress progress = ASTAT_PROGRESS_INIT;
    astat_error *error = NULL;
    const astat_str id = ASTAT_LIT("1"), not_text = ASTAT_LIT("\xff");
    uint64_t one = 7, two = 7;
    int32_t what = 7;

    FAILS(ASTAT_E_ARGUMENT, astat_batch_new(NULL, NULL, &batch, &error), batch, error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_new(client, NULL, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_add(NULL, ACTIVITY, id, 0, &what, &error), NULL, error);
    CHECK(what == 0);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_next(NULL, 0, &what, &ended, &error), ended, error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_progress(NULL, &progress, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_open(NULL, &jobs, &error), jobs, error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_overdue(NULL, &jobs, &error), jobs, error);
    FAILS(ASTAT_E_ARGUMENT, astat_batch_eta(NULL, ACTIVITY, id, &one, &two, &error), NULL, error);
    CHECK(one == ASTAT_NS_NONE && two == ASTAT_NS_NONE);

    batch = new_batch(client, NULL);
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
    astat_batch_free(batch);

    CHECK(astat_batch_new(NULL, NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_batch_add(NULL, NONE, NONE, 0, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_batch_next(NULL, 0, NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_batch_progress(NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_batch_open(NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_batch_overdue(NULL, NULL, NULL) == ASTAT_E_ARGUMENT);
    CHECK(astat_batch_eta(NULL, NONE, NONE, NULL, NULL, NULL) == ASTAT_E_ARGUMENT);

    astat_batch_free(NULL);
    astat_batch_cancel(NULL);
    astat_ended_free(NULL);
    astat_jobs_free(NULL);
    CHECK(is_absent(astat_ended_operation(NULL)) && is_absent(astat_ended_request_id(NULL)));
    CHECK(!astat_ended_status(NULL) && !astat_ended_error(NULL) && astat_jobs_count(NULL) == 0);
    CHECK(is_absent(astat_jobs_operation(NULL, 0)) && is_absent(astat_jobs_request_id(NULL, 0)));
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

int main(int argc, char **argv)
{
    astat_client *client;

    if (!begins(argc, argv))
        return 2;
    client = new_client();
    a_batch();
    a_batch_that_waits(client);
    a_batch_that_is_cancelled(client);
    a_batch_left_alone();
    null_in_a_batch(client);
    progress_for_other_headers(client);
    astat_client_free(client);
    return ends();
}
