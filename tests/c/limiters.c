/*
 * Limiters: the caller's own, the built-in ones, and how a client stands with them.
 */
#include "plug.h"

#include <unistd.h>

static void own_limiter(void)
{
    struct plug plug = PLUG;
    astat_client *client = plugged_client(&plug, NULL);
    astat_submitted *submitted = submit(client, BODY);
    astat_status *status = NULL;
    astat_metrics *metrics = NULL;
    astat_snapshot quota = ASTAT_SNAPSHOT_INIT;
    astat_error *error = NULL;
    uint64_t settled_at;

    CHECK(plug.acquired == 1 && plug.last_class == ASTAT_CLASS_SUBMIT);
    settled_at = plug.last_time;
    CHECK(settled_at > 0);
    CHECK(plug.settled == 1 && plug.last_how == ASTAT_SETTLED_ANSWERED);
    CHECK(plug.last_retry_after == ASTAT_NS_NONE);
    CHECK(astat_client_status(client, ACTIVITY, astat_submitted_request_id(submitted), NULL, &status, &error)
          == ASTAT_OK);
    CHECK(plug.acquired == 2 && plug.last_class == ASTAT_CLASS_POLL && plug.settled == 2);
    CHECK(astat_client_metrics(client, ACTIVITY, NULL, &metrics, &error) == ASTAT_OK);
    CHECK(plug.acquired == 3 && plug.last_class == ASTAT_CLASS_OTHER && plug.settled == 3);
    CHECK(astat_client_snapshot(client, &quota, &error) == ASTAT_OK && !error && plug.looked == 1);
    CHECK(quota.used == 3 && quota.free == UINT32_MAX && quota.refused == 5 && quota.waiting == 0);
    CHECK(quota.next_free_in_ns == 0 && quota.struct_size == sizeof quota);
    CHECK(plug.left == 0 && plug.last_time > settled_at);
    astat_metrics_free(metrics);
    astat_status_free(status);
    astat_submitted_free(submitted);
    CHECK(plug.destroyed == 0);
    astat_client_free(client);
    CHECK(plug.destroyed == 1);
}

/* A limiter ends once, whatever happens to it. */
static void a_limiter_ends_once(void)
{
    static const size_t unreadable[] = {0, 1, sizeof(size_t), offsetof(astat_limiter_ops, try_acquire) - 1,
                                        100000, (size_t)-1};
    struct plug plug = PLUG, other = PLUG;
    astat_limiter_ops ops = PLUG_OPS;
    struct {
        astat_limiter_ops known;
        uint64_t later;
    } newer = {ASTAT_LIMITER_OPS_INIT, 0};
    astat_config *config = new_config();
    astat_client *one = NULL, *two = NULL, *client = STALE(astat_client);
    astat_error *error = NULL;
    size_t i;

    FAILS(ASTAT_E_ARGUMENT, astat_config_set_limiter(NULL, &ops, &plug, &error), NULL, error);
    CHECK(plug.destroyed == 1);
    ops.try_acquire = NULL;
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_limiter(config, &ops, &plug, &error), NULL, error);
    CHECK(plug.destroyed == 2);
    ops = PLUG_OPS;
    ops.settle = NULL;
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_limiter(config, &ops, &plug, &error), NULL, error);
    CHECK(plug.destroyed == 3);
    ops = PLUG_OPS;
    ops.struct_size = offsetof(astat_limiter_ops, try_acquire); /* as far as destroy */
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_limiter(config, &ops, &plug, &error), NULL, error);
    CHECK(plug.destroyed == 4);
    newer.known = PLUG_OPS;
    newer.known.struct_size = sizeof newer;
    newer.later = 1;
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_limiter(config, &newer.known, &plug, &error), NULL, error);
    CHECK(plug.destroyed == 5);

    /* What has no destroy to be read ends nothing. */
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_limiter(config, NULL, &plug, &error), NULL, error);
    for (i = 0; i < COUNT(unreadable); i++) {
        ops.struct_size = unreadable[i];
        FAILS(ASTAT_E_ARGUMENT, astat_config_set_limiter(config, &ops, &plug, &error), NULL, error);
    }
    CHECK(plug.destroyed == 5);

    /* Replaced before it was used. */
    CHECK(astat_config_set_limiter(config, &PLUG_OPS, &plug, NULL) == ASTAT_OK && plug.destroyed == 5);
    newer.later = 0;
    CHECK(astat_config_set_limiter(config, &newer.known, &other, NULL) == ASTAT_OK && plug.destroyed == 6);

    /* Two clients share it, and a third has another. */
    CHECK(astat_client_new(config, &one, &error) == ASTAT_OK);
    CHECK(astat_client_new(config, &two, &error) == ASTAT_OK);
    CHECK(astat_config_set_limiter(config, &PLUG_OPS, &plug, NULL) == ASTAT_OK && other.destroyed == 0);
    astat_client_free(one);
    CHECK(other.destroyed == 0);
    astat_client_free(two);
    CHECK(other.destroyed == 1 && plug.destroyed == 6);

    /* No client comes of it. */
    CHECK(astat_config_set(config, ASTAT_LIT("limiter"), ASTAT_LIT("process"), NULL) == ASTAT_OK);
    FAILS(ASTAT_E_CONFIG, astat_client_new(config, &client, &error), client, error);
    CHECK(plug.destroyed == 6);
    astat_config_free(config);
    CHECK(plug.destroyed == 7);
    config = astat_config_new();
    CHECK(astat_config_set_limiter(config, &PLUG_OPS, &plug, NULL) == ASTAT_OK);
    FAILS(ASTAT_E_CONFIG, astat_client_new(config, &client, &error), client, error);
    CHECK(plug.destroyed == 7);
    astat_config_free(config);
    CHECK(plug.destroyed == 8);
}

