/*
 * What the program begins and judges its trials with that `cargo xtask test` makes of the header: each function is
 * called with each of its arguments odd in turn. A function, a type or a parameter that is new there does not compile
 * before it has its value here.
 */
#ifndef TRIALS_H
#define TRIALS_H

#include "plug.h"
#include "waits.h"

#include <math.h>
#include <signal.h>
#include <unistd.h>

/* How the odd argument of a trial is odd. */
enum how {
    AS_IS, /* no argument is */
    NULLED,
    ALL_NULL, /* every pointer */
    NO_TEXT,
    NULL_OF_FIVE, /* {NULL, 5} */
    EMPTY,        /* a text, or a list that is NULL */
    NOT_UTF8,
    WITH_NUL,
    SIZED, /* struct_size is the trial's size; no byte more is there */
    NEWER_ZEROS,
    NEWER_ONES,
    NO_MEMBER /* a function of a table, at the trial's size, is NULL */
};

static const char *const HOW[] = {"as it must be", "NULL",     "all NULL", "no text",     "{NULL, 5}",  "empty",
                                  "not UTF-8",     "with NUL", "sized",    "newer, zeros", "newer, ones", "lacks"};

/* What must come of it. */
enum expected {
    WORKS,
    IS_REFUSED,      /* ASTAT_E_ARGUMENT */
    SENDS_NOTHING,   /* works, or is refused before anything is sent */
    GOES_ON,         /* whatever comes of it, it is not refused */
    ANSWERS_NOTHING, /* 0, NULL, or none */
    ANSWERS_ANYTHING
};

struct trial {
    const char *function, *parameter;
    void (*run)(const struct trial *);
    int at; /* the number of the parameter */
    enum how how;
    size_t size;
    enum expected expected;
    int destroyed; /* how often the plug-in's context ends, if there is one */
};

struct setter {
    const char *function;
    astat_code (*set)(astat_config *config);
};

static const struct trial *running;
static int without_err; /* the place for the error is NULL, too */
static int destroyed;   /* the context of every plug-in */

static int expect(int ok, const char *what)
{
    if (!check(ok, what, running->function, __LINE__))
        printf("    %s: %s %lu\n", running->parameter, HOW[running->how], (unsigned long)running->size);
    return ok;
}

static int is_odd(const struct trial *t, int at, enum how how) { return t->at == at && t->how == how; }

static int nulled(const struct trial *t, int at) { return t->how == ALL_NULL || is_odd(t, at, NULLED); }

static astat_str text_of(const struct trial *t, int at, astat_str valid)
{
    if (t->how == ALL_NULL || is_odd(t, at, NO_TEXT))
        return NONE;
    if (is_odd(t, at, NULL_OF_FIVE))
        return astat_text(NULL, 5);
    if (is_odd(t, at, EMPTY))
        return ASTAT_LIT("");
    if (is_odd(t, at, NOT_UTF8))
        return ASTAT_LIT("not \xc3(");
    if (is_odd(t, at, WITH_NUL))
        return astat_text("a\0b", 3);
    return valid;
}

/* A struct of its own in as many bytes as it says to have, so that a checker sees any other that is read. */
static void *sized(const struct trial *t, int at, const void *valid, size_t size)
{
    const size_t later = sizeof(uint64_t);
    size_t says, room = size;
    char *bytes;

    if (nulled(t, at))
        return NULL;
    memcpy(&says, valid, sizeof says);
    if (is_odd(t, at, SIZED)) {
        says = t->size;
        if (sizeof says <= says && says < size)
            room = says;
    } else if (is_odd(t, at, NEWER_ZEROS) || is_odd(t, at, NEWER_ONES))
        says = room = size + later;
    bytes = (char *)malloc(room);
    memcpy(bytes, valid, room < size ? room : size);
    memcpy(bytes, &says, sizeof says);
    if (room > size)
        memset(bytes + size, t->how == NEWER_ONES, later);
    if (is_odd(t, at, NO_MEMBER))
        memset(bytes + t->size, 0, sizeof(void (*)(void)));
    return bytes;
}

