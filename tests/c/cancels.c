/*
 * What ends calls and waits: a cancel from another thread, a signal handler, a plug-in; and deadlines.
 */
#include "canned.h"

#include <signal.h>

#define SECOND (1000 * MS)
#define HOUR (3600 * SECOND)

/* The calls that may be ended, each in its own way. */
enum { STATUS, METRICS, SUBMIT, WAIT, BATCH, CALLS };

/* Makes one of them, which fails; its code. */
static astat_code fails_by(int call, const astat_client *client, const astat_cancel *cancel,
                           uint64_t deadline)
{
    astat_call_options options = ASTAT_CALL_OPTIONS_INIT;
    astat_submit_options submitting = ASTAT_SUBMIT_OPTIONS_INIT;
    astat_wait_options waiting = ASTAT_WAIT_OPTIONS_INIT;
    astat_status *status = STALE(astat_status);
    astat_metrics *metrics = STALE(astat_metrics);
    astat_submitted *submitted = STALE(astat_submitted);
    astat_batch *batch = NULL;
    astat_ended *ended = STALE(astat_ended);
    astat_error *error = NULL;
    astat_code code = ASTAT_E_PANIC;
    const void *out = NULL;
    int32_t what = 0;

    options.cancel = submitting.cancel = waiting.cancel = cancel;
    options.deadline_ns = submitting.deadline_ns = waiting.deadline_ns = deadline;
    switch (call) {
    case STATUS:
        code = astat_client_status(client, ACTIVITY, ASTAT_LIT("1"), &options, &status, &error);
        out = status;
        break;
    case METRICS:
        code = astat_client_metrics(client, ACTIVITY, &options, &metrics, &error);
        out = metrics;
        break;
    case SUBMIT:
        code = astat_client_submit(client, ACTIVITY, BODY, &submitting, &submitted, &error);
        out = submitted;
        break;
    case WAIT:
        code = astat_client_wait(client, ACTIVITY, ASTAT_LIT("1"), &waiting, &status, &error);
        out = status;
        break;
    case BATCH:
        CHECK(astat_batch_new(client, &waiting, &batch, &error) == ASTAT_OK && !error);
        CHECK(astat_batch_add(batch, ACTIVITY, ASTAT_LIT("1"), 0, NULL, &error) == ASTAT_OK);
        code = astat_batch_next(batch, ASTAT_NS_NONE, &what, &ended, &error);
        if (code == ASTAT_OK && CHECK(what == ASTAT_NEXT_ENDED)) {
            code = astat_error_code(astat_ended_error(ended));
            error = astat_error_ref(astat_ended_error(ended));
            astat_ended_free(ended);
            ended = NULL;
        }
        out = ended;
        break;
    }
    FAILS(code, code, out, error);
    astat_batch_free(batch);
    return code;
}

/* ---- who cancels, and when ---- */

enum { BEFORE, IN_A_PLUG, IN_A_THREAD, IN_A_SIGNAL, BY_MANY, WAYS };

/* ThreadSanitizer keeps a signal back until the thread calls something that it knows to block, and a thread that waits in
 * the library never does. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SIGNALS_ARE_LATE 1
#endif
#endif
#ifndef SIGNALS_ARE_LATE
#define SIGNALS_ARE_LATE 0
#endif

static const astat_cancel *volatile signalled;

static void on_signal(int number)
{
    (void)number;
    astat_cancel_trigger(signalled);
}

/* Cancels once, when what is to be cancelled has begun. */
struct killer {
    astat_cancel *cancel;
    int way, begun;
    pthread_t victim, threads[4];
    size_t running;
};

static void *kills(void *argument)
{
    struct killer *killer = (struct killer *)argument;
    if (killer->way == IN_A_SIGNAL && !SIGNALS_ARE_LATE)
        CHECK(pthread_kill(killer->victim, SIGUSR1) == 0);
    else
        astat_cancel_trigger(killer->cancel);
    return NULL;
}