/* Only try_acquire and settle are needed, and what an older caller's struct does not have is not called. */
static void a_limiter_of_few_functions(void)
{
    struct plug plug = PLUG;
    astat_limiter_ops ops = PLUG_OPS;
    astat_config *config = new_config();
    astat_client *client = NULL;
    astat_status *status = NULL;
    astat_snapshot quota = ASTAT_SNAPSHOT_INIT;
    astat_error *error = NULL;

    ops.struct_size = offsetof(astat_limiter_ops, snapshot);
    ops.destroy = NULL;
    ops.leave = NULL;
    plug.answer = -1;
    CHECK(astat_config_set_limiter(config, &ops, &plug, NULL) == ASTAT_OK);
    memset(&ops, 0xff, sizeof ops); /* they were copied */
    CHECK(astat_client_new(config, &client, &error) == ASTAT_OK);
    FAILS(ASTAT_E_LIMITER, astat_client_status(client, ACTIVITY, ASTAT_LIT("1"), NULL, &status, &error), status,
          error);
    quota.used = 7;
    CHECK(astat_client_snapshot(client, &quota, &error) == ASTAT_OK && !error && plug.looked == 0);
    CHECK(quota.used == ASTAT_NONE && quota.free == ASTAT_NONE && quota.waiting == ASTAT_NONE);
    CHECK(quota.refused == ASTAT_NONE && quota.next_free_in_ns == ASTAT_NS_NONE);
    astat_client_free(client);
    astat_config_free(config);
    CHECK(plug.left == 0 && plug.destroyed == 0);
}

