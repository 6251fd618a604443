/*
 * The limiter of the settings as a handle: shared by clients, and asked by the program itself.
 */
#include "canned.h"

#define SECOND (1000 * MS)

static astat_config *limited_config(struct canned *canned, const astat_virtual_clock *clock)
{
    static const char *const settings[][2] = {{"quota", "3/5s"}, {"strict", "true"}};
    astat_config *config = canned_config(canned);
    size_t i;
    for (i = 0; i < COUNT(settings); i++)
        CHECK(astat_config_set(config, astat_cstr(settings[i][0]), astat_cstr(settings[i][1]), NULL)
              == ASTAT_OK);
    CHECK(astat_config_use_virtual_clock(config, clock, NULL) == ASTAT_OK);
    return config;
}

static astat_limiter *limiter_of(const astat_config *config)
{
    astat_limiter *limiter = STALE(astat_limiter);
    astat_error *error = STALE(astat_error);
    CHECK(astat_limiter_new(config, &limiter, &error) == ASTAT_OK && !error);
    return limiter;
}

/* What it answers, and the wait if it is one. */
static int32_t may(const astat_limiter *limiter, uint64_t *permit, uint64_t *wait)
{
    astat_error *error = STALE(astat_error);
    int32_t said = 77;
    CHECK(astat_limiter_try_acquire(limiter, ASTAT_CLASS_POLL, &said, permit, wait, &error) == ASTAT_OK
          && !error);
    CHECK(said == ASTAT_GRANTED ? *wait == 0 : said == ASTAT_RETRY_AFTER && *wait > 0 && *permit == 0);
    return said;
}

static void ended(const astat_limiter *limiter, uint64_t permit, int32_t how, uint64_t retry_after)
{
    astat_error *error = STALE(astat_error);
    CHECK(astat_limiter_settle(limiter, permit, how, retry_after, &error) == ASTAT_OK && !error);
}

static astat_snapshot seen(const astat_limiter *limiter)
{
    astat_snapshot quota = ASTAT_SNAPSHOT_INIT;
    astat_error *error = STALE(astat_error);
    CHECK(astat_limiter_snapshot(limiter, &quota, &error) == ASTAT_OK && !error);
    return quota;
}

static void calls_of_ones_own(void)
{
    struct canned canned = {all_well, 0, 0, NULL, NULL};
    astat_virtual_clock *clock = astat_virtual_clock_new();
    astat_config *config = limited_config(&canned, clock);
    astat_limiter *limiter = limiter_of(config), *again = astat_limiter_ref(limiter);
    uint64_t permits[3], permit, wait;
    size_t i;

    CHECK(again == limiter);
    astat_limiter_free(limiter);
    astat_config_free(config);
    for (i = 0; i < COUNT(permits); i++)
        CHECK(may(limiter, &permits[i], &wait) == ASTAT_GRANTED);
    CHECK(permits[0] != permits[1] && permits[1] != permits[2] && permits[0] != permits[2]);
    CHECK(seen(limiter).used == 3 && seen(limiter).free == 0 && seen(limiter).waiting == 0);
    CHECK(may(limiter, &permit, &wait) == ASTAT_RETRY_AFTER && seen(limiter).waiting == 1);
    astat_limiter_leave(limiter);
    CHECK(seen(limiter).waiting == 0);

    ended(limiter, permits[0], ASTAT_SETTLED_NOT_SENT, ASTAT_NS_NONE);
    CHECK(may(limiter, &permits[0], &wait) == ASTAT_GRANTED);
    for (i = 0; i < COUNT(permits); i++)
        ended(limiter, permits[i], ASTAT_SETTLED_ANSWERED, ASTAT_NS_NONE);
    CHECK(may(limiter, &permit, &wait) == ASTAT_RETRY_AFTER && wait >= 5 * SECOND && wait < 6 * SECOND);
    astat_virtual_clock_sleep(clock, wait);
    CHECK(may(limiter, &permit, &wait) == ASTAT_GRANTED);

    /* A refusal is a pause for all; a doubt holds its slot. */
    ended(limiter, permit, ASTAT_SETTLED_REFUSED, 60 * SECOND);
    CHECK(may(limiter, &permit, &wait) == ASTAT_RETRY_AFTER && wait >= 60 * SECOND
          && seen(limiter).refused == 1);
    astat_virtual_clock_sleep(clock, wait);
    CHECK(may(limiter, &permit, &wait) == ASTAT_GRANTED);
    ended(limiter, permit, ASTAT_SETTLED_IN_DOUBT, ASTAT_NS_NONE);
    CHECK(seen(limiter).used == 1);
    ended(limiter, UINT64_MAX, ASTAT_SETTLED_NOT_SENT, 0); /* of nobody's */
    CHECK(seen(limiter).used == 1);
    astat_limiter_free(again);
    astat_virtual_clock_free(clock);
    CHECK(canned.sent == 0 && canned.destroyed == 1);
}

