/*
 * A transport without a network, which does what a check gives it to do.
 */
#ifndef CANNED_H
#define CANNED_H

#include "plug.h"

#include <sched.h>

struct canned {
    int32_t (*send)(struct canned *canned, const astat_request *request, astat_reply *reply);
    int sent, destroyed;
    struct plug *within; /* what calls back into the library, if anything does */
    void *more;
};

static inline int32_t canned_send(void *context, const astat_request *request, astat_reply *reply)
{
    struct canned *canned = (struct canned *)context;
    pthread_mutex_lock(&plugging);
    canned->sent++;
    pthread_mutex_unlock(&plugging);
    return canned->send(canned, request, reply);
}

static inline void canned_destroy(void *context)
{
    struct canned *canned = (struct canned *)context;
    if (canned->within)
        reenter(canned->within);
    pthread_mutex_lock(&plugging);
    canned->destroyed++;
    pthread_mutex_unlock(&plugging);
}

static const astat_transport_ops CANNED_OPS = {sizeof CANNED_OPS, canned_destroy, canned_send};

/* Waits for the end of what a thread of the library may hold still, after its look. */
static inline void await(const int *destroyed, int times)
{
    int now;
    do {
        sched_yield();
        pthread_mutex_lock(&plugging);
        now = *destroyed;
        pthread_mutex_unlock(&plugging);
    } while (now < times);
    CHECK(now == times);
}

/* A whole answer. */
static inline int32_t answer(astat_reply *reply, int32_t http_status, const char *body)
{
    astat_reply_set_status(reply, http_status);
    astat_reply_head_arrived(reply);
    return astat_reply_add_body(reply, body, strlen(body));
}

/* The id of the job that is asked about, as it stands in the URL. */
static inline const char *asked_id(const astat_request *request)
{
    const char *const id = strstr(astat_request_url(request).ptr, "?RequestID=");
    return id ? id + strlen("?RequestID=") : "1";
}

/* The job with this id is in this state. */
static inline int32_t answer_state(const astat_request *request, astat_reply *reply, const char *state)
{
    char body[300];
    sprintf(body, "{\"RequestId\":\"%.100s\",\"TaskStatus\":{\"TaskType\":\"Activity Create\",\"Status\":\"%s\"}}",
            asked_id(request), state);
    return answer(reply, 200, body);
}

/* Every job is taken, and done at once. */
static inline int32_t all_well(struct canned *canned, const astat_request *request, astat_reply *reply)
{
    (void)canned;
    if (is(astat_request_method(request), "POST"))
        return answer(reply, 200, "{\"RequestID\":\"1\"}");
    return answer_state(request, reply, "Success");
}

static inline astat_config *canned_config(struct canned *canned)
{
    astat_config *config = new_config();
    astat_error *error = STALE(astat_error);
    CHECK(astat_config_set_transport(config, &CANNED_OPS, canned, &error) == ASTAT_OK && !error);
    return config;
}

/* A client of it, and the end of the configuration. */
static inline astat_client *client_of(astat_config *config)
{
    astat_client *client = STALE(astat_client);
    astat_error *error = STALE(astat_error);
    if (!CHECK(astat_client_new(config, &client, &error) == ASTAT_OK && !error)) {
        printf("    %s\n", astat_error_message(error).ptr);
        astat_error_free(error);
    }
    astat_config_free(config);
    return client;
}

/* One that tries each call once. */
static inline astat_client *canned_client(struct canned *canned)
{
    astat_config *config = canned_config(canned);
    CHECK(astat_config_set(config, ASTAT_LIT("max_attempts"), ASTAT_LIT("1"), NULL) == ASTAT_OK);
    CHECK(astat_config_set(config, ASTAT_LIT("quota"), ASTAT_LIT("10000/1s"), NULL) == ASTAT_OK);
    return client_of(config);
}

/* The part of a program that blocks, in a function of a plug-in: each is refused. */
static inline void reenter_all(const astat_client *client)
{
    struct plug plug = PLUG;
    astat_config *config = new_config();
    astat_limiter *limiter = STALE(astat_limiter);
    astat_client *other = STALE(astat_client);
    astat_transport_ops transport = ASTAT_TRANSPORT_OPS_INIT;
    astat_virtual_clock *clock = astat_virtual_clock_new();
    astat_error *error = NULL;

    plug.reenters = client;
    reenter(&plug);
    CHECK(plug.reentered == 1);
    FAILS(ASTAT_E_REENTRANT, astat_client_new(config, &other, &error), other, error);
    FAILS(ASTAT_E_REENTRANT, astat_limiter_new(config, &limiter, &error), limiter, error);
    FAILS(ASTAT_E_REENTRANT, astat_virtual_clock_run(clock, 1, NULL, NULL, &error), NULL, error);
    transport.send = canned_send;
    FAILS(ASTAT_E_REENTRANT, astat_conform_transport(&transport, NULL, &error), NULL, error);
    astat_virtual_clock_free(clock);
    astat_config_free(config);
}

#endif
