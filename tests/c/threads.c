/*
 * Four threads on one client, each at its own kind of work; and results that several threads own.
 */
#include "waits.h"

enum { THREADS = 4, ROUNDS = 5 };

static pthread_barrier_t together;

/* What the threads share. Each has an ownership of every handle, and ends it. */
struct shared {
    astat_client *client;
    astat_submitted *submitted;
    astat_status *status;
    astat_metrics *metrics;
    astat_ended *ended;
    astat_jobs *jobs;
    astat_error *error;
};

static struct shared of_its_own(const struct shared *all)
{
    struct shared own;
    own.client = astat_client_ref(all->client);
    own.submitted = astat_submitted_ref(all->submitted);
    own.status = astat_status_ref(all->status);
    own.metrics = astat_metrics_ref(all->metrics);
    own.ended = astat_ended_ref(all->ended);
    own.jobs = astat_jobs_ref(all->jobs);
    own.error = astat_error_ref(all->error);
    return own;
}

static void give_up(struct shared *own)
{
    astat_client_free(own->client);
    astat_submitted_free(own->submitted);
    astat_status_free(own->status);
    astat_metrics_free(own->metrics);
    astat_ended_free(own->ended);
    astat_jobs_free(own->jobs);
    astat_error_free(own->error);
}

static void *asks(void *argument)
{
    const astat_client *client = (const astat_client *)argument;
    astat_submitted *submitted = submit(client, BODY);
    const astat_str id = astat_submitted_request_id(submitted);
    int i;
    pthread_barrier_wait(&together);
    for (i = 0; i < ROUNDS; i++) {
        astat_status *status = STALE(astat_status);
        astat_error *error = STALE(astat_error);
        CHECK(astat_client_status(client, ACTIVITY, id, NULL, &status, &error) == ASTAT_OK && !error);
        CHECK(is(astat_status_request_id(status), id.ptr));
        astat_status_free(status);
    }
    astat_submitted_free(submitted);
    return NULL;
}

static void *submits(void *argument)
{
    int i;
    pthread_barrier_wait(&together);
    for (i = 0; i < ROUNDS; i++)
        astat_submitted_free(submit((const astat_client *)argument, BODY));
    return NULL;
}

static void *waits(void *argument)
{
    const astat_client *client = (const astat_client *)argument;
    int i;
    pthread_barrier_wait(&together);
    for (i = 0; i < ROUNDS; i++) {
        astat_submitted *submitted = submit(client, BODY);
        astat_status *status = STALE(astat_status);
        astat_error *error = STALE(astat_error);
        CHECK(astat_client_wait(client, ACTIVITY, astat_submitted_request_id(submitted), NULL, &status, &error)
                  == ASTAT_OK
              && !error);
        CHECK(astat_status_outcome(status) == ASTAT_SUCCEEDED);
        astat_status_free(status);
        astat_submitted_free(submitted);
    }
    return NULL;
}

static void *batches(void *argument)
{
    const astat_client *client = (const astat_client *)argument;
    astat_batch *batch = new_batch(client, NULL);
    astat_ended *ended;
    int i;
    pthread_barrier_wait(&together);
    for (i = 0; i < ROUNDS; i++) {
        astat_submitted *submitted = submit(client, BODY);
        CHECK(add(batch, astat_submitted_request_id(submitted)) == 1);
        astat_submitted_free(submitted);
    }
    for (i = 0; next(batch, ASTAT_NS_NONE, &ended) == ASTAT_NEXT_ENDED; i++) {
        CHECK(astat_status_outcome(astat_ended_status(ended)) == ASTAT_SUCCEEDED);
        astat_ended_free(ended);
    }
    CHECK(i == ROUNDS);
    astat_batch_free(batch);
    return NULL;
}

static void one_client(void)
{
    static void *(*const works[THREADS])(void *) = {asks, submits, waits, batches};
    astat_client *client = quick_client();
    pthread_t running[THREADS];
    size_t i;
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_create(&running[i], NULL, works[i], client) == 0);
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_join(running[i], NULL) == 0);
    astat_client_free(client);
}

