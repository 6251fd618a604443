/*
 * Clocks: one of the program's own, and virtual time.
 */
#include "canned.h"

#include <time.h>

#define SECOND (1000 * MS)

/* The machine's, or one whose time jumps ahead when somebody sleeps. */
struct clock {
    uint64_t now; /* of one that jumps */
    int jumps, asked, slept, spawned, destroyed;
    int32_t answer; /* of sleep and of spawn */
    uint64_t shorter; /* sleeps end so much too soon */
    uint64_t error;   /* the time goes so much back, each time */
    const astat_client *reenters;
};

static uint64_t machine(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static uint64_t now_ns(void *context)
{
    struct clock *clock = (struct clock *)context;
    uint64_t now;
    if (clock->reenters)
        reenter_all(clock->reenters);
    pthread_mutex_lock(&plugging);
    clock->asked++;
    clock->now -= clock->error;
    now = clock->jumps ? clock->now : machine(CLOCK_MONOTONIC);
    pthread_mutex_unlock(&plugging);
    return now;
}

static uint64_t wall_ns(void *context)
{
    return ((struct clock *)context)->jumps ? now_ns(context) : machine(CLOCK_REALTIME);
}

static int32_t sleep_ns(void *context, uint64_t ns)
{
    struct clock *clock = (struct clock *)context;
    if (clock->reenters)
        reenter_all(clock->reenters);
    ns -= clock->shorter < ns ? clock->shorter : ns;
    pthread_mutex_lock(&plugging);
    clock->slept++;
    if (clock->answer == ASTAT_OK)
        clock->now += ns;
    pthread_mutex_unlock(&plugging);
    if (!clock->jumps) {
        const uint64_t until = machine(CLOCK_MONOTONIC) + ns;
        struct timespec time;
        time.tv_sec = (time_t)(until / SECOND);
        time.tv_nsec = (long)(until % SECOND);
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) != 0)
            ;
    }
    return clock->answer;
}

/* At once: a thread would be overtaken by a time that jumps. */
static int32_t spawn_at_once(void *context, void (*work)(void *), void *what)
{
    struct clock *clock = (struct clock *)context;
    clock->spawned++;
    if (clock->answer == ASTAT_OK)
        work(what);
    return clock->answer;
}

static void clock_destroy(void *context) { ((struct clock *)context)->destroyed++; }

static const astat_clock_ops REAL = {sizeof REAL, clock_destroy, now_ns, wall_ns, sleep_ns, NULL},
                             JUMPING = {sizeof JUMPING, clock_destroy, now_ns, wall_ns, sleep_ns,
                                        spawn_at_once};

#define MACHINE {0, 0, 0, 0, 0, 0, ASTAT_OK, 0, 0, NULL}
#define JUMPER {SECOND, 1, 0, 0, 0, 0, ASTAT_OK, 0, 0, NULL}

static astat_client *clocked_client(struct canned *canned, const astat_clock_ops *ops, struct clock *clock)
{
    astat_config *config = canned_config(canned);
    astat_error *error = STALE(astat_error);
    CHECK(astat_config_set(config, ASTAT_LIT("quota"), ASTAT_LIT("2/5s"), NULL) == ASTAT_OK);
    CHECK(astat_config_set(config, ASTAT_LIT("strict"), ASTAT_LIT("true"), NULL) == ASTAT_OK);
    CHECK(astat_config_set_clock(config, ops, clock, &error) == ASTAT_OK && !error);
    return client_of(config);
}

static astat_code ask(const astat_client *client, const astat_call_options *options, astat_status **status,
                      astat_error **error)
{
    return astat_client_status(client, ACTIVITY, ASTAT_LIT("1"), options, status, error);
}