static void begins_to_wait(struct killer *killer)
{
    size_t i, count = killer->way == BY_MANY ? COUNT(killer->threads) : 1;
    pthread_mutex_lock(&plugging);
    if (killer->begun++)
        count = 0;
    if (count > 0 && killer->way == IN_A_PLUG)
        astat_cancel_trigger(killer->cancel);
    for (i = 0; killer->way > IN_A_PLUG && i < count; i++)
        killer->running += CHECK(pthread_create(&killer->threads[i], NULL, kills, killer) == 0);
    pthread_mutex_unlock(&plugging);
}

static void begin(struct killer *killer, int way)
{
    memset(killer, 0, sizeof *killer);
    killer->way = way;
    killer->cancel = astat_cancel_new();
    killer->victim = pthread_self();
    signalled = killer->cancel;
    CHECK(!astat_cancel_is_triggered(killer->cancel));
    if (way == BEFORE)
        astat_cancel_trigger(killer->cancel);
}

static void end(struct killer *killer)
{
    pthread_mutex_lock(&plugging); /* a look may be about to start them still */
    while (killer->running > 0)
        CHECK(pthread_join(killer->threads[--killer->running], NULL) == 0);
    pthread_mutex_unlock(&plugging);
    CHECK(killer->begun > 0 || killer->way == BEFORE);
    CHECK(astat_cancel_is_triggered(killer->cancel));
    astat_cancel_free(killer->cancel);
    signalled = NULL;
}

/* ---- a wait for the quota ---- */

static int32_t an_hour(void *context, int32_t call_class, uint64_t now, uint64_t *permit, uint64_t *wait,
                       astat_trouble *trouble)
{
    struct plug *plug = (struct plug *)context;
    (void)call_class, (void)now, (void)permit, (void)trouble;
    plug->acquired++;
    *wait = HOUR;
    return ASTAT_RETRY_AFTER;
}

/* The library says so just before it sleeps. */
static void on_event(void *context, const astat_event *event)
{
    const int32_t kind = astat_event_kind(event);
    if (kind == ASTAT_EVENT_WAITING || kind == ASTAT_EVENT_RETRYING)
        begins_to_wait((struct killer *)context);
}

static const astat_observer_ops OBSERVER = {sizeof OBSERVER, NULL, on_event};

static astat_client *deliberate_client(struct canned *canned, struct killer *killer, struct plug *slow)
{
    static const char *const settings[][2] = {{"call_deadline", "24h"}, {"quota", "1000/1s"}};
    astat_limiter_ops limiter = PLUG_OPS;
    astat_config *config = canned_config(canned);
    size_t i;
    limiter.try_acquire = an_hour;
    for (i = 0; i < COUNT(settings); i++)
        CHECK(astat_config_set(config, astat_cstr(settings[i][0]), astat_cstr(settings[i][1]), NULL)
              == ASTAT_OK);
    CHECK(astat_config_set_observer(config, &OBSERVER, killer, NULL) == ASTAT_OK);
    if (slow)
        CHECK(astat_config_set_limiter(config, &limiter, slow, NULL) == ASTAT_OK);
    return client_of(config);
}

static void a_wait_for_the_quota(void)
{
    int call, way;
    for (call = STATUS; call <= SUBMIT; call++)
        for (way = BEFORE; way < WAYS; way++) {
            struct canned canned = {all_well, 0, 0, NULL, NULL};
            struct plug slow = PLUG;
            struct killer killer;
            astat_client *client;
            begin(&killer, way);
            client = deliberate_client(&canned, &killer, &slow);
            CHECK(fails_by(call, client, killer.cancel, ASTAT_NS_NONE) == ASTAT_E_INTERRUPTED);
            CHECK(canned.sent == 0 && slow.acquired == (way != BEFORE) && slow.settled == 0);
            CHECK(slow.left == (way != BEFORE)); /* its place is nobody's hindrance */
            /* And so is each that comes later. */
            CHECK(fails_by(call, client, killer.cancel, ASTAT_NS_NONE) == ASTAT_E_INTERRUPTED);
            end(&killer);
            astat_client_free(client);
            await(&canned.destroyed, 1);
        }
}

/* ---- a pause before another attempt ---- */

