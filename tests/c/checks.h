/*
 * What the programs that check the library against a sandbox have in common.
 *
 * Each is called with the sandbox's BASE_URL, and its keys are in the environment. It prints each check that
 * failed and, at the end, how many passed; it ends with 0 if all did, 1 if not, 2 if it was called wrongly.
 */
#ifndef CHECKS_H
#define CHECKS_H

#include <activity_status.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MS UINT64_C(1000000)
#define NONE astat_cstr(NULL)
#define ACTIVITY ASTAT_LIT("activity.create")
#define BODY_WITH(note) \
    ASTAT_LIT("{\"RelatedProspectId\":\"b8e49bf4\",\"ActivityEvent\":380,\"ActivityNote\":\"" note "\"}")
#define BODY BODY_WITH("a check")

static const char *base_url;
static astat_str api_key, access_key, secret_key;

static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static int passed, failed;

static inline int check(int ok, const char *what, const char *file, int line)
{
    pthread_mutex_lock(&counting);
    if (ok)
        passed++;
    else {
        failed++;
        printf("%s:%d: %s\n", file, line, what);
    }
    pthread_mutex_unlock(&counting);
    return ok;
}

#define CHECK(condition) check((condition) ? 1 : 0, #condition, __FILE__, __LINE__)

/* Whether the program was called as it must be. */
static inline int begins(int argc, char **argv)
{
    api_key = astat_cstr(getenv("ACTIVITY_STATUS_API_KEY"));
    access_key = astat_cstr(getenv("ACTIVITY_STATUS_ACCESS_KEY"));
    secret_key = astat_cstr(getenv("ACTIVITY_STATUS_SECRET_KEY"));
    if (argc != 2 || !api_key.len || !access_key.len || !secret_key.len) {
        fprintf(stderr,
                "usage: %s BASE_URL, with the keys of a sandbox in ACTIVITY_STATUS_API_KEY, _ACCESS_KEY "
                "and _SECRET_KEY\n",
                argv[0]);
        return 0;
    }
    base_url = argv[1];
    return 1;
}

/* How many threads this process has; 0 where nothing says so. */
static inline int threads_running(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    int count = 0;
    while (file && !count && fgets(line, sizeof line, file))
        if (sscanf(line, "Threads: %d", &count) != 1)
            count = 0;
    if (file)
        fclose(file);
    return count;
}

/* What a question that was left to itself still holds is not lost, though valgrind may take it for that. */
static inline void wait_for_other_threads(void)
{
    const struct timespec moment = {0, 1000000};
    int tries;
    for (tries = 0; tries < 2000 && threads_running() > 1; tries++)
        nanosleep(&moment, NULL);
}

/* Says how it went, and what the program must end with. */
static inline int ends(void)
{
    int well;
#ifndef WITH_THREADS_OF_ITS_OWN /* that is, of a sanitizer */
    wait_for_other_threads();
#endif
    /* A question that was left to itself may still call a plug-in. */
    pthread_mutex_lock(&counting);
    printf("%d passed, %d failed\n", passed, failed);
    well = !failed;
    pthread_mutex_unlock(&counting);
    return well ? 0 : 1;
}

/* What comes out has its length and a NUL behind it. */
static inline int is(astat_str text, const char *expected)
{
    return text.ptr && text.len == strlen(expected) && memcmp(text.ptr, expected, text.len + 1) == 0;
}

static inline int holds(astat_str text, const char *part)
{
    return text.ptr && text.ptr[text.len] == '\0' && strstr(text.ptr, part) != NULL;
}

static inline int is_absent(astat_str text) { return !text.ptr && text.len == 0; }

/* No key, nor the one that the checks make up, may be in a text. */
static inline int is_clean(astat_str text)
{
    return !holds(text, api_key.ptr) && !holds(text, access_key.ptr) && !holds(text, secret_key.ptr)
           && !holds(text, "wr0ng-s3cr3t");
}

/* A call failed with this code, said so in its error, and gave nothing else; it ends the error. */
static inline void failed_with(astat_code expected, astat_code code, const void *out, astat_error *error,
                               const char *file, int line)
{
    const astat_str word = astat_code_name(expected);
    check(code == expected, "the code is another one", file, line);
    if (code != expected)
        printf("%s:%d: %s instead of %s: %s\n", file, line, astat_code_name(code).ptr, word.ptr,
               error ? astat_error_message(error).ptr : "no error");
    check(out == NULL, "a failed call gave a result", file, line);
    if (check(error != NULL, "a failed call gave no error", file, line)) {
        const astat_str texts[] = {astat_error_message(error), astat_error_json(error),
                                   astat_error_exception_type(error), astat_error_exception_message(error)};
        size_t i;
        check(astat_error_code(error) == expected, "the error has another code", file, line);
        check(is(astat_error_kind(error), word.ptr), "the error has another kind", file, line);
        check(texts[0].len > 0, "the error has no message", file, line);
        check(holds(texts[1], astat_error_resend_name(error).ptr), "the advice is not in the JSON", file,
              line);
        for (i = 0; i < COUNT(texts); i++)
            check(is_clean(texts[i]), "a key is in a text", file, line);
    }
    astat_error_free(error);
}

/* The call comes first: C may read its arguments in any order. */
#define FAILS(expected, call, out, error)                                   \
    do {                                                                    \
        const astat_code code_ = (call);                                    \
        failed_with((expected), code_, (out), (error), __FILE__, __LINE__); \
    } while (0)

/* The value of something that no call may leave as it is. */
#define STALE(type) ((type *)(void *)&passed)

static inline astat_config *new_config(void)
{
    astat_config *config = astat_config_new();
    CHECK(astat_config_set_keys(config, api_key, access_key, secret_key, NULL) == ASTAT_OK);
    CHECK(astat_config_set(config, ASTAT_LIT("base_url"), astat_cstr(base_url), NULL) == ASTAT_OK);
    return config;
}

static inline astat_client *client_with(astat_str key, astat_str url, const char *const (*settings)[2],
                                        size_t count)
{
    astat_config *config = astat_config_new();
    astat_client *client = NULL;
    astat_error *error = NULL;
    size_t i;
    CHECK(config);
    CHECK(astat_config_set_keys(config, key, access_key, secret_key, &error) == ASTAT_OK);
    CHECK(astat_config_set(config, ASTAT_LIT("base_url"), url, NULL) == ASTAT_OK);
    for (i = 0; i < count; i++)
        CHECK(astat_config_set(config, astat_cstr(settings[i][0]), astat_cstr(settings[i][1]), &error)
              == ASTAT_OK);
    CHECK(astat_client_new(config, &client, &error) == ASTAT_OK);
    CHECK(error == NULL);
    astat_config_free(config);
    return client;
}

static inline astat_client *new_client(void) { return client_with(api_key, astat_cstr(base_url), NULL, 0); }

static inline astat_submitted *submit(const astat_client *client, astat_str body)
{
    astat_submitted *submitted = STALE(astat_submitted);
    astat_error *error = STALE(astat_error);
    CHECK(astat_client_submit(client, ACTIVITY, body, NULL, &submitted, &error) == ASTAT_OK);
    if (!CHECK(error == NULL)) {
        printf("    %s\n", astat_error_message(error).ptr);
        astat_error_free(error);
    }
    CHECK(submitted != NULL);
    return submitted;
}

#endif
