/*
 * A limiter that lets all through and counts, or misbehaves as it is told.
 */
#ifndef PLUG_H
#define PLUG_H

#include "checks.h"

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
    FAILS(ASTAT_E_REENTRANT, astat_client_status(plug->reenters, ACTIVITY, ASTAT_LIT("1"), NULL, &status, &error),
          status, error);
    status = STALE(astat_status);
    FAILS(ASTAT_E_REENTRANT,
          astat_client_wait(plug->reenters, ACTIVITY, ASTAT_LIT("1"), NULL, &status, &error), status, error);
    FAILS(ASTAT_E_REENTRANT, astat_client_metrics(plug->reenters, ACTIVITY, NULL, &metrics, &error), metrics,
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

static inline astat_client *plugged_client(struct plug *plug, const char *call_deadline)
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

#endif