static int32_t come_later(struct canned *canned, const astat_request *request, astat_reply *reply)
{
    (void)canned, (void)request;
    astat_reply_set_status(reply, 429);
    astat_reply_add_header(reply, ASTAT_LIT("retry-after"), ASTAT_LIT("3600"));
    astat_reply_head_arrived(reply);
    return ASTAT_OK;
}

static int32_t is_broken(struct canned *canned, const astat_request *request, astat_reply *reply)
{
    (void)canned, (void)request;
    return astat_reply_fail(reply, ASTAT_DELIVERY_NOT_SENT, ASTAT_E_TRANSPORT, ASTAT_LIT("no wire"));
}

static void a_pause(void)
{
    int call, way;
    for (call = STATUS; call <= SUBMIT; call++)
        for (way = IN_A_PLUG; way < WAYS; way++) {
            struct canned canned = {way % 2 ? come_later : is_broken, 0, 0, NULL, NULL};
            struct killer killer;
            astat_client *client;
            begin(&killer, way);
            client = deliberate_client(&canned, &killer, NULL);
            CHECK(fails_by(call, client, killer.cancel, ASTAT_NS_NONE) == ASTAT_E_INTERRUPTED);
            CHECK(canned.sent >= 1 && canned.sent < 5);
            end(&killer);
            astat_client_free(client);
            await(&canned.destroyed, 1);
        }
}

/* ---- a wait for jobs ---- */

static int32_t never_done(struct canned *canned, const astat_request *request, astat_reply *reply)
{
    begins_to_wait((struct killer *)canned->more);
    return answer_state(request, reply, "In-Queue");
}

static void a_wait_for_jobs(void)
{
    int call, way;
    for (call = WAIT; call <= BATCH; call++)
        for (way = BEFORE; way < WAYS; way++) {
            struct canned canned = {never_done, 0, 0, NULL, NULL};
            struct killer killer;
            astat_client *client;
            begin(&killer, way);
            canned.more = &killer;
            client = deliberate_client(&canned, &killer, NULL);
            CHECK(fails_by(call, client, killer.cancel, 24 * HOUR) == ASTAT_E_INTERRUPTED);
            CHECK((canned.sent == 0) == (way == BEFORE));
            end(&killer);
            astat_client_free(client);
            await(&canned.destroyed, 1);
        }
}

/* ---- a call on its way ---- */

static int32_t looks(struct canned *canned, const astat_request *request, astat_reply *reply)
{
    begins_to_wait((struct killer *)canned->more);
    while (!astat_request_is_cancelled(request))
        sched_yield();
    return astat_reply_fail(reply, canned->sent % 2 ? ASTAT_DELIVERY_IN_DOUBT : ASTAT_DELIVERY_NOT_SENT,
                            ASTAT_E_INTERRUPTED, ASTAT_LIT("given up"));
}

static int32_t does_not_look(struct canned *canned, const astat_request *request, astat_reply *reply)
{
    begins_to_wait((struct killer *)canned->more);
    while (!astat_request_is_cancelled(request))
        sched_yield();
    return all_well(canned, request, reply);
}