static void own_time(void)
{
    struct canned canned = {all_well, 0, 0, NULL, NULL};
    struct clock clock = JUMPER;
    astat_client *client = clocked_client(&canned, &JUMPING, &clock);
    astat_call_options options = ASTAT_CALL_OPTIONS_INIT;
    astat_status *status = NULL;
    astat_error *error = NULL;
    int i;

    for (i = 0; i < 6; i++) { /* two, a window, two, a window, two */
        CHECK(ask(client, NULL, &status, &error) == ASTAT_OK && !error);
        astat_status_free(status);
    }
    CHECK(canned.sent == 6 && clock.slept > 0);
    CHECK(clock.now >= 11 * SECOND && clock.now < 13 * SECOND);

    /* It gives no leave to sleep on, and time to spare is no time. */
    options.deadline_ns = SECOND;
    FAILS(ASTAT_E_DEADLINE, ask(client, &options, &status, &error), status, error);
    options.deadline_ns = 0;
    FAILS(ASTAT_E_DEADLINE, ask(client, &options, &status, &error), status, error);
    clock.answer = -1;
    CHECK(ask(client, NULL, &status, &error) == ASTAT_E_INTERRUPTED);
    CHECK(astat_error_resend(error) == ASTAT_RESEND_SAFE && astat_error_attempts(error) == 0);
    FAILS(ASTAT_E_INTERRUPTED, ASTAT_E_INTERRUPTED, status, error);
    clock.answer = ASTAT_E_DEADLINE; /* whatever it is */
    FAILS(ASTAT_E_INTERRUPTED, ask(client, NULL, &status, &error), status, error);
    CHECK(canned.sent == 6);
    astat_client_free(client);
    CHECK(clock.destroyed == 1);
}

/* It may begin anywhere. */
static void any_beginning(void)
{
    static const uint64_t beginnings[] = {0, UINT64_MAX / 2, UINT64_MAX - 3600 * SECOND};
    size_t i;
    for (i = 0; i < COUNT(beginnings); i++) {
        struct canned canned = {all_well, 0, 0, NULL, NULL};
        struct clock clock = JUMPER;
        astat_client *client;
        astat_status *status = NULL;
        astat_error *error = NULL;
        int call;
        clock.now = beginnings[i];
        client = clocked_client(&canned, &JUMPING, &clock);
        for (call = 0; call < 5; call++) {
            CHECK(ask(client, NULL, &status, &error) == ASTAT_OK && !error);
            astat_status_free(status);
        }
        CHECK(clock.now - beginnings[i] >= 10 * SECOND && clock.now - beginnings[i] < 20 * SECOND);
        astat_client_free(client);
    }
}

static void reentrance(void)
{
    struct canned canned = {all_well, 0, 0, NULL, NULL};
    struct clock clock = JUMPER;
    astat_client *client = clocked_client(&canned, &JUMPING, &clock), *other = canned_client(&canned);
    astat_status *status = NULL;
    astat_error *error = NULL;
    int i;

    clock.reenters = other;
    for (i = 0; i < 3; i++) {
        CHECK(ask(client, NULL, &status, &error) == ASTAT_OK && !error);
        astat_status_free(status);
    }
    CHECK(clock.slept > 0 && canned.sent == 3);
    clock.reenters = NULL;
    astat_client_free(client);
    astat_client_free(other);
}

