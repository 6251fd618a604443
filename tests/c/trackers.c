/*
 * Trackers, and the looks that they ask for.
 */
#include "plug.h"
#include "waits.h"

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

static void null_in_a_tracker(const astat_client *client)
{
    astat_tracker *tracker = STALE(astat_tracker);
    astat_look *look = STALE(astat_look);
    astat_ended *ended = STALE(astat_ended);
    astat_jobs *jobs = STALE(astat_jobs);
    astat_progress progress = ASTAT_PROGRESS_INIT;
    astat_error *error = NULL;
    const astat_str id = ASTAT_LIT("1");
    uint64_t one = 7, two = 7;
    int32_t what = 7;

    FAILS(ASTAT_E_ARGUMENT, astat_tracker_new(NULL, NULL, &tracker, &error), tracker, error);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_new(client, NULL, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_add(NULL, ACTIVITY, id, 0, &what, &error), NULL, error);
    CHECK(what == 0);
    what = 7;
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_step(NULL, &what, &one, &look, &ended, &error), ended, error);
    CHECK(what == 0 && one == 0 && look == NULL);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_progress(NULL, &progress, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_open(NULL, &jobs, &error), jobs, error);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_overdue(NULL, &jobs, &error), jobs, error);
    FAILS(ASTAT_E_ARGUMENT, astat_tracker_eta(NULL, ACTIVITY, id, &one, &two, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_look_send(NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_look_head_arrived(NULL, 200, NULL, 0, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_look_answered(NULL, 200, NULL, 0, NULL, 0, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_look_failed(NULL, ASTAT_DELIVERY_NOT_SENT, ASTAT_E_TRANSPORT, id, &error),
          NULL, error);

    tracker = new_tracker(client);
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
    astat_tracker_free(tracker);

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

    astat_tracker_free(NULL);
    astat_look_free(NULL);
    CHECK(is_absent(astat_look_url(NULL)) && is_absent(astat_look_request_id(NULL)));
    CHECK(astat_look_header_count(NULL) == 0 && astat_look_time_left_ns(NULL) == 0);
    CHECK(is_absent(astat_look_header_name(NULL, 0)) && is_absent(astat_look_header_value(NULL, 0)));
}

int main(int argc, char **argv)
{
    astat_client *client;

    if (!begins(argc, argv))
        return 2;
    client = new_client();
    a_tracker_by_its_client();
    a_tracker_by_own_answers();
    what_becomes_of_a_look();
    waits_in_a_plugin();
    null_in_a_tracker(client);
    astat_client_free(client);
    return ends();
}