/* Two clients and the program itself keep one quota. */
static void two_clients(void)
{
    struct canned canned = {all_well, 0, 0, NULL, NULL};
    astat_virtual_clock *clock = astat_virtual_clock_new();
    astat_config *config = limited_config(&canned, clock), *other = limited_config(&canned, clock);
    astat_limiter *limiter = limiter_of(config);
    astat_client *one, *two, *alone;
    astat_status *status = NULL;
    astat_snapshot quota = ASTAT_SNAPSHOT_INIT;
    astat_call_options options = ASTAT_CALL_OPTIONS_INIT;
    astat_error *error = NULL;
    uint64_t permit, wait;

    alone = client_of(limited_config(&canned, clock));
    CHECK(astat_config_use_limiter(config, limiter, &error) == ASTAT_OK && !error);
    CHECK(astat_config_use_limiter(other, limiter, &error) == ASTAT_OK && !error);
    one = client_of(config);
    two = client_of(other);
    CHECK(astat_client_status(one, ACTIVITY, ASTAT_LIT("1"), NULL, &status, &error) == ASTAT_OK);
    astat_status_free(status);
    CHECK(astat_client_status(two, ACTIVITY, ASTAT_LIT("2"), NULL, &status, &error) == ASTAT_OK);
    astat_status_free(status);
    CHECK(may(limiter, &permit, &wait) == ASTAT_GRANTED);
    CHECK(astat_client_snapshot(one, &quota, &error) == ASTAT_OK && quota.used == 3);
    CHECK(astat_client_snapshot(two, &quota, &error) == ASTAT_OK && quota.used == 3 && quota.free == 0);
    CHECK(astat_client_snapshot(alone, &quota, &error) == ASTAT_OK && quota.used == 0);
    options.deadline_ns = SECOND;
    FAILS(ASTAT_E_DEADLINE, astat_client_status(two, ACTIVITY, ASTAT_LIT("3"), &options, &status, &error),
          status,
          error);
    CHECK(seen(limiter).waiting == 0);
    astat_client_free(one);
    ended(limiter, permit, ASTAT_SETTLED_ANSWERED, ASTAT_NS_NONE);
    CHECK(astat_client_status(two, ACTIVITY, ASTAT_LIT("3"), NULL, &status, &error) == ASTAT_OK);
    astat_status_free(status);
    CHECK(astat_virtual_clock_now_ns(clock) >= 5 * SECOND);
    astat_limiter_free(limiter);
    CHECK(astat_client_status(two, ACTIVITY, ASTAT_LIT("4"), NULL, &status, &error) == ASTAT_OK);
    astat_status_free(status);
    astat_client_free(two);
    astat_client_free(alone);
    astat_virtual_clock_free(clock);
    CHECK(canned.sent == 4 && canned.destroyed == 3);
}