/* Reads all that it owns, and ends it: the last thread ends it for good. */
static void *reads(void *argument)
{
    struct shared *own = (struct shared *)argument;
    const astat_str id = astat_submitted_request_id(own->submitted);
    pthread_barrier_wait(&together);
    CHECK(is(astat_status_request_id(own->status), id.ptr));
    CHECK(holds(astat_status_json(own->status), id.ptr));
    CHECK(holds(astat_metrics_raw(own->metrics), "PendingMessages"));
    CHECK(is(astat_ended_request_id(own->ended), id.ptr));
    CHECK(astat_status_outcome(astat_ended_status(own->ended)) == ASTAT_SUCCEEDED);
    CHECK(astat_jobs_count(own->jobs) == 1 && is(astat_jobs_request_id(own->jobs, 0), id.ptr));
    CHECK(astat_error_code(own->error) == ASTAT_E_NOT_FOUND);
    CHECK(holds(astat_error_json(own->error), "not_found"));
    give_up(own);
    return NULL;
}

static void shared_results(void)
{
    struct shared all, own[THREADS];
    astat_status *none = STALE(astat_status);
    astat_batch *batch;
    pthread_t running[THREADS];
    size_t i;

    all.client = quick_client();
    all.submitted = submit(all.client, BODY);
    CHECK(astat_client_wait(all.client, ACTIVITY, astat_submitted_request_id(all.submitted), NULL, &all.status,
                            NULL)
          == ASTAT_OK);
    CHECK(astat_client_metrics(all.client, ACTIVITY, NULL, &all.metrics, NULL) == ASTAT_OK);
    CHECK(astat_client_status(all.client, ACTIVITY, ASTAT_LIT("no-such-job"), NULL, &none, &all.error)
          == ASTAT_E_NOT_FOUND);
    batch = new_batch(all.client, NULL);
    CHECK(add(batch, astat_submitted_request_id(all.submitted)) == 1);
    CHECK(astat_batch_open(batch, &all.jobs, NULL) == ASTAT_OK);
    CHECK(next(batch, ASTAT_NS_NONE, &all.ended) == ASTAT_NEXT_ENDED);
    astat_batch_free(batch);

    for (i = 0; i < THREADS; i++)
        own[i] = of_its_own(&all);
    give_up(&all);
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_create(&running[i], NULL, reads, &own[i]) == 0);
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_join(running[i], NULL) == 0);
}

static void *cancels(void *argument)
{
    pthread_barrier_wait(&together);
    astat_batch_cancel((const astat_batch *)argument);
    astat_batch_cancel((const astat_batch *)argument);
    return NULL;
}

/* Cancelled by four threads at once, and twice by each, while a fifth one waits. */
static void cancelled_at_once(void)
{
    astat_client *client = quick_client();
    astat_submitted *submitted = submit(client, BODY_WITH("sandbox:never"));
    astat_batch *batch = new_batch(client, NULL);
    astat_ended *ended = STALE(astat_ended);
    astat_error *error = NULL;
    pthread_t running[THREADS];
    int32_t what = 7;
    size_t i;

    CHECK(add(batch, astat_submitted_request_id(submitted)) == 1);
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_create(&running[i], NULL, cancels, batch) == 0);
    FAILS(ASTAT_E_INTERRUPTED, astat_batch_next(batch, ASTAT_NS_NONE, &what, &ended, &error), ended, error);
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_join(running[i], NULL) == 0);
    FAILS(ASTAT_E_INTERRUPTED, astat_batch_next(batch, 0, &what, &ended, &error), ended, error);
    astat_batch_free(batch);
    astat_submitted_free(submitted);
    astat_client_free(client);
}

int main(int argc, char **argv)
{
    if (!begins(argc, argv))
        return 2;
    CHECK(pthread_barrier_init(&together, NULL, THREADS) == 0);
    one_client();
    shared_results();
    cancelled_at_once();
    CHECK(pthread_barrier_destroy(&together) == 0);
    return ends();
}
