/*
 * Asks how jobs stand, at the pace of a limiter that is written here: own_limiter ID...
 *
 *     cc own_limiter.c -lactivity_status -lpthread -o own_limiter
 *
 * A call takes a slot when it is sent, and holds it until a window after its answer. Whoever waits is told when a
 * slot can be free for it, in the order of coming. Before it is used, the limiter goes through the library's checks.
 */
#include "environment.h"

#include <pthread.h>

#define SECOND UINT64_C(1000000000)

enum { MOST_CALLS = 100, MOST_WAITING = 64 };

static const uint64_t GUARD = SECOND / 1000;      /* so much longer than a window a slot is held */
static const uint64_t LONGEST_CALL = 60 * SECOND; /* the call_deadline: after it, a caller has died */
static const uint64_t PATIENCE = SECOND;          /* who comes so much too late has lost its place */

struct limiter {
    pthread_mutex_t lock;
    uint32_t calls;
    uint64_t window, last_permit, paused_until;
    struct slot {
        uint64_t in_flight; /* its permit, 0 for none */
        uint64_t ends;
    } slots[MOST_CALLS];
    struct waiter {
        pthread_t thread;
        uint64_t comes_at;
    } waiting[MOST_WAITING];
    size_t waiters;
    uint32_t number; /* among those that the checks open */
    struct limiter *next;
};

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

static struct limiter *new_limiter(uint32_t calls, uint64_t window)
{
    struct limiter *limiter = calls <= MOST_CALLS ? calloc(1, sizeof *limiter) : NULL;
    if (limiter) {
        pthread_mutex_init(&limiter->lock, NULL);
        limiter->calls = calls;
        limiter->window = window;
    }
    return limiter;
}

static void destroy(void *context)
{
    struct limiter *limiter = context;
    pthread_mutex_destroy(&limiter->lock);
    free(limiter);
}

/* The place of the calling thread in the queue: the end of it if it does not wait yet. */
static size_t my_place(const struct limiter *limiter)
{
    size_t place = 0;
    while (place < limiter->waiters && !pthread_equal(limiter->waiting[place].thread, pthread_self()))
        place++;
    return place;
}

static void remove_waiter(struct limiter *limiter, size_t place)
{
    for (limiter->waiters--; place < limiter->waiters; place++)
        limiter->waiting[place] = limiter->waiting[place + 1];
}

/* When a slot can be free at the soonest, if so many callers before take one each. */
static uint64_t soonest(const struct limiter *limiter, size_t before, uint64_t now)
{
    uint64_t ends[MOST_CALLS];
    uint32_t i, j;
    for (i = 0; i < limiter->calls; i++) { /* in order */
        const struct slot *slot = &limiter->slots[i];
        /* What is in flight may be answered at once, and never later than its end. */
        const uint64_t end = slot->in_flight ? least(slot->ends, now + limiter->window + GUARD) : slot->ends;
        for (j = i; j > 0 && ends[j - 1] > end; j--)
            ends[j] = ends[j - 1];
        ends[j] = end;
    }
    return most(limiter->paused_until, ends[before % limiter->calls])
           + before / limiter->calls * limiter->window;
}

static int32_t try_acquire(void *context, int32_t call_class, uint64_t now, uint64_t *permit, uint64_t *wait,
                           astat_trouble *trouble)
{
    struct limiter *limiter = context;
    int32_t answer = ASTAT_RETRY_AFTER;
    uint64_t free_at;
    size_t place;

    (void)call_class; /* first come, first served, whatever the call is for */
    (void)trouble;    /* it can always tell */
    pthread_mutex_lock(&limiter->lock);
    for (place = limiter->waiters; place-- > 0;)
        if (limiter->waiting[place].comes_at + PATIENCE < now)
            remove_waiter(limiter, place);
    place = my_place(limiter);
    free_at = soonest(limiter, place, now);
    if (free_at <= now) {
        struct slot *slot = limiter->slots;
        while (slot->ends > now)
            slot++;
        slot->in_flight = *permit = ++limiter->last_permit;
        slot->ends = now + LONGEST_CALL + limiter->window;
        if (place < limiter->waiters)
            remove_waiter(limiter, place);
        answer = ASTAT_GRANTED;
    } else {
        *wait = free_at - now;
        if (place < MOST_WAITING) { /* one more waits without a place */
            limiter->waiting[place].thread = pthread_self();
            limiter->waiting[place].comes_at = free_at;
            limiter->waiters += place == limiter->waiters;
        }
    }
    pthread_mutex_unlock(&limiter->lock);
    return answer;
}