/* A struct was filled on success alone, as far as it reaches. */
static void was_filled(const struct trial *t, int at, void *filled, const void *valid, size_t size, int worked)
{
    if (filled) {
        void *before = sized(t, at, valid, size);
        const int newer = is_odd(t, at, NEWER_ZEROS) || is_odd(t, at, NEWER_ONES);
        const int older = is_odd(t, at, SIZED) && sizeof(size_t) <= t->size && t->size < size;
        if (!worked)
            expect(memcmp(filled, before, older ? t->size : size) == 0, "a failed call filled a struct");
        expect(memcmp(filled, before, sizeof(size_t)) == 0, "its size was changed");
        if (newer)
            expect(memcmp((char *)filled + size, (char *)before + size, sizeof(uint64_t)) == 0,
                   "it was filled beyond what the library knows");
        free(before);
    }
    free(filled);
}

/* The code is the right one, and the error agrees. Whether the call worked. */
static int judge(const struct trial *t, astat_code code, astat_error *const *err)
{
    switch (t->expected) {
    case WORKS:
        expect(code == ASTAT_OK, "it does not work");
        break;
    case IS_REFUSED:
        expect(code == ASTAT_E_ARGUMENT, "it is not refused");
        break;
    case SENDS_NOTHING:
        expect(code == ASTAT_OK || code == ASTAT_E_CONFIG || code == ASTAT_E_ARGUMENT, "it was sent");
        break;
    case GOES_ON:
        expect(code != ASTAT_E_ARGUMENT, "it is refused");
        break;
    default:
        expect(0, "it has a code");
    }
    if (err && code == ASTAT_OK)
        expect(*err == NULL, "a call that worked has an error");
    else if (err && expect(*err && *err != STALE(astat_error), "a failed call has no error")) {
        expect(astat_error_code(*err) == code, "the error has another code");
        if (!expect(t->expected != WORKS && astat_error_message(*err).len > 0, "why"))
            printf("    %d: %s\n", (int)code, astat_error_message(*err).ptr);
        astat_error_free(*err);
    }
    return code == ASTAT_OK;
}

#define BEGINS  \
    int worked = 1; \
    (void)worked, (void)t
#define HANDLE(at, type, name) type *name = nulled(t, at) ? NULL : make_##type()
#define TEXT(at, name) const astat_str name = text_of(t, at, VALUE_##name)
#define ERR(at, name) \
    astat_error *name##_ = STALE(astat_error), **name = without_err || nulled(t, at) ? NULL : &name##_