/* What a limiter says reaches the caller, without keys. */
static void a_limiter_in_trouble(void)
{
    struct plug plug = PLUG;
    astat_client *client = plugged_client(&plug, NULL);
    astat_submitted *submitted = submit(client, BODY);
    const astat_str id = astat_submitted_request_id(submitted);
    astat_status *status = STALE(astat_status);
    astat_snapshot quota = ASTAT_SNAPSHOT_INIT;
    astat_error *error = NULL;
    char text[200];

    sprintf(text, "the store at %s is gone", api_key.ptr);
    plug.trouble = text;
    plug.answer = 77;
    CHECK(astat_client_status(client, ACTIVITY, id, NULL, &status, &error) == ASTAT_E_LIMITER);
    CHECK(holds(astat_error_message(error), "the store at "));
    CHECK(holds(astat_error_message(error), " is gone"));
    CHECK(!holds(astat_error_message(error), "a first thought"));
    CHECK(astat_error_resend(error) == ASTAT_RESEND_SAFE && astat_error_attempts(error) == 0);
    CHECK(plug.left == 0 && plug.settled == 1); /* one that cannot tell cannot hear either */
    FAILS(ASTAT_E_LIMITER, ASTAT_E_LIMITER, status, error);

    plug.trouble = NULL;
    CHECK(astat_client_status(client, ACTIVITY, id, NULL, &status, &error) == ASTAT_E_LIMITER);
    CHECK(holds(astat_error_message(error), "try_acquire") && holds(astat_error_message(error), "77"));
    FAILS(ASTAT_E_LIMITER, ASTAT_E_LIMITER, status, error);
    plug.trouble = "\xff";
    plug.answer = ASTAT_OK; /* a forgotten answer is no leave */
    CHECK(astat_client_status(client, ACTIVITY, id, NULL, &status, &error) == ASTAT_E_LIMITER);
    CHECK(holds(astat_error_message(error), "\xef\xbf\xbd"));
    FAILS(ASTAT_E_LIMITER, ASTAT_E_LIMITER, status, error);

    plug.trouble = text;
    plug.answer_of_others = 78;
    CHECK(astat_client_snapshot(client, &quota, &error) == ASTAT_E_LIMITER);
    CHECK(holds(astat_error_message(error), " is gone") && quota.used == ASTAT_NONE);
    FAILS(ASTAT_E_LIMITER, ASTAT_E_LIMITER, NULL, error);

    /* The call was made, so it counts, though its settlement was not recorded. */
    plug.answer = ASTAT_GRANTED;
    CHECK(astat_client_status(client, ACTIVITY, id, NULL, &status, &error) == ASTAT_OK && !error);
    CHECK(plug.settled == 2);
    astat_status_free(status);
    astat_submitted_free(submitted);
    astat_client_free(client);
    CHECK(plug.destroyed == 1);
}

/* A wait of nothing or of ages ends with the call's deadline. */
static void a_limiter_without_sense(void)
{
    static const uint64_t waits[] = {0, 1, 10 * MS, UINT64_MAX};
    size_t i;
    for (i = 0; i < COUNT(waits); i++) {
        struct plug plug = PLUG;
        astat_client *client = plugged_client(&plug, "50ms");
        astat_status *status = STALE(astat_status);
        astat_error *error = NULL;
        plug.answer = ASTAT_RETRY_AFTER;
        plug.wait = waits[i];
        FAILS(ASTAT_E_DEADLINE, astat_client_status(client, ACTIVITY, ASTAT_LIT("1"), NULL, &status, &error),
              status, error);
        CHECK(plug.acquired >= 1 && plug.acquired <= 51 && plug.left == 1 && plug.settled == 0);
        astat_client_free(client);
    }
}

static void reentrance(void)
{
    struct plug plug = PLUG;
    astat_client *client = plugged_client(&plug, NULL), *other = new_client();
    astat_submitted *submitted = submit(client, BODY);
    const astat_str id = astat_submitted_request_id(submitted);
    astat_status *status = NULL;
    astat_snapshot quota = ASTAT_SNAPSHOT_INIT;
    astat_error *error = NULL;

    plug.reenters = client;
    CHECK(astat_client_status(client, ACTIVITY, id, NULL, &status, &error) == ASTAT_OK);
    astat_status_free(status);
    CHECK(plug.reentered == 2); /* try_acquire and settle */
    CHECK(astat_client_snapshot(client, &quota, &error) == ASTAT_OK && plug.reentered == 3);
    plug.answer = -1;
    FAILS(ASTAT_E_LIMITER, astat_client_status(client, ACTIVITY, id, NULL, &status, &error), status, error);
    CHECK(plug.reentered == 4); /* try_acquire alone */
    plug.answer = ASTAT_RETRY_AFTER;
    plug.wait = UINT64_C(3600000000000);
    FAILS(ASTAT_E_DEADLINE, astat_client_status(client, ACTIVITY, id, NULL, &status, &error), status, error);
    CHECK(plug.reentered == 6); /* try_acquire and leave */

    /* Another client is no way round, and afterwards all is as before. */
    plug.reenters = other;
    astat_client_free(client);
    CHECK(plug.reentered == 7 && plug.destroyed == 1);
    CHECK(astat_client_status(other, ACTIVITY, id, NULL, &status, &error) == ASTAT_OK);
    astat_status_free(status);
    astat_submitted_free(submitted);
    astat_client_free(other);
}