static void a_call_on_its_way(void)
{
    int way;
    for (way = IN_A_PLUG; way < WAYS; way++) {
        struct canned canned = {looks, 0, 0, NULL, NULL};
        struct killer killer;
        astat_client *client;
        astat_submit_options options = ASTAT_SUBMIT_OPTIONS_INIT;
        astat_submitted *submitted = STALE(astat_submitted);
        astat_error *error = NULL;

        begin(&killer, way);
        canned.more = &killer;
        client = deliberate_client(&canned, &killer, NULL);
        CHECK(fails_by(STATUS, client, killer.cancel, ASTAT_NS_NONE) == ASTAT_E_INTERRUPTED);
        CHECK(canned.sent == 1);
        end(&killer);

        /* A submit may have arrived, unless the transport knows better. */
        canned.sent = 0;
        begin(&killer, way);
        options.cancel = killer.cancel;
        CHECK(astat_client_submit(client, ACTIVITY, BODY, &options, &submitted, &error) != ASTAT_OK);
        CHECK(astat_error_resend(error) == ASTAT_RESEND_MAY_DUPLICATE);
        CHECK(astat_error_code(error) == ASTAT_E_IN_DOUBT || astat_error_code(error) == ASTAT_E_INTERRUPTED);
        CHECK(submitted == NULL && canned.sent == 1);
        astat_error_free(error);
        end(&killer);
        begin(&killer, way);
        options.cancel = killer.cancel;
        submitted = STALE(astat_submitted);
        CHECK(astat_client_submit(client, ACTIVITY, BODY, &options, &submitted, &error)
              == ASTAT_E_INTERRUPTED);
        CHECK(astat_error_resend(error) == ASTAT_RESEND_SAFE && canned.sent == 2);
        FAILS(ASTAT_E_INTERRUPTED, ASTAT_E_INTERRUPTED, submitted, error);
        end(&killer);

        /* An answer that comes in spite of it is one. */
        canned.send = does_not_look;
        begin(&killer, way);
        options.cancel = killer.cancel;
        CHECK(astat_client_submit(client, ACTIVITY, BODY, &options, &submitted, &error) == ASTAT_OK
              && !error);
        astat_submitted_free(submitted);
        end(&killer);
        astat_client_free(client);
    }
}

/* ---- one cancel for many, and its owners ---- */

struct victim {
    const astat_client *client;
    const astat_cancel *cancel;
};

static void *is_killed(void *argument)
{
    const struct victim *victim = (const struct victim *)argument;
    CHECK(fails_by(WAIT, victim->client, victim->cancel, 24 * HOUR) == ASTAT_E_INTERRUPTED);
    return NULL;
}

static int32_t counts(struct canned *canned, const astat_request *request, astat_reply *reply)
{
    (void)canned;
    return answer_state(request, reply, "In-Queue");
}

static void one_for_all(void)
{
    struct canned canned = {counts, 0, 0, NULL, NULL};
    struct killer nobody;
    struct victim victim;
    astat_cancel *cancel = astat_cancel_new(), *again = astat_cancel_ref(cancel);
    astat_client *client;
    astat_status *status = NULL;
    astat_error *error = NULL;
    pthread_t running[4];
    size_t i;
    int sent = 0;

    memset(&nobody, 0, sizeof nobody);
    client = deliberate_client(&canned, &nobody, NULL);
    CHECK(again == cancel);
    victim.client = client;
    victim.cancel = cancel;
    for (i = 0; i < COUNT(running); i++)
        CHECK(pthread_create(&running[i], NULL, is_killed, &victim) == 0);
    while (sent < 4) {
        sched_yield();
        pthread_mutex_lock(&plugging);
        sent = canned.sent;
        pthread_mutex_unlock(&plugging);
    }
    astat_cancel_trigger(cancel);
    astat_cancel_trigger(again);
    for (i = 0; i < COUNT(running); i++)
        CHECK(pthread_join(running[i], NULL) == 0);
    astat_cancel_free(cancel);
    CHECK(astat_cancel_is_triggered(again) == 1);
    astat_cancel_free(again);
    CHECK(astat_client_status(client, ACTIVITY, ASTAT_LIT("1"), NULL, &status, &error)
          == ASTAT_OK); /* the client is well */
    astat_status_free(status);
    astat_client_free(client);
    astat_cancel_trigger(NULL);
    astat_cancel_free(NULL);
    CHECK(!astat_cancel_ref(NULL) && !astat_cancel_is_triggered(NULL));
}

/* A batch keeps what it needs: the handle may be gone before it is. */
static void a_batch_outlives_the_handle(void)
{
    struct canned canned = {all_well, 0, 0, NULL, NULL};
    astat_client *client = canned_client(&canned);
    astat_wait_options options = ASTAT_WAIT_OPTIONS_INIT;
    astat_batch *batch = NULL;
    astat_ended *ended = NULL;
    astat_error *error = NULL;
    int32_t what = 0;
    astat_cancel *cancel = astat_cancel_new();

    options.cancel = cancel;
    CHECK(astat_batch_new(client, &options, &batch, &error) == ASTAT_OK);
    astat_cancel_free(cancel);
    CHECK(astat_batch_add(batch, ACTIVITY, ASTAT_LIT("1"), 0, NULL, &error) == ASTAT_OK);
    CHECK(astat_batch_next(batch, ASTAT_NS_NONE, &what, &ended, &error) == ASTAT_OK
          && what == ASTAT_NEXT_ENDED);
    astat_ended_free(ended);
    astat_batch_free(batch);
    astat_client_free(client);
    await(&canned.destroyed, 1);
}

