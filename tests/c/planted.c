/*
 * Errors that a checker must report, so that its silence on the other programs means something: planted ERROR
 */
#include "checks.h"

static astat_error *an_error(void)
{
    astat_error *error = NULL;
    CHECK(astat_config_set(NULL, NONE, NONE, &error) == ASTAT_E_ARGUMENT);
    return error;
}

/* The library reads what was freed. */
static void use_after_free(void)
{
    astat_error *error = an_error();
    astat_error_free(error);
    printf("%d\n", (int)astat_error_http_status(error));
}

/* What the library made is not freed. */
static void leak(void)
{
    astat_error *volatile error = an_error();
    error = NULL;
    (void)error;
}

static int32_t overflow(int32_t number)
{
    volatile int32_t most = INT32_MAX;
    return most + number;
}

static pthread_barrier_t both;
static int counted;

static int32_t count_without_a_lock(void *context, int32_t call_class, uint64_t now, uint64_t *permit,
                                    uint64_t *wait, astat_trouble *trouble)
{
    (void)context, (void)call_class, (void)now, (void)permit, (void)wait, (void)trouble;
    pthread_barrier_wait(&both); /* nothing orders what both do from here */
    counted++;
    return -1;
}

static int32_t settle(void *context, uint64_t permit, int32_t how, uint64_t retry_after, uint64_t now,
                      astat_trouble *trouble)
{
    (void)context, (void)permit, (void)how, (void)retry_after, (void)now, (void)trouble;
    return ASTAT_OK;
}

static void *ask(void *client)
{
    astat_status *status = NULL;
    CHECK(astat_client_status((const astat_client *)client, ACTIVITY, ASTAT_LIT("1"), NULL, &status, NULL)
          == ASTAT_E_LIMITER);
    return NULL;
}

/* Two threads in a function of a plug-in. */
static void race_in_a_plugin(void)
{
    const astat_limiter_ops ops = {sizeof ops, NULL, count_without_a_lock, NULL, settle, NULL};
    astat_config *config = astat_config_new();
    astat_client *client = NULL;
    pthread_t other;
    CHECK(astat_config_set(config, ASTAT_LIT("region"), ASTAT_LIT("in"), NULL) == ASTAT_OK);
    CHECK(astat_config_set_keys(config, ASTAT_LIT("a-key"), NONE, NONE, NULL) == ASTAT_OK);
    CHECK(astat_config_set_limiter(config, &ops, NULL, NULL) == ASTAT_OK);
    CHECK(astat_client_new(config, &client, NULL) == ASTAT_OK);
    CHECK(pthread_barrier_init(&both, NULL, 2) == 0);
    CHECK(pthread_create(&other, NULL, ask, client) == 0);
    ask(client);
    CHECK(pthread_join(other, NULL) == 0);
    astat_client_free(client);
    astat_config_free(config);
}

/* What ThreadSanitizer does not see cannot order two threads for it. */
static volatile int is_set;

static __attribute__((no_sanitize_thread)) void say_so(void) { is_set = 1; }
static __attribute__((no_sanitize_thread)) int is_said(void) { return is_set; }

/* NULL if it went well: CHECK takes a lock, which would order the threads. */
static void *set_a_setting(void *config)
{
    const astat_code code
        = astat_config_set((astat_config *)config, ASTAT_LIT("quota"), ASTAT_LIT("10/5s"), NULL);
    say_so();
    return code == ASTAT_OK ? NULL : config;
}

/* Two threads in the library, with a handle that is for one at a time. Only nothing says that one came first. */
static void race_in_the_library(void)
{
    const struct timespec moment = {0, 1000000};
    astat_config *config = astat_config_new();
    void *failed = config;
    pthread_t other;
    CHECK(pthread_create(&other, NULL, set_a_setting, config) == 0);
    while (!is_said())
        nanosleep(&moment, NULL);
    CHECK(astat_config_set(config, ASTAT_LIT("quota"), ASTAT_LIT("10/5s"), NULL) == ASTAT_OK);
    CHECK(pthread_join(other, &failed) == 0 && !failed);
    astat_config_free(config);
}

int main(int argc, char **argv)
{
    const char *error = argc == 2 ? argv[1] : "";
    if (!strcmp(error, "use_after_free"))
        use_after_free();
    else if (!strcmp(error, "leak"))
        leak();
    else if (!strcmp(error, "overflow"))
        printf("%d\n", (int)overflow(1));
    else if (!strcmp(error, "race_in_a_plugin"))
        race_in_a_plugin();
    else if (!strcmp(error, "race_in_the_library"))
        race_in_the_library();
    else
        return 2;
    return ends();
}