#define JUDGE(code) worked = judge(t, code, err)
#define ANSWERS(nothing) expect(t->expected == ANSWERS_ANYTHING || (nothing), "it answers with something")
#define OUT(at, type, name) type *name##_ = STALE(type), **name = nulled(t, at) ? NULL : &name##_
#define OUT_ENDS(type, name, always)                                                   \
    if (name && expect(name##_ != STALE(type), "an out parameter was left as it was")) { \
        expect(worked ? name##_ || !(always) : !name##_, "an out parameter is wrong"); \
        type##_free(name##_);                                                          \
    }
#define NUMBER(at, type, name) type name##_ = 77, *name = nulled(t, at) ? NULL : &name##_
#define NUMBER_ENDS(name) expect(!name || name##_ != 77, "a number was left as it was")
#define GIVEN(at, type, name) \
    void *name##_ = sized(t, at, &valid_##type, sizeof(type)); \
    const type *name = (const type *)name##_
#define GIVEN_ENDS(name) free(name##_)
#define FILLED(at, type, name) type *name = (type *)sized(t, at, &valid_##type, sizeof(type))
#define FILLED_ENDS(at, type, name) was_filled(t, at, name, &valid_##type, sizeof(type), worked)
#define LIST(at, values) (nulled(t, at) || is_odd(t, at, EMPTY) ? NULL : (values))
#define LIST_COUNT(at, values) (is_odd(t, at, EMPTY) ? 0 : COUNT(values))

/* What stands for each parameter, by its name. */
#define VALUE_operation ACTIVITY
#define VALUE_request_id (astat_submitted_request_id(the.submitted))
#define VALUE_body BODY
#define VALUE_message ASTAT_LIT("a reason")
#define VALUE_key ASTAT_LIT("quota")
#define VALUE_value ASTAT_LIT("10/1s")
#define VALUE_api_key the.api_key
#define VALUE_access_key the.access_key
#define VALUE_secret_key the.secret_key
#define VALUE_name ASTAT_LIT("limiter-file")
#define VALUE_path ASTAT_LIT("/a/path")
#define VALUE_status_path VALUE_path
#define VALUE_metrics_path VALUE_path
#define VALUE_code ASTAT_E_CONFIG
#define VALUE_why ASTAT_E_TRANSPORT
#define VALUE_http_status 200
#define VALUE_delivery ASTAT_DELIVERY_NOT_SENT
#define VALUE_index 0
#define VALUE_timeout_ns 0
#define VALUE_longest_call_ns ASTAT_NS_NONE
#define VALUE_submitted_at_unix_ns ASTAT_NS_NONE
#define VALUE_call_class ASTAT_CLASS_POLL
#define VALUE_permit the.permit
#define VALUE_how ASTAT_SETTLED_ANSWERED
#define VALUE_retry_after_ns ASTAT_NS_NONE
#define VALUE_ns 1
#define VALUE_workers 2

static const char VALUES_body[] = {'{', '}'}, VALUES_bytes[] = {'{', '}'};
static const astat_pair VALUES_headers[] = {{{"content-type", 12}, {"application/json", 16}}};

static struct {
    struct plug plug;
    astat_str api_key, access_key, secret_key;
    astat_client *client;
    astat_submitted *submitted;
    astat_status *status;
    astat_metrics *metrics;
    astat_ended *ended;
    astat_jobs *jobs;
    uint64_t permit; /* of the limiter that was made last */
} the = {.plug = PLUG};

static astat_config *make_astat_config(void) { return new_config(); }
static astat_client *make_astat_client(void) { return astat_client_ref(the.client); }
static astat_submitted *make_astat_submitted(void) { return astat_submitted_ref(the.submitted); }
static astat_status *make_astat_status(void) { return astat_status_ref(the.status); }
static astat_metrics *make_astat_metrics(void) { return astat_metrics_ref(the.metrics); }
static astat_ended *make_astat_ended(void) { return astat_ended_ref(the.ended); }
static astat_jobs *make_astat_jobs(void) { return astat_jobs_ref(the.jobs); }

static astat_error *make_astat_error(void)
{
    astat_client *client = NULL;
    astat_error *error = NULL;
    CHECK(astat_client_new(NULL, &client, &error) == ASTAT_E_ARGUMENT);
    return error;
}

static astat_batch *make_astat_batch(void)
{
    astat_batch *batch = new_batch(the.client, NULL);
    add(batch, VALUE_request_id);
    return batch;
}

static astat_tracker *make_astat_tracker(void)
{
    astat_tracker *tracker = NULL;
    CHECK(astat_tracker_new(the.client, NULL, &tracker, NULL) == ASTAT_OK);
    CHECK(astat_tracker_add(tracker, ACTIVITY, VALUE_request_id, ASTAT_NS_NONE, NULL, NULL) == ASTAT_OK);
    return tracker;
}

static astat_look *make_astat_look(void)
{
    astat_tracker *tracker = make_astat_tracker();
    astat_look *look = NULL;
    astat_ended *ended = NULL;
    uint64_t sleep_ns = 0;
    int32_t what = 0;
    CHECK(astat_tracker_step(tracker, &what, &sleep_ns, &look, &ended, NULL) == ASTAT_OK && look);
    astat_tracker_free(tracker);
    return look;
}

static astat_cancel *make_astat_cancel(void) { return astat_cancel_new(); }
static astat_virtual_clock *make_astat_virtual_clock(void) { return astat_virtual_clock_new(); }

static astat_limiter *make_astat_limiter(void)
{
    astat_config *config = new_config();
    astat_limiter *limiter = NULL;
    uint64_t wait_ns;
    int32_t answer;
    CHECK(astat_limiter_new(config, &limiter, NULL) == ASTAT_OK);
    CHECK(astat_limiter_try_acquire(limiter, VALUE_call_class, &answer, &the.permit, &wait_ns, NULL) == ASTAT_OK);
    astat_config_free(config);
    return limiter;
}

static void destroy_any(void *context)
{
    (void)context;
    destroyed++;
}

static int32_t grant(void *context, int32_t call_class, uint64_t now, uint64_t *permit, uint64_t *wait,
                     astat_trouble *trouble)
{
    (void)context, (void)call_class, (void)now, (void)wait, (void)trouble;
    *permit = 1;
    return ASTAT_GRANTED;
}

static void leave(void *context) { (void)context; }

static int32_t settle(void *context, uint64_t permit, int32_t how, uint64_t retry_after, uint64_t now,
                      astat_trouble *trouble)
{
    (void)context, (void)permit, (void)how, (void)retry_after, (void)now, (void)trouble;
    return ASTAT_OK;
}

static int32_t look_at(void *context, uint64_t now, astat_snapshot *out, astat_trouble *trouble)
{
    (void)context, (void)now, (void)out, (void)trouble;
    return ASTAT_OK;
}

static const astat_limiter_ops valid_astat_limiter_ops = {sizeof(astat_limiter_ops), destroy_any, grant, leave,
                                                          settle, look_at};

static int32_t send_nothing(void *context, const astat_request *request, astat_reply *reply)
{
    (void)context, (void)request;
    return astat_reply_fail(reply, ASTAT_DELIVERY_NOT_SENT, ASTAT_E_TRANSPORT, ASTAT_LIT("there is no network"));
}

static const astat_transport_ops valid_astat_transport_ops = {sizeof(astat_transport_ops), destroy_any,
                                                              send_nothing};

static uint64_t stands(void *context)
{
    (void)context;
    return 1;
}

static int32_t sleep_not(void *context, uint64_t ns)
{
    (void)context, (void)ns;
    return ASTAT_OK;
}

static int32_t spawn_not(void *context, void (*work)(void *what), void *what)
{
    (void)context, (void)work, (void)what;
    return ASTAT_E_INTERRUPTED;
}

static const astat_clock_ops valid_astat_clock_ops = {sizeof(astat_clock_ops), destroy_any, stands, stands,
                                                      sleep_not, spawn_not};

static void ignore(void *context, const astat_event *event) { (void)context, (void)event; }

static const astat_observer_ops valid_astat_observer_ops = {sizeof(astat_observer_ops), destroy_any, ignore};

static int32_t give_keys(void *context, astat_credentials *out, astat_trouble *trouble)
{
    (void)context, (void)trouble;
    astat_credentials_set(out, api_key, access_key, secret_key);
    return ASTAT_OK;
}

static void refused(void *context, int32_t http_status) { (void)context, (void)http_status; }

static const astat_credentials_ops valid_astat_credentials_ops = {sizeof(astat_credentials_ops), destroy_any,
                                                                  give_keys, refused};

static void work_not(void *context, uint32_t worker) { (void)context, (void)worker; }

#define CALLBACK_OF(at, name) void (*const name)(void *, uint32_t) = nulled(t, at) ? NULL : work_not

static const astat_limiter_ops *open_nothing(void *user, uint32_t number, uint32_t calls, uint64_t window,
                                             void **context)
{
    (void)user, (void)number, (void)calls, (void)window, (void)context;
    return NULL;
}

#define astat_limiter_open_OF(at, name) const astat_limiter_open name = nulled(t, at) ? NULL : open_nothing

/* The context of a plug-in ends once, with whatever used it last. */
static void setter_ends_once(const struct setter *setter)
{
    const struct trial trial = {setter->function, "context", NULL, -1, AS_IS, 0, WORKS, 1};
    /* Keys are given once. */
    astat_config *config = strstr(setter->function, "credentials") ? astat_config_new() : new_config();
    astat_client *one = NULL, *two = NULL;

    running = &trial;
    destroyed = 0;
    expect(astat_config_set(config, ASTAT_LIT("base_url"), astat_cstr(base_url), NULL) == ASTAT_OK, "base_url");
    expect(setter->set(config) == ASTAT_OK && destroyed == 0, "set");
    expect(setter->set(config) == ASTAT_OK && destroyed == 1, "replaced before it was used");
    expect(astat_client_new(config, &one, NULL) == ASTAT_OK, "one client");
    expect(astat_client_new(config, &two, NULL) == ASTAT_OK, "two clients");
    expect(setter->set(config) == ASTAT_OK && destroyed == 1, "replaced while it is used");
    astat_client_free(one);
    expect(destroyed == 1, "one of two clients was freed");
    astat_client_free(two);
    expect(destroyed == 2, "the last client was freed");
    expect(astat_config_set(config, ASTAT_LIT("quota"), ASTAT_LIT("no quota"), NULL) == ASTAT_OK, "no client");
    expect(astat_client_new(config, &one, NULL) == ASTAT_E_CONFIG && destroyed == 2, "no client comes of it");
    astat_config_free(config);
    expect(destroyed == 3, "the configuration was freed");
}

/* Names the trial that the program ended in. */
static void crashed(int signal)
{
    const char *const words[] = {running ? running->function : "the beginning", ": ",
                                 running ? running->parameter : "", ": crashed\n"};
    size_t i;
    for (i = 0; i < COUNT(words); i++)
        if (write(STDERR_FILENO, words[i], strlen(words[i])) < 0)
            break;
    _exit(128 + signal);
}

static void begin_all(void)
{
    astat_batch *batch;
    the.api_key = api_key;
    the.access_key = access_key;
    the.secret_key = secret_key;
    the.client = plugged_client(&the.plug, NULL);
    the.submitted = submit(the.client, BODY);
    CHECK(astat_client_wait(the.client, ACTIVITY, VALUE_request_id, NULL, &the.status, NULL) == ASTAT_OK);
    CHECK(astat_client_metrics(the.client, ACTIVITY, NULL, &the.metrics, NULL) == ASTAT_OK);
    batch = make_astat_batch();
    CHECK(astat_batch_open(batch, &the.jobs, NULL) == ASTAT_OK && astat_jobs_count(the.jobs) == 1);
    CHECK(next(batch, ASTAT_NS_NONE, &the.ended) == ASTAT_NEXT_ENDED);
    astat_batch_free(batch);
}

static void end_all(void)
{
    astat_jobs_free(the.jobs);
    astat_ended_free(the.ended);
    astat_metrics_free(the.metrics);
    astat_status_free(the.status);
    astat_submitted_free(the.submitted);
    astat_client_free(the.client);
}

static int run(int argc, char **argv, const struct trial *trials, size_t count, const struct setter *setters,
               size_t setter_count)
{
    size_t i;
    if (!begins(argc, argv))
        return 2;
    signal(SIGSEGV, crashed);
    signal(SIGBUS, crashed);
    signal(SIGABRT, crashed);
    begin_all();
    for (i = 0; i < count; i++)
        for (without_err = 0; without_err < 2; without_err++) {
            running = &trials[i];
            destroyed = 0;
            running->run(running);
            expect(destroyed == running->destroyed, "destroy was not called once");
        }
    for (i = 0; i < setter_count; i++)
        setter_ends_once(&setters[i]);
    end_all();
    return ends();
}

#endif