static void leave(void *context)
{
    struct limiter *limiter = context;
    size_t place;
    pthread_mutex_lock(&limiter->lock);
    place = my_place(limiter);
    if (place < limiter->waiters)
        remove_waiter(limiter, place);
    pthread_mutex_unlock(&limiter->lock);
}

static int32_t settle(void *context, uint64_t permit, int32_t how, uint64_t retry_after, uint64_t now,
                      astat_trouble *trouble)
{
    struct limiter *limiter = context;
    const uint64_t held = limiter->window + GUARD;
    uint32_t i;

    (void)trouble;
    pthread_mutex_lock(&limiter->lock);
    for (i = 0; i < limiter->calls; i++) {
        struct slot *slot = &limiter->slots[i];
        if (slot->in_flight != permit)
            continue;
        slot->in_flight = 0;
        switch (how) {
        case ASTAT_SETTLED_NOT_SENT: slot->ends = now; break;
        case ASTAT_SETTLED_IN_DOUBT: slot->ends = now + 2 * held; break;
        default: slot->ends = now + held; break;
        }
    }
    if (how == ASTAT_SETTLED_REFUSED) {
        const uint64_t pause = retry_after == ASTAT_NS_NONE ? held : least(retry_after, 60 * SECOND);
        limiter->paused_until = most(limiter->paused_until, now + pause);
    }
    pthread_mutex_unlock(&limiter->lock);
    return ASTAT_OK;
}

/* Without a snapshot. What the checks open has many owners, and is destroyed after them. */
static const astat_limiter_ops OPS = {sizeof OPS, destroy, try_acquire, leave, settle, NULL},
                               SHARED = {sizeof SHARED, NULL, try_acquire, leave, settle, NULL};

static const astat_limiter_ops *open_for_checks(void *user, uint32_t number, uint32_t calls, uint64_t window,
                                                void **context)
{
    struct limiter **first = user, *limiter = *first;
    while (limiter && limiter->number != number)
        limiter = limiter->next;
    if (!limiter) {
        limiter = new_limiter(calls, window);
        if (!limiter)
            return NULL;
        limiter->number = number;
        limiter->next = *first;
        *first = limiter;
    }
    *context = limiter;
    return &SHARED;
}

static astat_code check(astat_error **error)
{
    struct limiter *opened = NULL;
    const astat_code code = astat_conform_limiter(open_for_checks, &opened, LONGEST_CALL, error);
    while (opened) {
        struct limiter *limiter = opened;
        opened = limiter->next;
        destroy(limiter);
    }
    return code;
}

static astat_code client_with_own_limiter(astat_client **client, astat_error **error)
{
    astat_config *config = astat_config_new();
    struct limiter *limiter = new_limiter(25, 5 * SECOND);
    /* From here on, the library destroys the limiter, whatever happens. */
    astat_code code = astat_config_set_limiter(config, limiter ? &OPS : NULL, limiter, error);

    if (code == ASTAT_OK)
        code = config_from_environment(config, error);
    if (code == ASTAT_OK)
        code = astat_client_new(config, client, error);
    astat_config_free(config);
    return code;
}

int main(int argc, char **argv)
{
    astat_client *client = NULL;
    astat_error *error = NULL;
    int exit_code = ALL_ANSWERED;
    int i;

    if (argc < 2) {
        fprintf(stderr, "usage: own_limiter ID...\n");
        return WRONG_INPUT;
    }
    if (check(&error) != ASTAT_OK || client_with_own_limiter(&client, &error) != ASTAT_OK)
        return report(error);
    for (i = 1; i < argc; i++) {
        astat_status *status = NULL;
        int worse;

        if (astat_client_status(client, ASTAT_LIT("activity.create"), astat_cstr(argv[i]), NULL, &status, &error)
            == ASTAT_OK)
            worse = show(status);
        else
            worse = report(error);
        if (worse > exit_code)
            exit_code = worse;
        astat_status_free(status);
    }
    astat_client_free(client);
    return exit_code;
}