/* A limiter of the program's is one, too: as a handle it keeps its context. */
static void ones_own(void)
{
    struct plug plug = PLUG;
    astat_config *config = new_config(), *other = new_config();
    astat_limiter *limiter;
    astat_snapshot quota;
    astat_error *error = NULL;
    uint64_t permit = 0, wait = 0;
    int32_t said = 0;
    char text[200];

    CHECK(astat_config_set_limiter(config, &PLUG_OPS, &plug, NULL) == ASTAT_OK);
    limiter = limiter_of(config);
    astat_config_free(config);
    CHECK(plug.destroyed == 0);
    CHECK(may(limiter, &permit, &wait) == ASTAT_GRANTED && permit == PERMIT
          && plug.last_class == ASTAT_CLASS_POLL);
    ended(limiter, permit, ASTAT_SETTLED_REFUSED, 7 * SECOND);
    CHECK(plug.last_how == ASTAT_SETTLED_REFUSED && plug.last_retry_after == 7 * SECOND);
    quota = seen(limiter);
    CHECK(quota.used == 3 && quota.refused == 5 && plug.looked == 1);

    sprintf(text, "the store of %s is gone", "wr0ng-keeper");
    plug.trouble = text;
    plug.answer = plug.answer_of_others = 77;
    CHECK(astat_limiter_try_acquire(limiter, ASTAT_CLASS_POLL, &said, &permit, &wait, &error)
          == ASTAT_E_LIMITER);
    CHECK(said == 0 && permit == 0 && wait == 0 && holds(astat_error_message(error), "is gone"));
    FAILS(ASTAT_E_LIMITER, ASTAT_E_LIMITER, NULL, error);
    FAILS(ASTAT_E_LIMITER, astat_limiter_settle(limiter, PERMIT, ASTAT_SETTLED_ANSWERED, 0, &error), NULL,
          error);
    FAILS(ASTAT_E_LIMITER, astat_limiter_snapshot(limiter, &quota, &error), NULL, error);
    plug.answer = ASTAT_GRANTED;
    plug.answer_of_others = ASTAT_OK;
    plug.trouble = NULL;

    CHECK(astat_config_use_limiter(other, limiter, NULL) == ASTAT_OK);
    astat_limiter_free(limiter);
    CHECK(plug.destroyed == 0);
    CHECK(astat_config_set(other, ASTAT_LIT("limiter"), ASTAT_LIT("process"), NULL) == ASTAT_OK);
    astat_client_free(client_of(other)); /* the handle is in place of that */
    CHECK(plug.destroyed == 1);
}

static void wrong_uses(void)
{
    astat_config *config = new_config();
    astat_limiter *limiter = STALE(astat_limiter);
    astat_snapshot quota = ASTAT_SNAPSHOT_INIT;
    astat_error *error = NULL;
    uint64_t permit = 7, wait = 7;
    int32_t said = 7;

    FAILS(ASTAT_E_ARGUMENT, astat_limiter_new(NULL, &limiter, &error), limiter, error);
    FAILS(ASTAT_E_ARGUMENT, astat_limiter_new(config, NULL, &error), NULL, error);
    CHECK(astat_config_set(config, ASTAT_LIT("quota"), ASTAT_LIT("none"), NULL) == ASTAT_OK);
    limiter = STALE(astat_limiter);
    FAILS(ASTAT_E_CONFIG, astat_limiter_new(config, &limiter, &error), limiter, error);
    CHECK(astat_config_set(config, ASTAT_LIT("quota"), ASTAT_LIT("1/5s"), NULL) == ASTAT_OK);
    FAILS(ASTAT_E_ARGUMENT, astat_config_use_limiter(config, NULL, &error), NULL, error);
    limiter = limiter_of(config);
    FAILS(ASTAT_E_ARGUMENT, astat_config_use_limiter(NULL, limiter, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_limiter_try_acquire(limiter, 0, &said, &permit, &wait, &error), NULL,
          error);
    CHECK(said == 0 && permit == 0 && wait == 0);
    FAILS(ASTAT_E_ARGUMENT, astat_limiter_try_acquire(NULL, 1, &said, &permit, &wait, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_limiter_try_acquire(limiter, 1, NULL, &permit, &wait, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_limiter_try_acquire(limiter, 1, &said, NULL, &wait, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_limiter_try_acquire(limiter, 1, &said, &permit, NULL, &error), NULL, error);
    CHECK(seen(limiter).used == 0); /* no slot was lost by that */
    FAILS(ASTAT_E_ARGUMENT, astat_limiter_settle(limiter, 1, 0, 0, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_limiter_settle(NULL, 1, ASTAT_SETTLED_ANSWERED, 0, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_limiter_snapshot(limiter, NULL, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_limiter_snapshot(NULL, &quota, &error), NULL, error);
    astat_limiter_leave(NULL);
    astat_limiter_leave(limiter); /* who does not wait has no place */
    CHECK(!astat_limiter_ref(NULL));
    astat_limiter_free(NULL);
    astat_limiter_free(limiter);
    astat_config_free(config);
}

int main(int argc, char **argv)
{
    if (!begins(argc, argv))
        return 2;
    calls_of_ones_own();
    two_clients();
    ones_own();
    wrong_uses();
    return ends();
}