/* How the built-in limiter stands, for callers with an older or a newer header too. */
static void the_quota(void)
{
    static const char *const ten[][2] = {{"quota", "10/1m"}, {"strict", "true"}, {"submit_share", "20"}};
    static const size_t never_set[] = {0, 1, sizeof(size_t), 100000, (size_t)-1};
    astat_client *client = client_with(api_key, astat_cstr(base_url), ten, COUNT(ten));
    astat_submitted *submitted = submit(client, BODY);
    struct {
        astat_snapshot known;
        uint64_t later;
    } newer = {ASTAT_SNAPSHOT_INIT, 7};
    astat_snapshot *quota = &newer.known;
    astat_error *error = NULL;
    size_t i;

    CHECK(astat_client_snapshot(client, quota, &error) == ASTAT_OK && !error);
    CHECK(quota->used == 1 && quota->free == 9 && quota->next_free_in_ns == 0);
    CHECK(quota->waiting == 0 && quota->refused == 0);

    for (i = 0; i < COUNT(never_set); i++) {
        quota->struct_size = never_set[i];
        quota->used = 77;
        FAILS(ASTAT_E_ARGUMENT, astat_client_snapshot(client, quota, &error), NULL, error);
        CHECK(quota->used == 77);
    }
    quota->struct_size = sizeof newer;
    CHECK(astat_client_snapshot(client, quota, NULL) == ASTAT_OK);
    CHECK(quota->used == 1 && quota->struct_size == sizeof newer && newer.later == 7);
    quota->struct_size = offsetof(astat_snapshot, free);
    quota->used = quota->free = 77;
    CHECK(astat_client_snapshot(client, quota, NULL) == ASTAT_OK);
    CHECK(quota->used == 1 && quota->free == 77);
    astat_submitted_free(submitted);
    astat_client_free(client);
}

/* Two clients on one file share the quota; other settings of a limiter are checked. */
static void shared_quota(void)
{
    static const struct {
        const char *key, *value;
        astat_code code;
    } wrong[] = {
        {"limiter", "carrier-pigeon", ASTAT_E_CONFIG},
        {"limiter", "file:/no/such/folder/quota", ASTAT_E_CONFIG},
        {"limiter_away", "x", ASTAT_E_CONFIG},
        {"strict", "x", ASTAT_E_CONFIG},
        {"submit_share", "0", ASTAT_E_CONFIG},
    };
    char path[] = "/tmp/astat-limiters-XXXXXX", place[64];
    const char *const settings[][2] = {{"quota", "10/1m"}, {"limiter", place}};
    astat_client *one, *two, *client;
    astat_snapshot quota = ASTAT_SNAPSHOT_INIT;
    astat_submitted *submitted;
    astat_error *error = NULL;
    size_t i;

    CHECK(mkdtemp(path) != NULL);
    sprintf(place, "file:%s/quota", path);
    one = client_with(api_key, astat_cstr(base_url), settings, COUNT(settings));
    two = client_with(api_key, astat_cstr(base_url), settings, COUNT(settings));
    submitted = submit(one, BODY);
    CHECK(astat_client_snapshot(two, &quota, &error) == ASTAT_OK && !error);
    CHECK(quota.used == 1 && quota.free == 9);
    astat_submitted_free(submitted);
    astat_client_free(one);
    submitted = submit(two, BODY);
    CHECK(astat_client_snapshot(two, &quota, &error) == ASTAT_OK);
    CHECK(quota.used == 2 && quota.free == 8);
    astat_submitted_free(submitted);
    astat_client_free(two);
    CHECK(unlink(place + strlen("file:")) == 0);
    CHECK(rmdir(path) == 0);

    for (i = 0; i < COUNT(wrong); i++) {
        astat_config *config = new_config();
        client = STALE(astat_client);
        CHECK(astat_config_set(config, astat_cstr(wrong[i].key), astat_cstr(wrong[i].value), NULL)
              == ASTAT_OK);
        FAILS(wrong[i].code, astat_client_new(config, &client, &error), client, error);
        astat_config_free(config);
    }
}

struct opened {
    struct plug plug;
    int count;
    const astat_limiter_ops *ops;
};

