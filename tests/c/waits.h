/*
 * What the checks of a batch and of a tracker have in common.
 */
#ifndef WAITS_H
#define WAITS_H

#include "checks.h"

#include <time.h>

static inline void nap(uint64_t ns)
{
    struct timespec time;
    time.tv_sec = (time_t)(ns / (1000 * MS));
    time.tv_nsec = (long)(ns % (1000 * MS));
    nanosleep(&time, NULL);
}

static inline uint64_t unix_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

/* A client whose quota holds nothing up. */
static inline astat_client *quick_client(void)
{
    static const char *const wide[][2] = {{"quota", "50/1s"}};
    return client_with(api_key, astat_cstr(base_url), wide, COUNT(wide));
}

static inline astat_batch *new_batch(const astat_client *client, const astat_wait_options *options)
{
    astat_batch *batch = STALE(astat_batch);
    astat_error *error = STALE(astat_error);
    CHECK(astat_batch_new(client, options, &batch, &error) == ASTAT_OK && !error);
    return batch;
}

static inline int add(astat_batch *batch, astat_str id)
{
    astat_error *error = STALE(astat_error);
    int32_t added = 7;
    CHECK(astat_batch_add(batch, ACTIVITY, id, ASTAT_NS_NONE, &added, &error) == ASTAT_OK && !error);
    return added;
}

/* What next says, and the job if one has ended. */
static inline int32_t next(astat_batch *batch, uint64_t timeout_ns, astat_ended **ended)
{
    astat_error *error = STALE(astat_error);
    int32_t what = 0;
    *ended = STALE(astat_ended);
    CHECK(astat_batch_next(batch, timeout_ns, &what, ended, &error) == ASTAT_OK && !error);
    CHECK((what == ASTAT_NEXT_ENDED) == (*ended != NULL));
    return what;
}

#endif