static void a_clock_ends_once(void)
{
    struct canned canned = {all_well, 0, 0, NULL, NULL};
    struct clock clock = MACHINE, other = MACHINE;
    astat_clock_ops ops = REAL;
    astat_config *config = canned_config(&canned);
    astat_virtual_clock *time = astat_virtual_clock_new();
    astat_client *client;
    astat_error *error = NULL;
    size_t i;

    FAILS(ASTAT_E_ARGUMENT, astat_config_set_clock(NULL, &ops, &clock, &error), NULL, error);
    ops.now_ns = NULL;
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_clock(config, &ops, &clock, &error), NULL, error);
    ops = REAL;
    ops.wall_ns = NULL;
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_clock(config, &ops, &clock, &error), NULL, error);
    ops = REAL;
    ops.sleep = NULL;
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_clock(config, &ops, &clock, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_conform_clock(&ops, &clock, &error), NULL, error);
    CHECK(clock.destroyed == 5);
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_clock(config, NULL, &clock, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_conform_clock(NULL, &clock, &error), NULL, error);
    for (i = 0; i < sizeof(size_t) * 2; i++) {
        ops.struct_size = i;
        FAILS(ASTAT_E_ARGUMENT, astat_config_set_clock(config, &ops, &clock, &error), NULL, error);
    }
    CHECK(clock.destroyed == 5);

    /* An older caller's has no spawn. */
    ops = JUMPING;
    ops.struct_size = offsetof(astat_clock_ops, spawn);
    CHECK(astat_config_set_clock(config, &ops, &clock, NULL) == ASTAT_OK);
    CHECK(astat_config_set_clock(config, &REAL, &other, NULL) == ASTAT_OK && clock.destroyed == 6);
    client = client_of(config);
    CHECK(other.destroyed == 0);
    astat_client_free(client);
    CHECK(other.destroyed == 1 && clock.spawned == 0);

    /* Virtual time takes its place. */
    config = canned_config(&canned);
    CHECK(astat_config_set_clock(config, &REAL, &other, NULL) == ASTAT_OK);
    CHECK(astat_config_use_virtual_clock(config, time, &error) == ASTAT_OK && other.destroyed == 2);
    FAILS(ASTAT_E_ARGUMENT, astat_config_use_virtual_clock(config, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_config_use_virtual_clock(NULL, time, &error), NULL, error);
    astat_virtual_clock_free(time);
    astat_client_free(client_of(config));
}

static void conformance(void)
{
    static const struct {
        uint64_t shorter, error;
        int32_t answer;
        const char *check;
    } wrong[] = {
        {0, 1, ASTAT_OK, "the time never goes back"},
        {MS, 0, ASTAT_OK, "a sleep lasts as long as it was told"},
        {0, 0, 7, "a sleep lasts as long as it was told"},
    };
    struct clock real = MACHINE, jumping = JUMPER;
    astat_clock_ops ops = JUMPING;
    astat_error *error = STALE(astat_error);
    size_t i;

    CHECK(astat_conform_clock(&REAL, &real, &error) == ASTAT_OK && !error);
    CHECK(real.destroyed == 1 && real.asked > 0 && real.slept > 0);
    CHECK(astat_conform_clock(&JUMPING, &jumping, &error) == ASTAT_OK && !error);
    CHECK(jumping.destroyed == 1 && jumping.spawned > 0);
    for (i = 0; i < COUNT(wrong); i++) {
        struct clock clock = JUMPER;
        clock.now = 1000000 * SECOND;
        clock.shorter = wrong[i].shorter;
        clock.error = wrong[i].error;
        clock.answer = wrong[i].answer;
        CHECK(astat_conform_clock(&ops, &clock, &error) == ASTAT_E_CONFIG);
        CHECK(holds(astat_error_message(error), wrong[i].check));
        FAILS(ASTAT_E_CONFIG, ASTAT_E_CONFIG, NULL, error);
        CHECK(clock.destroyed == 1);
    }
}

/* ---- virtual time ---- */

struct lives {
    astat_virtual_clock *clock;
    uint64_t woke[5];
    const astat_client *client;
};

static void sleeps(void *context, uint32_t worker)
{
    struct lives *lives = (struct lives *)context;
    astat_virtual_clock_sleep(lives->clock, (5 - worker) * 3600 * SECOND);
    lives->woke[worker] = astat_virtual_clock_now_ns(lives->clock);
}

static void calls(void *context, uint32_t worker)
{
    struct lives *lives = (struct lives *)context;
    int i;
    for (i = 0; i < 10; i++) {
        char id[30];
        astat_status *status = NULL;
        astat_error *error = NULL;
        sprintf(id, "%u-%d", (unsigned)worker, i);
        CHECK(astat_client_status(lives->client, ACTIVITY, astat_cstr(id), NULL, &status, &error)
              == ASTAT_OK);
        CHECK(is(astat_status_request_id(status), id));
        astat_status_free(status);
    }
    lives->woke[worker] = astat_virtual_clock_now_ns(lives->clock);
}