/* All jobs of a tracker end. */
static void a_tracker(void)
{
    struct canned canned = {counts, 0, 0, NULL, NULL};
    astat_client *client = canned_client(&canned);
    astat_wait_options options = ASTAT_WAIT_OPTIONS_INIT;
    astat_cancel *cancel = astat_cancel_new();
    astat_tracker *tracker = NULL;
    astat_error *error = NULL;
    int i, ends_seen = 0;

    options.cancel = cancel;
    CHECK(astat_tracker_new(client, &options, &tracker, &error) == ASTAT_OK);
    CHECK(astat_tracker_add(tracker, ACTIVITY, ASTAT_LIT("1"), 0, NULL, &error) == ASTAT_OK);
    CHECK(astat_tracker_add(tracker, ACTIVITY, ASTAT_LIT("2"), 0, NULL, &error) == ASTAT_OK);
    astat_cancel_trigger(cancel);
    for (i = 0; i < 20 && ends_seen < 2; i++) {
        astat_look *look = NULL;
        astat_ended *ended = NULL;
        int32_t what = 0;
        uint64_t wait = 0;
        CHECK(astat_tracker_step(tracker, &what, &wait, &look, &ended, &error) == ASTAT_OK && !look);
        if (ended) {
            CHECK(astat_error_code(astat_ended_error(ended)) == ASTAT_E_INTERRUPTED);
            ends_seen++;
        }
        astat_ended_free(ended);
        astat_look_free(look);
    }
    CHECK(ends_seen == 2 && canned.sent == 0);
    astat_tracker_free(tracker);
    astat_cancel_free(cancel);
    astat_client_free(client);
}

/* ---- deadlines ---- */

static void deadlines(void)
{
    static const uint64_t bounds[] = {0, 1, SECOND, 30 * SECOND};
    int call;
    size_t i;
    for (call = STATUS; call < CALLS; call++)
        for (i = 0; i < COUNT(bounds); i++) {
            struct canned canned = {is_broken, 0, 0, NULL, NULL};
            struct killer nobody;
            astat_virtual_clock *clock = astat_virtual_clock_new();
            astat_config *config = canned_config(&canned);
            astat_client *client;
            uint64_t took;
            astat_code code;

            memset(&nobody, 0, sizeof nobody);
            if (call >= WAIT) {
                canned.send = counts;
                canned.more = &nobody;
            }
            CHECK(astat_config_use_virtual_clock(config, clock, NULL) == ASTAT_OK);
            CHECK(astat_config_set(config, ASTAT_LIT("max_attempts"), ASTAT_LIT("1000"), NULL) == ASTAT_OK);
            client = client_of(config);
            code = fails_by(call, client, NULL, bounds[i]);
            took = astat_virtual_clock_now_ns(clock);
            CHECK(took <= bounds[i] + 1000); /* a wait counts in microseconds */
            CHECK(code == ASTAT_E_DEADLINE || (call <= SUBMIT && code == ASTAT_E_TRANSPORT));
            CHECK(bounds[i] > 1 || canned.sent <= 1);
            CHECK(bounds[i] < SECOND || canned.sent >= 1);
            if (failed) {
                printf("    call %d, deadline %u\n", call, (unsigned)i);
                return;
            }
            astat_client_free(client);
            await(&canned.destroyed, 1);
            astat_virtual_clock_free(clock);
        }
}

int main(int argc, char **argv)
{
    struct sigaction action;
    if (!begins(argc, argv))
        return 2;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    a_wait_for_the_quota();
    a_pause();
    a_wait_for_jobs();
    a_call_on_its_way();
    one_for_all();
    a_batch_outlives_the_handle();
    a_tracker();
    deadlines();
    return ends();
}