static const astat_limiter_ops *open_plug(void *user, uint32_t number, uint32_t calls, uint64_t window,
                                          void **context)
{
    struct opened *opened = (struct opened *)user;
    CHECK(number > 0 && calls > 0 && window == 5000 * MS);
    opened->count++;
    *context = &opened->plug;
    return opened->ops;
}

/* What does not keep a quota does not pass, and is told why. The examples have limiters that pass. */
static void conformance(void)
{
    astat_limiter_ops half = PLUG_OPS;
    struct opened opened = {PLUG, 0, &PLUG_OPS};
    astat_error *error = NULL;

    CHECK(astat_conform_limiter(open_plug, &opened, ASTAT_NS_NONE, &error) == ASTAT_E_LIMITER);
    CHECK(holds(astat_error_message(error), "a slot ends with its call: "));
    CHECK(holds(astat_error_message(error), "another got leave"));
    FAILS(ASTAT_E_LIMITER, ASTAT_E_LIMITER, NULL, error);
    CHECK(opened.count > 0 && opened.plug.destroyed == opened.count);

    opened.plug.answer = 77;
    opened.plug.trouble = "out of order";
    CHECK(astat_conform_limiter(open_plug, &opened, 0, &error) == ASTAT_E_LIMITER);
    CHECK(holds(astat_error_message(error), "out of order"));
    FAILS(ASTAT_E_LIMITER, ASTAT_E_LIMITER, NULL, error);
    opened.plug.answer = ASTAT_RETRY_AFTER;
    FAILS(ASTAT_E_LIMITER, astat_conform_limiter(open_plug, &opened, UINT64_MAX - 1, &error), NULL, error);
    CHECK(opened.plug.destroyed == opened.count);

    half.settle = NULL;
    opened.ops = &half;
    CHECK(astat_conform_limiter(open_plug, &opened, 0, &error) == ASTAT_E_LIMITER);
    CHECK(holds(astat_error_message(error), "settle is NULL"));
    FAILS(ASTAT_E_LIMITER, ASTAT_E_LIMITER, NULL, error);
    CHECK(opened.plug.destroyed == opened.count);
    opened.ops = NULL;
    CHECK(astat_conform_limiter(open_plug, &opened, 0, &error) == ASTAT_E_LIMITER);
    CHECK(holds(astat_error_message(error), "could not be opened"));
    FAILS(ASTAT_E_LIMITER, ASTAT_E_LIMITER, NULL, error);
}

static void *ask_in_a_thread(void *argument)
{
    astat_client *client = (astat_client *)argument;
    int i;
    for (i = 0; i < 3; i++) {
        astat_submitted *submitted = submit(client, BODY);
        astat_status *status = NULL;
        astat_error *error = NULL;
        CHECK(astat_client_status(client, ACTIVITY, astat_submitted_request_id(submitted), NULL, &status, &error)
              == ASTAT_OK);
        CHECK(is(astat_status_request_id(status), astat_submitted_request_id(submitted).ptr));
        astat_status_free(status);
        FAILS(ASTAT_E_NOT_FOUND,
              astat_client_status(client, ACTIVITY, ASTAT_LIT("no-such-job"), NULL, &status, &error), status,
              error);
        astat_submitted_free(submitted);
    }
    astat_client_free(client);
    return NULL;
}

/* Each thread is an owner of the client, and the last one to end it does so, and its limiter. */
static void threads(void)
{
    pthread_t running[4];
    struct plug plug = PLUG;
    astat_client *client = plugged_client(&plug, NULL);
    size_t i;
    for (i = 0; i < COUNT(running); i++)
        CHECK(pthread_create(&running[i], NULL, ask_in_a_thread, astat_client_ref(client)) == 0);
    astat_client_free(client);
    for (i = 0; i < COUNT(running); i++)
        CHECK(pthread_join(running[i], NULL) == 0);
    CHECK(plug.acquired == 4 * 3 * 3 && plug.settled == plug.acquired && plug.destroyed == 1);
}

int main(int argc, char **argv)
{
    if (!begins(argc, argv))
        return 2;
    own_limiter();
    a_limiter_ends_once();
    a_limiter_of_few_functions();
    a_limiter_in_trouble();
    a_limiter_without_sense();
    reentrance();
    the_quota();
    shared_quota();
    conformance();
    threads();
    return ends();
}