static void virtual_time(void)
{
    astat_virtual_clock *clock = astat_virtual_clock_new(), *again = astat_virtual_clock_ref(clock);
    struct lives lives = {NULL, {0, 0, 0, 0, 0}, NULL}, same;
    astat_error *error = STALE(astat_error);
    uint32_t i;

    CHECK(clock == again && astat_virtual_clock_now_ns(clock) == 0);
    astat_virtual_clock_free(again);
    astat_virtual_clock_sleep(clock, 86400 * SECOND);
    CHECK(astat_virtual_clock_now_ns(clock) == 86400 * SECOND);
    lives.clock = clock;
    CHECK(astat_virtual_clock_run(clock, 5, sleeps, &lives, &error) == ASTAT_OK && !error);
    for (i = 0; i < 5; i++)
        CHECK(lives.woke[i] == (86400 + (5 - i) * UINT64_C(3600)) * SECOND);
    CHECK(astat_virtual_clock_run(clock, 0, sleeps, &lives, &error) == ASTAT_OK && !error);
    FAILS(ASTAT_E_ARGUMENT, astat_virtual_clock_run(clock, 1001, sleeps, &lives, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_virtual_clock_run(clock, 1, NULL, &lives, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_virtual_clock_run(NULL, 1, sleeps, &lives, &error), NULL, error);
    CHECK(astat_virtual_clock_now_ns(NULL) == 0 && !astat_virtual_clock_ref(NULL));
    astat_virtual_clock_sleep(NULL, SECOND);
    astat_virtual_clock_free(NULL);
    astat_virtual_clock_free(clock);

    /* 40 calls of 25 in 5 s, by four: the second part of them a window later, and each time the same. */
    for (i = 0; i < 2; i++) {
        struct canned canned = {all_well, 0, 0, NULL, NULL};
        astat_config *config = canned_config(&canned);
        astat_client *client;
        clock = lives.clock = astat_virtual_clock_new();
        CHECK(astat_config_use_virtual_clock(config, clock, NULL) == ASTAT_OK);
        lives.client = client = client_of(config);
        CHECK(astat_virtual_clock_run(clock, 4, calls, &lives, NULL) == ASTAT_OK);
        CHECK(canned.sent == 40 && lives.woke[3] >= 5 * SECOND && lives.woke[3] < 10 * SECOND);
        if (i > 0)
            CHECK(memcmp(lives.woke, same.woke, sizeof same.woke) == 0);
        same = lives;
        astat_client_free(client);
        astat_virtual_clock_free(clock);
    }
}

/* ---- many jobs in virtual time ---- */

enum { JOBS = 200 };

struct queue {
    astat_virtual_clock *clock;
    struct clock *own;
};

/* Job n is done n seconds after the beginning, and every tenth has failed. */
static int32_t works_off(struct canned *canned, const astat_request *request, astat_reply *reply)
{
    const struct queue *queue = (const struct queue *)canned->more;
    const long n = atol(asked_id(request) + strlen("job-"));
    const uint64_t now = queue->own ? queue->own->now : astat_virtual_clock_now_ns(queue->clock);
    if (now < (uint64_t)n * SECOND)
        return answer_state(request, reply, "In-Queue");
    return answer_state(request, reply, n % 10 ? "Success" : "Failure");
}

static uint64_t wait_for_all(astat_config *config, uint64_t (*now)(const struct queue *),
                             const struct queue *queue)
{
    astat_client *client = client_of(config);
    astat_wait_options options = ASTAT_WAIT_OPTIONS_INIT;
    astat_batch *batch = NULL;
    astat_error *error = STALE(astat_error);
    int done[JOBS] = {0}, i, succeeded = 0, dead = 0;
    int32_t what = 0;

    options.deadline_ns = 3600 * SECOND;
    CHECK(astat_batch_new(client, &options, &batch, &error) == ASTAT_OK && !error);
    for (i = 0; i < JOBS; i++) {
        char id[20];
        sprintf(id, "job-%d", i);
        CHECK(astat_batch_add(batch, ACTIVITY, astat_cstr(id), 0, NULL, &error) == ASTAT_OK);
    }
    for (;;) {
        astat_ended *ended = NULL;
        long n;
        if (!CHECK(astat_batch_next(batch, ASTAT_NS_NONE, &what, &ended, &error) == ASTAT_OK && !error)
            || what != ASTAT_NEXT_ENDED)
            break;
        if (!CHECK(astat_ended_status(ended) != NULL)) {
            printf("    %s\n", astat_error_message(astat_ended_error(ended)).ptr);
            astat_ended_free(ended);
            continue;
        }
        n = atol(astat_status_request_id(astat_ended_status(ended)).ptr + strlen("job-"));
        CHECK(n >= 0 && n < JOBS && done[n]++ == 0);
        if (astat_status_outcome(astat_ended_status(ended)) == ASTAT_SUCCEEDED)
            succeeded++;
        else
            dead++;
        astat_ended_free(ended);
    }
    CHECK(what == ASTAT_NEXT_DONE && succeeded == 180 && dead == 20);
    astat_batch_free(batch);
    astat_client_free(client);
    return now(queue);
}

static uint64_t virtual_now(const struct queue *queue) { return astat_virtual_clock_now_ns(queue->clock); }
static uint64_t own_now(const struct queue *queue) { return queue->own->now; }

static void all_jobs_in_no_time(void)
{
    struct queue queue = {NULL, NULL};
    struct canned canned = {works_off, 0, 0, NULL, NULL};
    struct clock jumping = JUMPER;
    astat_config *config;
    uint64_t took[2];
    int i;

    canned.more = &queue;
    for (i = 0; i < 2; i++) {
        queue.clock = astat_virtual_clock_new();
        config = canned_config(&canned);
        CHECK(astat_config_use_virtual_clock(config, queue.clock, NULL) == ASTAT_OK);
        took[i] = wait_for_all(config, virtual_now, &queue);
        CHECK(took[i] >= 199 * SECOND && took[i] < 300 * SECOND);
        await(&canned.destroyed, i + 1);
        astat_virtual_clock_free(queue.clock);
    }
    CHECK(took[0] == took[1]);

    queue.own = &jumping;
    config = canned_config(&canned);
    CHECK(astat_config_set_clock(config, &JUMPING, &jumping, NULL) == ASTAT_OK);
    took[0] = wait_for_all(config, own_now, &queue);
    CHECK(took[0] >= 199 * SECOND && took[0] < 300 * SECOND);
    CHECK(jumping.spawned > 0 && jumping.destroyed == 1 && canned.destroyed == 3);
}

/* No thread for a look: the batch says so, and does not wait for it. */
static void no_threads(void)
{
    struct canned canned = {all_well, 0, 0, NULL, NULL};
    struct clock jumping = JUMPER;
    astat_client *client = clocked_client(&canned, &JUMPING, &jumping);
    astat_wait_options options = ASTAT_WAIT_OPTIONS_INIT;
    astat_batch *batch = NULL;
    astat_ended *ended = NULL;
    astat_error *error = NULL;
    int32_t what = 0;
    astat_code code;

    options.deadline_ns = 60 * SECOND;
    CHECK(astat_batch_new(client, &options, &batch, &error) == ASTAT_OK);
    CHECK(astat_batch_add(batch, ACTIVITY, ASTAT_LIT("1"), 0, NULL, &error) == ASTAT_OK);
    jumping.answer = -1;
    code = astat_batch_next(batch, ASTAT_NS_NONE, &what, &ended, &error);
    CHECK(code != ASTAT_OK || what == ASTAT_NEXT_ENDED);
    CHECK(code == ASTAT_OK || (error && !ended));
    astat_ended_free(ended);
    astat_error_free(error);
    astat_batch_free(batch);
    astat_client_free(client);
    CHECK(jumping.destroyed == 1);
}

int main(int argc, char **argv)
{
    if (!begins(argc, argv))
        return 2;
    own_time();
    any_beginning();
    reentrance();
    a_clock_ends_once();
    conformance();
    virtual_time();
    all_jobs_in_no_time();
    no_threads();
    return ends();
}
