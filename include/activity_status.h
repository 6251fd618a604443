/*
 * activity_status.h: a blocking client for LeadSquared's Async API.
 *
 * Submit a job, and know how it went, inside the account's quota. Generated from the library's sources; change those.
 *
 *     astat_config *config = astat_config_new();
 *     astat_client *client = NULL;
 *     astat_status *status = NULL;
 *     astat_error *error = NULL;
 *
 *     if (astat_config_set(config, ASTAT_LIT("region"), ASTAT_LIT("in"), &error) != ASTAT_OK
 *         || astat_config_set_keys(config, astat_cstr(key), astat_cstr(NULL), astat_cstr(NULL), &error) != ASTAT_OK
 *         || astat_client_new(config, &client, &error) != ASTAT_OK
 *         || astat_client_status(client, ASTAT_LIT("activity.create"), astat_cstr(id), NULL, &status, &error)
 *                != ASTAT_OK) {
 *         fprintf(stderr, "%s\n", astat_error_message(error).ptr);
 *     } else {
 *         printf("%s: %s\n", astat_status_outcome_name(status).ptr, astat_status_reason(status).ptr);
 *     }
 *     astat_error_free(error);
 *     astat_status_free(status);
 *     astat_client_free(client);
 *     astat_config_free(config);
 *
 * What holds for every function:
 *
 * Handles. What a function gives through an out parameter, or ends in _new or _ref, is yours: free it once with its
 * _free, which takes NULL too. Handles live independently of each other: an error outlives its client.
 *
 * Threads. A function whose first parameter is a const pointer may be called from any number of threads at once; the
 * others from one thread at a time for each handle. A handle may be made, used and freed in different threads, but not
 * freed while another thread uses it, unless that one has a _ref of its own. Errors are values: no thread has a "last
 * error", and there is nothing to initialise or to clean up.
 *
 * Failures. A function that can fail returns an astat_code, 0 if it worked, and has its out parameters last. out must
 * not be NULL: *out is set to NULL first, and to a handle on success alone. err may be NULL: *err is set to NULL first,
 * and to an error of your own on failure alone, so free the last one before you use the variable again. A function that
 * cannot fail takes NULL for a handle, and answers with nothing.
 *
 * Structs. One that begins with struct_size begins with its _INIT macro, and may grow at its end: a program that was
 * compiled with an older header gives less, and the library takes the rest as not given.
 *
 * Texts. An astat_str is UTF-8 with its length; what goes in needs no NUL, what comes out has one besides. Times are
 * in nanoseconds, and such names end in _ns.
 *
 * Operations. "activity.create", "activity.createcustom", "lead.capture", "lead.update" (needs the query parameter
 * leadId to submit), "opportunity.capture", "opportunity.update", "telephony.logcall" (needs a path_tail to submit),
 * and those that astat_config_add_operation adds.
 *
 * Many jobs. An astat_batch waits for them and gives back each as it ends; an astat_tracker does the same in steps that
 * never block, for an event loop.
 *
 * Limits of a call. A submit, a question and a wait have options with a deadline and a cancel: see astat_cancel_trigger.
 *
 * Parts of your own. A program can give its own limiter, transport, clock, observer and source of keys: a struct of
 * functions and a context for each. The astat_conform_ functions check them, and astat_virtual_clock makes tests quick.
 *
 * Keys. They are in no text that the library gives, but for the headers of an astat_look and an astat_request, which are
 * there to be sent, and a request's URL if the key_placement setting is query. It reads no environment variable, and
 * prints nothing but, after a bug of its own in a thread of its own, a line on standard error.
 */

#ifndef ACTIVITY_STATUS_H
#define ACTIVITY_STATUS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>



/** The version of this header: compare it with astat_version_number(). */
#define ASTAT_VERSION_MAJOR 0
#define ASTAT_VERSION_MINOR 1
#define ASTAT_VERSION_PATCH 0
#define ASTAT_VERSION_NUMBER (ASTAT_VERSION_MAJOR * 1000000 + ASTAT_VERSION_MINOR * 1000 + ASTAT_VERSION_PATCH)
#define ASTAT_VERSION_STRING "0.1.0"

/** The number of the interface that this header describes: compare it with astat_abi_version(). */
#define ASTAT_ABI_VERSION 0

/** Does the library that runs serve a program that was compiled with this header? 1 or 0. */
#define ASTAT_CHECK_VERSION() \
    (astat_abi_version() == ASTAT_ABI_VERSION && astat_version_number() >= ASTAT_VERSION_NUMBER ? 1 : 0)

/* Define ASTAT_STATIC on Windows if you link the static library. */
#if defined(_WIN32) && !defined(ASTAT_STATIC)
#define ASTAT_API __declspec(dllimport)
#elif defined(__GNUC__)
#define ASTAT_API __attribute__((visibility("default")))
#else
#define ASTAT_API
#endif

#if defined(__GNUC__)
#define ASTAT_NODISCARD __attribute__((warn_unused_result))
#else
#define ASTAT_NODISCARD
#endif

#if defined(__cplusplus) || (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 199901L)
#define ASTAT_INLINE static inline
#elif defined(__GNUC__)
#define ASTAT_INLINE static __inline__
#else
#define ASTAT_INLINE static
#endif

#ifdef __cplusplus
extern "C" {
#endif


/**
 * The same call may be made again: it never arrived, was refused, or is harmless to repeat.
 */
#define ASTAT_RESEND_SAFE 1

/**
 * The call may already have been carried out: a second one may create a duplicate.
 */
#define ASTAT_RESEND_MAY_DUPLICATE 2

/**
 * The same call would fail again.
 */
#define ASTAT_RESEND_POINTLESS 3

/**
 * The call sends a job.
 */
#define ASTAT_CLASS_SUBMIT 1

/**
 * The call asks how a job went.
 */
#define ASTAT_CLASS_POLL 2

/**
 * The call asks anything else, such as how long the queue is.
 */
#define ASTAT_CLASS_OTHER 3

/**
 * The call may be sent now: *permit is set.
 */
#define ASTAT_GRANTED 1

/**
 * Not before *wait_ns has passed: the library sleeps so long, and asks again.
 */
#define ASTAT_RETRY_AFTER 2

/**
 * The head of an answer has just arrived.
 */
#define ASTAT_SETTLED_ANSWERED 1

/**
 * The answer was a refusal (429): retry_after_ns is the server's advice when to come back.
 */
#define ASTAT_SETTLED_REFUSED 2

/**
 * The call certainly never left: it does not count.
 */
#define ASTAT_SETTLED_NOT_SENT 3

/**
 * No answer came; the call may still arrive.
 */
#define ASTAT_SETTLED_IN_DOUBT 4

/**
 * The quota is used up: the call waits for astat_event_time_ns.
 */
#define ASTAT_EVENT_WAITING 1

/**
 * A call is about to be sent: astat_event_attempt.
 */
#define ASTAT_EVENT_SENDING 2

/**
 * An answer came, of whatever kind: astat_event_http_status, after astat_event_time_ns.
 */
#define ASTAT_EVENT_ANSWERED 3

/**
 * The answer was a refusal (429).
 */
#define ASTAT_EVENT_REFUSED 4

/**
 * A try failed (astat_event_code), and another follows after astat_event_time_ns.
 */
#define ASTAT_EVENT_RETRYING 5

/**
 * The limiter could not note what became of a call, which goes on nevertheless.
 */
#define ASTAT_EVENT_SETTLE_FAILED 6

/**
 * A job's status was read: astat_event_status.
 */
#define ASTAT_EVENT_STATUS 7

/**
 * Somebody should look at it.
 */
#define ASTAT_LEVEL_WARNING 1

/**
 * Worth a line.
 */
#define ASTAT_LEVEL_INFO 2

/**
 * Every step.
 */
#define ASTAT_LEVEL_DEBUG 3

/**
 * A time in nanoseconds that is not given: the default.
 */
#define ASTAT_NS_NONE UINT64_MAX

/**
 * The jobs were submitted in the order in which they are given, more or less: those asked about are the few that can
 * have settled.
 */
#define ASTAT_ORDER_SUBMITTED 1

/**
 * Nobody knows in which order they were submitted: each is asked about in its turn.
 */
#define ASTAT_ORDER_UNKNOWN 2

/**
 * Not settled: it may still change.
 */
#define ASTAT_PENDING 1

/**
 * Settled: it was carried out.
 */
#define ASTAT_SUCCEEDED 2

/**
 * Settled: it was not.
 */
#define ASTAT_FAILED 3

/**
 * A number that was not given.
 */
#define ASTAT_NONE UINT64_MAX

/**
 * A job has ended: *ended is the job.
 */
#define ASTAT_NEXT_ENDED 1

/**
 * No job has ended within the timeout. Ask again soon, for all goes on only while somebody waits.
 */
#define ASTAT_NEXT_NOT_YET 2

/**
 * Every job has ended, and was given.
 */
#define ASTAT_NEXT_DONE 3

/**
 * Ask this: *look is a question; go on with the next step meanwhile.
 */
#define ASTAT_STEP_LOOK 1

/**
 * Do nothing for *sleep_ns, unless an answer comes sooner or a job is added.
 */
#define ASTAT_STEP_SLEEP 2

/**
 * Nothing more will be asked about a job: *ended is the job.
 */
#define ASTAT_STEP_ENDED 3

/**
 * Every job has ended, and was given.
 */
#define ASTAT_STEP_DONE 4

/**
 * Certainly not: no byte of the question was handed to the network. The call does not count.
 */
#define ASTAT_DELIVERY_NOT_SENT 1

/**
 * Not all of it: it may have been counted by its beginning.
 */
#define ASTAT_DELIVERY_PARTLY 2

/**
 * It may have arrived.
 */
#define ASTAT_DELIVERY_IN_DOUBT 3

/**
 * Many jobs that are waited for over the client's one quota, given back one by one as they end.
 *
 * One thread at a time: a second one is told so by ASTAT_E_ARGUMENT. astat_batch_cancel alone may be called at any
 * time. Several questions are on their way at a time where the quota allows it and the answers are slow, each on a
 * thread of the library's own, but never two about one job.
 */
typedef struct astat_batch astat_batch;

/**
 * Ends the calls and waits that it is given to (the cancel member of their options), any number of them, now and
 * later. There is no way back. All threads may use it.
 */
typedef struct astat_cancel astat_cancel;

/**
 * Submits jobs and asks how they went, inside the quota. All threads may use it at once: its calls block the thread
 * they are made in, and draw on one quota.
 */
typedef struct astat_client astat_client;

/**
 * The settings of a client to be. One owner, one thread at a time; astat_client_new takes a copy.
 */
typedef struct astat_config astat_config;

/**
 * Where a program puts the keys that it is asked for: see astat_credentials_set. It lasts as long as that one call.
 */
typedef struct astat_credentials astat_credentials;

/**
 * A job that nothing more will be asked about: it is settled and has a status, or cannot be followed any further and
 * has an error. It never changes, outlives the wait, and may be used by all threads.
 */
typedef struct astat_ended astat_ended;

/**
 * Why a function failed. It never changes, outlives the client, and may be used by all threads. No key is in any of
 * its texts.
 */
typedef struct astat_error astat_error;

/**
 * One thing that a client did: for logs, metrics, traces and progress. It lasts as long as that one call of on_event,
 * and no key is in it.
 */
typedef struct astat_event astat_event;

/**
 * The jobs of a wait as they were when it was asked. It never changes, outlives the wait, and may be used by all
 * threads.
 */
typedef struct astat_jobs astat_jobs;

/**
 * What keeps a quota: for several clients of one account, or for calls that this library does not make. All threads may
 * use it. A thread waits for one call at a time.
 */
typedef struct astat_limiter astat_limiter;

/**
 * One question that a tracker wants asked, with the limiter's leave to ask it now.
 *
 * Either let the client send it (astat_look_send, on a thread that may block); or ask with a client of your own: a GET
 * of astat_look_url with every header, and astat_look_answered or astat_look_failed in the end. Both tell the
 * tracker, which takes it in with its next step, and both use the look up. One thread at a time, and any thread.
 */
typedef struct astat_look astat_look;

/**
 * How long the vendor's queue was. It never changes, outlives the client, and may be used by all threads.
 */
typedef struct astat_metrics astat_metrics;

/**
 * What came back, as a transport tells it. It lasts as long as that one call of send. One thread at a time, and any
 * thread.
 */
typedef struct astat_reply astat_reply;

/**
 * What a transport has to send. It lasts as long as that one call of send; any thread may read it meanwhile.
 */
typedef struct astat_request astat_request;

/**
 * All that the vendor said of one job. It never changes, outlives the client, and may be used by all threads.
 */
typedef struct astat_status astat_status;

/**
 * A job that the vendor accepted. It never changes, outlives the client, and may be used by all threads.
 */
typedef struct astat_submitted astat_submitted;

/**
 * Follows many jobs in steps, so that an event loop can drive it: it has no thread, and no step blocks. A thread that
 * may block has it easier with an astat_batch.
 *
 * One thread at a time: a second one is told so by ASTAT_E_ARGUMENT. Its looks may go to any threads.
 */
typedef struct astat_tracker astat_tracker;

/**
 * Where a function of a plug-in says why it failed: see astat_trouble_say. It lasts as long as that one call.
 */
typedef struct astat_trouble astat_trouble;

/**
 * Time that passes only while everybody sleeps, so that a test of hours ends in milliseconds: the same program has the
 * same history each time. All threads may use it.
 */
typedef struct astat_virtual_clock astat_virtual_clock;

/**
 * A text: UTF-8 bytes and how many there are.
 *
 * Going in, no NUL is needed after it, {NULL, 0} is no text at all, and the library keeps no pointer to it after
 * the call. Coming out, it belongs to the handle it was asked of and lives as long; a NUL follows its last byte, so
 * that "%s" prints it; ptr is NULL if there is no such text, which is not the same as an empty one.
 */
typedef struct {
    /**
     * The first byte.
     */
    const char *ptr;
    /**
     * How many bytes, without the NUL.
     */
    size_t len;
} astat_str;

/**
 * How a function ended: ASTAT_OK, or one of ASTAT_E_*, all of them positive. A number is never used for anything else
 * later. More may be added: treat one that you do not know as a failure, and ask astat_error_resend what it means
 * for you.
 */
typedef int32_t astat_code;

/**
 * How a quota stands, for all who share it. Begin with ASTAT_SNAPSHOT_INIT.
 */
typedef struct {
    /**
     * sizeof(astat_snapshot): tells the library which members the program knows.
     */
    size_t struct_size;
    /**
     * Slots of calls that count at this moment: in flight, or answered less than a window ago.
     */
    uint64_t used;
    /**
     * Slots that are free. Some may be kept for those who wait.
     */
    uint64_t free;
    /**
     * The least time that a call which came now would have to wait, in nanoseconds: 0 if it could go at once.
     */
    uint64_t next_free_in_ns;
    /**
     * How many callers wait.
     */
    uint64_t waiting;
    /**
     * How many calls the vendor has refused (429) so far.
     */
    uint64_t refused;
} astat_snapshot;

/**
 * A limiter of your own: what decides when a call may be sent. Begin with ASTAT_LIMITER_OPS_INIT.
 *
 * It only computes, and the library sleeps. It must let no more calls through than the quota in any window, waiting
 * as told must be enough to get leave, and whoever came first should be served first: astat_conform_limiter checks
 * all that. A call counts from try_acquire until a window after its settle. If a caller dies in between, settle
 * never comes: let its permit end by itself, a window after the longest that a call may take (the call_deadline
 * setting).
 *
 * Times are in nanoseconds of one clock for all clients of a process. It is never set back; another process has
 * another.
 *
 * Threads. Any thread may call any of these functions at any time, several at once. A thread waits for one call at a
 * time and asks again itself, so the calling thread tells who waits. A settle may come on another thread.
 *
 * Failures. A function that cannot tell returns a number that is none of its answers, and says why by
 * astat_trouble_say. The library holds no lock while it calls one. They must return: no longjmp, no C++ exception.
 * They must not call a function that blocks on a client, or drives a batch, a tracker or a look: it fails with
 * ASTAT_E_REENTRANT.
 */
typedef struct {
    /**
     * sizeof(astat_limiter_ops): tells the library which members the program knows.
     */
    size_t struct_size;
    /**
     * Ends the context: called once, when nothing uses it any more, by whichever thread is the last. NULL: nothing
     * to do.
     */
    void (*destroy)(void *context);
    /**
     * May a call of this class (ASTAT_CLASS_*) be sent now? Required.
     *
     * Returns ASTAT_GRANTED with a *permit of your own choice, or ASTAT_RETRY_AFTER with *wait_ns, which is more
     * than 0 (and taken for a millisecond if it is less). After anything else the call is not sent and fails with
     * ASTAT_E_LIMITER.
     */
    int32_t (*try_acquire)(void *context,
                           int32_t call_class,
                           uint64_t now_ns,
                           uint64_t *permit,
                           uint64_t *wait_ns,
                           astat_trouble *trouble);
    /**
     * The calling thread was told to wait, and has given up. It may come without a wait, too. NULL if you keep no
     * order.
     */
    void (*leave)(void *context);
    /**
     * What became of a permit (ASTAT_SETTLED_*), at the moment it is known; once for each permit. Required.
     *
     * retry_after_ns is ASTAT_NS_NONE unless the call was refused with an advice. Returns ASTAT_OK. After anything
     * else the call goes on, and it is for you to err on the side of too few calls.
     */
    int32_t (*settle)(void *context,
                      uint64_t permit,
                      int32_t how,
                      uint64_t retry_after_ns,
                      uint64_t now_ns,
                      astat_trouble *trouble);
    /**
     * How the quota stands: fills out, whose numbers are 0, and returns ASTAT_OK. NULL, or used left at ASTAT_NONE,
     * if you do not say.
     */
    int32_t (*snapshot)(void *context, uint64_t now_ns, astat_snapshot *out, astat_trouble *trouble);
} astat_limiter_ops;

/**
 * A transport of your own: what sends the calls. Begin with ASTAT_TRANSPORT_OPS_INIT.
 *
 * astat_conform_transport checks one. The library keeps the quota, decides what is sent again, and reads the answers.
 *
 * Any thread may call any of these functions at any time, several at once. The library holds no lock while it calls
 * one. They must return: no longjmp, no C++ exception. They must not call a function that blocks on a client: it fails
 * with ASTAT_E_REENTRANT.
 */
typedef struct {
    /**
     * sizeof(astat_transport_ops): tells the library which members the program knows.
     */
    size_t struct_size;
    /**
     * Ends the context: called once, when nothing uses it any more, by whichever thread is the last. NULL: nothing
     * to do.
     */
    void (*destroy)(void *context);
    /**
     * Sends the request once and reads the whole answer. Required.
     *
     * Returns ASTAT_OK if one came, whatever its HTTP status: astat_reply_set_status, a header each by
     * astat_reply_add_header, astat_reply_head_arrived at that moment, and the body by astat_reply_add_body. Otherwise
     * ASTAT_E_TRANSPORT (no connection, or it broke), ASTAT_E_TIMED_OUT, ASTAT_E_MALFORMED (cut off, too large, not HTTP),
     * ASTAT_E_CONFIG or ASTAT_E_INTERRUPTED, best by astat_reply_fail: it can say that nothing was sent; unless it does,
     * the call is in doubt, and a submit is not sent again.
     *
     * It must not follow redirects, which would carry the keys to another host; nor send anything again; nor send
     * headers that identify the caller besides those given; nor take longer than astat_request_time_left_ns.
     */
    int32_t (*send)(void *context, const astat_request *request, astat_reply *reply);
} astat_transport_ops;

/**
 * A clock of your own: where the time comes from, and how the library waits. Begin with ASTAT_CLOCK_OPS_INIT.
 *
 * For tests astat_virtual_clock is there already. astat_conform_clock checks one.
 *
 * Any thread may call any of these functions at any time, several at once. The library holds no lock while it calls
 * one. They must return: no longjmp, no C++ exception. They must not call a function that blocks on a client: it fails
 * with ASTAT_E_REENTRANT.
 */
typedef struct {
    /**
     * sizeof(astat_clock_ops): tells the library which members the program knows.
     */
    size_t struct_size;
    /**
     * Ends the context: called once, when nothing uses it any more, by whichever thread is the last. NULL: nothing
     * to do.
     */
    void (*destroy)(void *context);
    /**
     * Nanoseconds since a fixed, arbitrary moment. It never goes back. Required.
     */
    uint64_t (*now_ns)(void *context);
    /**
     * Nanoseconds since 1970 (UTC). It may jump. Required.
     */
    uint64_t (*wall_ns)(void *context);
    /**
     * Blocks the calling thread for ns nanoseconds, and returns ASTAT_OK. Required. A wait that may be woken is made of
     * sleeps of 10 ms. After anything else the library gives the call up: it fails with ASTAT_E_INTERRUPTED.
     */
    int32_t (*sleep)(void *context, uint64_t ns);
    /**
     * Calls work(what) once, on a thread that lives in this time, and returns ASTAT_OK: until it is called, it keeps
     * what it needs of the client. Or returns anything else, and does not call it. NULL: on a thread of the library's own. A clock whose time jumps can call it at once: its threads would
     * be overtaken by the time.
     */
    int32_t (*spawn)(void *context, void (*work)(void *what), void *what);
} astat_clock_ops;

/**
 * Where the keys come from, if they may change while the program runs: a vault, a file that is rotated. Begin with
 * ASTAT_CREDENTIALS_OPS_INIT.
 *
 * Any thread may call any of these functions at any time, several at once. The library holds no lock while it calls
 * one. They must return: no longjmp, no C++ exception. They must not call a function that blocks on a client: it fails
 * with ASTAT_E_REENTRANT.
 */
typedef struct {
    /**
     * sizeof(astat_credentials_ops): tells the library which members the program knows.
     */
    size_t struct_size;
    /**
     * Ends the context: called once, when nothing uses it any more, by whichever thread is the last. NULL: nothing
     * to do.
     */
    void (*destroy)(void *context);
    /**
     * Gives the keys for a call that is about to be made, by astat_credentials_set, and returns ASTAT_OK. Required. It
     * is asked for each call, so keep what you have fetched.
     *
     * After anything else the call is not sent and fails with ASTAT_E_CONFIG, with the reason that astat_trouble_say was
     * given, as it is: it must hold no key.
     */
    int32_t (*get)(void *context, astat_credentials *out, astat_trouble *trouble);
    /**
     * The vendor did not accept the present keys: http_status is 401 or 403. If get gives others after this, the call
     * goes out once more with them. NULL: nothing to do.
     */
    void (*refused)(void *context, int32_t http_status);
} astat_credentials_ops;

/**
 * Who is told what the client does: a logger, metrics, a trace. It cannot change or fail a call. Begin with
 * ASTAT_OBSERVER_OPS_INIT.
 *
 * Any thread may call any of these functions at any time, several at once; be quick, for the call waits. The library
 * holds no lock while it calls one. They must return: no longjmp, no C++ exception. They must not call a function that
 * blocks on a client: it fails with ASTAT_E_REENTRANT.
 */
typedef struct {
    /**
     * sizeof(astat_observer_ops): tells the library which members the program knows.
     */
    size_t struct_size;
    /**
     * Ends the context: called once, when nothing uses it any more, by whichever thread is the last. NULL: nothing
     * to do.
     */
    void (*destroy)(void *context);
    /**
     * One thing happened. Required.
     */
    void (*on_event)(void *context, const astat_event *event);
} astat_observer_ops;

/**
 * Opens a limiter that keeps a quota of so many calls in a window, in nanoseconds. Limiters of the same number share
 * one quota, as two processes would; one with another number has nothing to do with them and is unused.
 *
 * Returns its functions, which may be the same for all, and its *context; NULL if it cannot be opened.
 */
typedef const astat_limiter_ops *(*astat_limiter_open)(void *user,
                                                       uint32_t number,
                                                       uint32_t calls,
                                                       uint64_t window_ns,
                                                       void **context);

/**
 * A name and a value.
 */
typedef struct {
    /**
     * The name.
     */
    astat_str name;
    /**
     * The value.
     */
    astat_str value;
} astat_pair;

/**
 * What two operations add to the address of a submit. Begin with ASTAT_SUBMIT_OPTIONS_INIT.
 */
typedef struct {
    /**
     * sizeof(astat_submit_options): tells the library which members the program knows.
     */
    size_t struct_size;
    /**
     * Parameters of the query string, such as the leadId of "lead.update". The library escapes them.
     */
    const astat_pair *query;
    /**
     * How many.
     */
    size_t query_count;
    /**
     * A last segment of the path: the key of the connector for "telephony.logcall". It is treated as a secret.
     */
    astat_str path_tail;
    /**
     * How long the call may take with all its waits and attempts, in nanoseconds: no more than the call_deadline
     * setting, and that if it is ASTAT_NS_NONE.
     */
    uint64_t deadline_ns;
    /**
     * Ends the call when it is triggered. NULL: nothing does.
     */
    const astat_cancel *cancel;
} astat_submit_options;

/**
 * What ends a call. Begin with ASTAT_CALL_OPTIONS_INIT.
 */
typedef struct {
    /**
     * sizeof(astat_call_options): tells the library which members the program knows.
     */
    size_t struct_size;
    /**
     * How long the call may take with all its waits and attempts, in nanoseconds: no more than the call_deadline
     * setting, and that if it is ASTAT_NS_NONE.
     */
    uint64_t deadline_ns;
    /**
     * Ends the call when it is triggered. NULL: nothing does.
     */
    const astat_cancel *cancel;
} astat_call_options;

/**
 * How long to wait for jobs, and how to ask about them. Begin with ASTAT_WAIT_OPTIONS_INIT.
 */
typedef struct {
    /**
     * sizeof(astat_wait_options): tells the library which members the program knows.
     */
    size_t struct_size;
    /**
     * How long the whole wait may take, in nanoseconds. ASTAT_NS_NONE is an hour.
     */
    uint64_t deadline_ns;
    /**
     * How much waiting one call must be expected to end, in nanoseconds: more is fewer calls and later news.
     * ASTAT_NS_NONE is 5 ms, which uses what the quota has; an hour is the most.
     */
    uint64_t price_ns;
    /**
     * What the order of the jobs means: ASTAT_ORDER_SUBMITTED or ASTAT_ORDER_UNKNOWN.
     */
    int32_t order;
    /**
     * 0.
     */
    int32_t reserved;
    /**
     * Ends the wait when it is triggered. NULL: nothing does. The library keeps what it needs of it.
     */
    const astat_cancel *cancel;
} astat_wait_options;

/**
 * How far a wait for many jobs is. Begin with ASTAT_PROGRESS_INIT.
 */
typedef struct {
    /**
     * sizeof(astat_progress): tells the library which members the program knows.
     */
    size_t struct_size;
    /**
     * Jobs that were added.
     */
    uint64_t total;
    /**
     * Of these, the ones that are settled: succeeded or failed.
     */
    uint64_t settled;
    /**
     * Of the settled ones, those that failed.
     */
    uint64_t failed;
    /**
     * Jobs that ended with an error in place of a status: they cannot be followed, or the time ran out.
     */
    uint64_t errors;
    /**
     * Jobs that have not ended.
     */
    uint64_t open;
    /**
     * Jobs that settled in a second of late; 0 as long as fewer than two have.
     */
    double rate;
    /**
     * The likely time until all will be known, in nanoseconds. ASTAT_NS_NONE if nothing tells.
     */
    uint64_t remaining_ns;
    /**
     * One standard deviation of that, in nanoseconds. ASTAT_NS_NONE if nothing tells.
     */
    uint64_t uncertainty_ns;
} astat_progress;

/**
 * It did what was asked. A job that failed is an answer too: see astat_status_outcome.
 */
#define ASTAT_OK 0

/**
 * Bad input or settings. Nothing was sent.
 */
#define ASTAT_E_CONFIG 1101

/**
 * A pointer that must not be NULL is, a text is not UTF-8, a number is none of those that it may be, or two threads use
 * a handle that is for one at a time. Nothing was sent.
 */
#define ASTAT_E_ARGUMENT 1102

/**
 * A function of a plug-in called one that blocks on a client, or that drives one. Nothing was sent.
 */
#define ASTAT_E_REENTRANT 1103

/**
 * No connection, or it broke.
 */
#define ASTAT_E_TRANSPORT 1201

/**
 * No answer within the time-out.
 */
#define ASTAT_E_TIMED_OUT 1202

/**
 * What came is not an answer: HTML, cut off, too large, a redirect, or about another job.
 */
#define ASTAT_E_MALFORMED 1203

/**
 * A submit was sent and its answer was lost: the job may exist, or not. Look in the CRM before you send it again.
 */
#define ASTAT_E_IN_DOUBT 1204

/**
 * 401 or 403: the keys were not accepted. A key of another region is refused like a wrong one.
 */
#define ASTAT_E_UNAUTHORIZED 1301

/**
 * 400, or another 4xx that is not listed: the vendor did not accept the request.
 */
#define ASTAT_E_BAD_REQUEST 1302

/**
 * 404: the path, or the job, does not exist.
 */
#define ASTAT_E_NOT_FOUND 1303

/**
 * 429: more calls than the quota, by this program or another one with the same key.
 */
#define ASTAT_E_REFUSED 1304

/**
 * 5xx: the vendor failed.
 */
#define ASTAT_E_SERVER 1305

/**
 * The limiter could not tell whether a call may be sent, so it was not.
 */
#define ASTAT_E_LIMITER 1401

/**
 * The ledger could not be written, so nothing was sent.
 */
#define ASTAT_E_LEDGER 1402

/**
 * The deadline passed first.
 */
#define ASTAT_E_DEADLINE 1501

/**
 * The wait was cut short: cancelled, or interrupted by its clock.
 */
#define ASTAT_E_INTERRUPTED 1502

/**
 * A bug in the library, caught at its border. Whether anything was sent is not known. The client stays usable.
 */
#define ASTAT_E_PANIC 1901

/**
 * The version of the library: major * 1000000 + minor * 1000 + patch.
 *
 * ASTAT_VERSION_NUMBER is the one of the header that a program was compiled with. Within one soname
 * (libactivity_status.so.0), a library of a higher version serves programs of a lower one.
 */
ASTAT_API uint32_t astat_version_number(void);

/**
 * The version of the library as text, such as "0.1.0". It lives as long as the program.
 */
ASTAT_API astat_str astat_version_string(void);

/**
 * The number of the interface: what follows ".so." in the library's name. Within one number nothing is taken away and
 * nothing changes its meaning.
 */
ASTAT_API
uint32_t astat_abi_version(void);

/**
 * 1 if the library was built with this part, else 0: "limiter-file", "limiter-redis", "limiter-redis-tls".
 */
ASTAT_API int32_t astat_has_feature(astat_str name);

/**
 * A code as one lower-case word, the same in every language: "in_doubt" for ASTAT_E_IN_DOUBT, "ok" for ASTAT_OK.
 * No text for a number that is no code. It lives as long as the program.
 */
ASTAT_API
astat_str astat_code_name(astat_code code);

/**
 * Makes the caller an owner of an error once more: each owner frees it once. It returns the same handle, and NULL
 * for NULL.
 */
ASTAT_API
astat_error *astat_error_ref(const astat_error *error);

/**
 * Ends one ownership of an error; with the last, all texts that were asked of it end. NULL is nothing to do.
 */
ASTAT_API void astat_error_free(astat_error *error);

/**
 * The code that the function returned. ASTAT_OK if error is NULL.
 */
ASTAT_API astat_code astat_error_code(const astat_error *error);

/**
 * The code as one word, such as "in_doubt".
 */
ASTAT_API astat_str astat_error_kind(const astat_error *error);

/**
 * What happened, to which job, after how many attempts, and what to do next: one line for people. Its wording may
 * change; nothing should depend on it.
 */
ASTAT_API
astat_str astat_error_message(const astat_error *error);

/**
 * The HTTP status of the answer, such as 401. 0 if there was none.
 */
ASTAT_API int32_t astat_error_http_status(const astat_error *error);

/**
 * May the same call be made again? One of ASTAT_RESEND_*; 0 if error is NULL.
 */
ASTAT_API int32_t astat_error_resend(const astat_error *error);

/**
 * The same advice as one word: "safe", "may_duplicate" or "pointless". It lives as long as the program.
 */
ASTAT_API astat_str astat_error_resend_name(const astat_error *error);

/**
 * How many HTTP calls were tried. 0 if nothing was sent.
 */
ASTAT_API uint32_t astat_error_attempts(const astat_error *error);

/**
 * The job that was asked about, if there is one.
 */
ASTAT_API astat_str astat_error_request_id(const astat_error *error);

/**
 * The operation, such as "activity.create", if one was begun.
 */
ASTAT_API astat_str astat_error_operation(const astat_error *error);

/**
 * The vendor's ExceptionType, such as "MXInvalidAccessKeyException", if it gave one.
 */
ASTAT_API astat_str astat_error_exception_type(const astat_error *error);

/**
 * The vendor's ExceptionMessage, if it gave one, with your keys masked.
 */
ASTAT_API astat_str astat_error_exception_message(const astat_error *error);

/**
 * The beginning of the answer's body, on one line and with your keys masked, if there was one.
 */
ASTAT_API astat_str astat_error_body(const astat_error *error);

/**
 * How many causes are known below the message, such as what the operating system said.
 */
ASTAT_API size_t astat_error_cause_count(const astat_error *error);

/**
 * A cause, by its number from 0: each is the cause of the one before. No text beyond the last.
 */
ASTAT_API astat_str astat_error_cause(const astat_error *error, size_t index);

/**
 * The last thing the vendor said of the job, if a wait ended before its outcome; else NULL.
 *
 * It belongs to the error: do not free it. astat_status_ref makes it yours.
 */
ASTAT_API const astat_status *astat_error_last_status(const astat_error *error);

/**
 * The error as one line of JSON, the same in every language and on the command line:
 * {"request_id", "operation", "error": {"kind", "message", "resend", "http_status"}}.
 */
ASTAT_API astat_str astat_error_json(const astat_error *error);

/**
 * Makes one that is not triggered. Free it with astat_cancel_free. NULL only after a bug in the library.
 */
ASTAT_API astat_cancel *astat_cancel_new(void);

/**
 * Makes the caller an owner once more: each owner frees it once. It returns the same handle, and NULL for NULL.
 */
ASTAT_API
astat_cancel *astat_cancel_ref(const astat_cancel *cancel);

/**
 * Ends one ownership. NULL is nothing to do. What it was given to goes on, and cannot be cancelled any more if that
 * was the last owner.
 */
ASTAT_API
void astat_cancel_free(astat_cancel *cancel);

/**
 * Ends what it was given to: the calls fail with ASTAT_E_INTERRUPTED, or with ASTAT_E_IN_DOUBT where a submit may have
 * arrived. An answer to a submit or a question that comes all the same
 * is given; of a job that is waited for it is not.
 *
 * A wait for the quota, a pause before another attempt and a wait for jobs end at once (under a clock of your own, when
 * its present sleep ends). What is on its way is given up within 25 ms, with a transport of your own as soon as that looks
 * at astat_request_is_cancelled; and it counts against the quota.
 *
 * Any thread may call it, as often as it likes, and a signal handler too. NULL is nothing to do.
 */
ASTAT_API
void astat_cancel_trigger(const astat_cancel *cancel);

/**
 * 1 if it was triggered, 0 if not, or if cancel is NULL.
 */
ASTAT_API int32_t astat_cancel_is_triggered(const astat_cancel *cancel);

/**
 * Begins a configuration with no setting: a region or a base_url, and an API key must be given.
 *
 * Free it with astat_config_free. NULL only after a bug in the library.
 */
ASTAT_API astat_config *astat_config_new(void);

/**
 * Ends a configuration and wipes its keys from memory. NULL is nothing to do. Its clients go on.
 */
ASTAT_API void astat_config_free(astat_config *config);

/**
 * Gives one setting, as text; a later value replaces an earlier one, and {NULL, 0} leaves it as it was.
 * astat_config_key lists them all.
 *
 * Times are seconds, or end in ms, s, m or h. Keys are better given by astat_config_set_keys.
 *
 * ASTAT_E_CONFIG for a name that is none. Values are checked together, by astat_client_new.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_config_set(astat_config *config,
                            astat_str key,
                            astat_str value,
                            astat_error **err);

/**
 * Gives the account's keys. The vendor shows the access key and the secret key under My Account > Settings > API and
 * Webhooks, and the API key of each region on its page about the Async API, under API Host and Key. They are copied,
 * wiped from memory when they are no longer needed, and in no text that the library gives.
 *
 * Asking needs the API key alone, a submit all three: {NULL, 0} leaves one as it was.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_config_set_keys(astat_config *config,
                                 astat_str api_key,
                                 astat_str access_key,
                                 astat_str secret_key,
                                 astat_error **err);

/**
 * Adds an operation, or gives a known one other paths (most of the vendor's status and metrics paths are not
 * documented, but follow from their siblings).
 *
 * name is 1 to 64 letters, digits, '.', '_' or '-'. A job is submitted at path, such as "/task/create", and asked
 * about at status_path and metrics_path; {NULL, 0} for those is path + "/status" and path + "/metrics".
 *
 * ASTAT_E_CONFIG for a name or a path of another form.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_config_add_operation(astat_config *config,
                                      astat_str name,
                                      astat_str path,
                                      astat_str status_path,
                                      astat_str metrics_path,
                                      astat_error **err);

/**
 * How many settings there are.
 */
ASTAT_API size_t astat_config_key_count(void);

/**
 * The name of a setting, by its number from 0. No text beyond the last. It lives as long as the program.
 */
ASTAT_API astat_str astat_config_key(size_t index);

/**
 * What a setting means and what it is if it is not given, by its number. It lives as long as the program.
 */
ASTAT_API astat_str astat_config_key_help(size_t index);

/**
 * Says why a function of a plug-in failed: a sentence without a full stop, for people. It becomes part of the
 * message of the caller's error, with the keys of the call masked if there is a call that has some. The text is copied as one line of a thousand
 * characters at the most, and what in it is not UTF-8 is replaced; a later one replaces it. Only the thread that the function was called in may use trouble, and not after it
 * has returned. NULL is nothing to do.
 */
ASTAT_API
void astat_trouble_say(astat_trouble *trouble,
                       astat_str message);

/**
 * Gives the clients of a configuration a limiter of your own, in place of the limiter setting. All of them share it,
 * and the settings that tell how slots are kept (quota, strict, submit_share) are then yours to keep. A later one
 * replaces it.
 *
 * The functions are copied. The context is the library's from now on: destroy is called once, when the configuration,
 * all of its clients and their waits are freed or have another limiter and the last call is over, and at once if this
 * function fails. Only where there is no destroy to be read, because ops is NULL or its struct_size was never set, is
 * it not called.
 *
 * ASTAT_E_ARGUMENT for an ops that is NULL or lacks a function that is required. With a limiter setting besides,
 * astat_client_new fails with ASTAT_E_CONFIG.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_config_set_limiter(astat_config *config,
                                    const astat_limiter_ops *ops,
                                    void *context,
                                    astat_error **err);

/**
 * Makes the limiter that the settings of a configuration name: limiter, quota, strict, submit_share, limiter_away,
 * call_deadline, and the API key where it is kept in Redis. Or the program's own, if it has one. Its times are those of
 * the configuration's clock, which all clients that get it must have too.
 *
 * *out is the limiter; free it with astat_limiter_free. ASTAT_E_CONFIG for a setting that makes no sense.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_limiter_new(const astat_config *config,
                             astat_limiter **out,
                             astat_error **err);

/**
 * Makes the caller an owner once more: each owner frees it once. It returns the same handle, and NULL for NULL.
 */
ASTAT_API
astat_limiter *astat_limiter_ref(const astat_limiter *limiter);

/**
 * Ends one ownership. NULL is nothing to do. Clients that use the limiter go on.
 */
ASTAT_API void astat_limiter_free(astat_limiter *limiter);

/**
 * Gives the clients of a configuration this limiter, in place of the one that its settings name. All that share it keep
 * one quota. A later limiter replaces it.
 *
 * The configuration and its clients keep what they need of it: it may be freed.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_config_use_limiter(astat_config *config,
                                    const astat_limiter *limiter,
                                    astat_error **err);

/**
 * Asks for leave to make one call of this class (ASTAT_CLASS_*) now. It blocks only as
 * long as the limiter needs: a moment, but for one on a server.
 *
 * *answer is ASTAT_GRANTED, and *permit is to be settled once; or ASTAT_RETRY_AFTER, and the same thread asks again
 * after *wait_ns, or gives its place up by astat_limiter_leave. ASTAT_E_LIMITER if the limiter cannot tell: then the
 * call must not be made.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_limiter_try_acquire(const astat_limiter *limiter,
                                     int32_t call_class,
                                     int32_t *answer,
                                     uint64_t *permit,
                                     uint64_t *wait_ns,
                                     astat_error **err);

/**
 * The calling thread was told to wait, and gives its place up. NULL is nothing to do.
 */
ASTAT_API void astat_limiter_leave(const astat_limiter *limiter);

/**
 * Tells what became of a permit (ASTAT_SETTLED_*), at the moment it is known: for a call that was answered, when the
 * head of the answer has arrived. Once for each permit; one that is never settled counts until call_deadline and a
 * window have passed.
 *
 * retry_after_ns is the server's advice of a refusal, or ASTAT_NS_NONE. ASTAT_E_LIMITER if it could not be noted.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_limiter_settle(const astat_limiter *limiter,
                                uint64_t permit,
                                int32_t how,
                                uint64_t retry_after_ns,
                                astat_error **err);

/**
 * How the quota stands. *out begins with ASTAT_SNAPSHOT_INIT, and is filled on success alone; as
 * astat_client_snapshot.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_limiter_snapshot(const astat_limiter *limiter,
                                  astat_snapshot *out,
                                  astat_error **err);

/**
 * Gives the clients of a configuration a transport of your own; the settings of time-outs then mean nothing. A later
 * one replaces it.
 *
 * The functions are copied. The context is the library's from now on: destroy is called once, when the configuration,
 * all of its clients and their waits are freed or have another transport and the last call is over, and at once if this
 * function fails. Only where there is no destroy to be read, because ops is NULL or its struct_size was never set, is
 * it not called.
 *
 * ASTAT_E_ARGUMENT for an ops that is NULL or lacks send. With a proxy setting besides, astat_client_new fails with
 * ASTAT_E_CONFIG.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_config_set_transport(astat_config *config,
                                      const astat_transport_ops *ops,
                                      void *context,
                                      astat_error **err);

/**
 * "GET" or "POST".
 */
ASTAT_API astat_str astat_request_method(const astat_request *request);

/**
 * The whole URL. It holds keys if the key_placement setting is query.
 */
ASTAT_API astat_str astat_request_url(const astat_request *request);

/**
 * How many headers to send.
 */
ASTAT_API size_t astat_request_header_count(const astat_request *request);

/**
 * The name of a header, in lower case, by its number from 0. No text beyond the last.
 */
ASTAT_API astat_str astat_request_header_name(const astat_request *request, size_t index);

/**
 * The value of a header, by its number from 0: for some of them, a key. It is wiped from memory after the call. No text
 * beyond the last.
 */
ASTAT_API
astat_str astat_request_header_value(const astat_request *request,
                                     size_t index);

/**
 * The body, to be sent byte for byte. No text if there is none.
 */
ASTAT_API astat_str astat_request_body(const astat_request *request);

/**
 * How long the whole exchange may take at the most, in nanoseconds from when send was called.
 */
ASTAT_API uint64_t astat_request_time_left_ns(const astat_request *request);

/**
 * 1 as soon as the caller gives the call up (astat_cancel_trigger): a transport that can stop then, does, and returns
 * ASTAT_E_INTERRUPTED: a submit is then in doubt unless astat_reply_fail says that it was not sent. 0 until then, or if request is NULL.
 */
ASTAT_API
int32_t astat_request_is_cancelled(const astat_request *request);

/**
 * A connection was made for this call. To be said before astat_reply_head_arrived: the time between the two is more
 * than a round trip then, from which a limiter learns. NULL is nothing to do.
 */
ASTAT_API
void astat_reply_new_connection(astat_reply *reply);

/**
 * Begins the head of the answer with its HTTP status. A later one, after 100 Continue say, replaces it and its headers.
 * NULL is nothing to do.
 */
ASTAT_API
void astat_reply_set_status(astat_reply *reply,
                            int32_t http_status);

/**
 * Adds a header to the head of the answer. One that is not UTF-8 is left out; more than 1,000, or 64 KiB of them, make
 * the call fail as malformed. NULL is nothing to do.
 */
ASTAT_API
void astat_reply_add_header(astat_reply *reply,
                            astat_str name,
                            astat_str value);

/**
 * The head of the answer has just arrived. The quota's slot is free the sooner for it, and astat_conform_transport asks
 * for it. NULL is nothing to do.
 */
ASTAT_API
void astat_reply_head_arrived(astat_reply *reply);

/**
 * Adds len bytes to the body of the answer, without a transfer coding. The library copies them.
 *
 * ASTAT_E_MALFORMED once it is larger than any answer is (10 MiB), or astat_reply_fail was called: give up then, and
 * return it. ASTAT_E_ARGUMENT for
 * bytes that are NULL.
 */
ASTAT_API
astat_code astat_reply_add_body(astat_reply *reply,
                                const void *bytes,
                                size_t len);

/**
 * Says why no whole answer came, and returns why, to be returned by send.
 *
 * delivery is one of ASTAT_DELIVERY_*; say ASTAT_DELIVERY_NOT_SENT only if that is certain. why is one of those that
 * send returns. message is a phrase without a full stop, for people; it must hold no URL and no key; it is copied, and
 * what in it is not UTF-8 is replaced.
 */
ASTAT_API
astat_code astat_reply_fail(astat_reply *reply,
                            int32_t delivery,
                            astat_code why,
                            astat_str message);

/**
 * Gives the clients of a configuration a clock of your own. A later one replaces it.
 *
 * The functions are copied. The context is the library's from now on: destroy is called once, when the configuration,
 * all of its clients and their waits are freed or have another clock and the last call is over, and at once if this
 * function fails. Only where there is no destroy to be read, because ops is NULL or its struct_size was never set, is
 * it not called.
 *
 * ASTAT_E_ARGUMENT for an ops that is NULL or lacks a function that is required.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_config_set_clock(astat_config *config,
                                  const astat_clock_ops *ops,
                                  void *context,
                                  astat_error **err);

/**
 * Makes a clock that stands at 0. Free it with astat_virtual_clock_free. NULL only after a bug in the library.
 */
ASTAT_API
astat_virtual_clock *astat_virtual_clock_new(void);

/**
 * Makes the caller an owner once more: each owner frees it once. It returns the same handle, and NULL for NULL.
 */
ASTAT_API
astat_virtual_clock *astat_virtual_clock_ref(const astat_virtual_clock *clock);

/**
 * Ends one ownership. NULL is nothing to do. Clients that use the clock go on.
 */
ASTAT_API void astat_virtual_clock_free(astat_virtual_clock *clock);

/**
 * What it shows, in nanoseconds, which is also the time of day: virtual time begins in 1970. 0 if clock is NULL.
 */
ASTAT_API
uint64_t astat_virtual_clock_now_ns(const astat_virtual_clock *clock);

/**
 * Sleeps in this time: if nobody else has anything to do, the time jumps ahead. NULL is nothing to do.
 */
ASTAT_API void astat_virtual_clock_sleep(const astat_virtual_clock *clock, uint64_t ns);

/**
 * Calls work(context, 0), work(context, 1) and so on, each on a thread that lives in this time, and returns when all
 * have. One of them runs at a time, and hands over only while it sleeps, to whoever wakes first.
 *
 * ASTAT_E_ARGUMENT for more than 1,000 workers.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_virtual_clock_run(const astat_virtual_clock *clock,
                                   uint32_t workers,
                                   void (*work)(void *context, uint32_t worker),
                                   void *context,
                                   astat_error **err);

/**
 * Gives the clients of a configuration this clock. Later changes of their clock replace it.
 *
 * The configuration and its clients keep what they need of it: it may be freed.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_config_use_virtual_clock(astat_config *config,
                                          const astat_virtual_clock *clock,
                                          astat_error **err);

/**
 * Gives the keys, inside get of an astat_credentials_ops. They are copied, and wiped from memory when they are no
 * longer needed. access_key and secret_key may be {NULL, 0}: then nothing can be submitted. NULL for out is nothing to
 * do.
 */
ASTAT_API
void astat_credentials_set(astat_credentials *out,
                           astat_str api_key,
                           astat_str access_key,
                           astat_str secret_key);

/**
 * Gives the clients of a configuration keys from a source of your own, in place of astat_config_set_keys. A later one
 * replaces it.
 *
 * The functions are copied. The context is the library's from now on: destroy is called once, when the configuration,
 * all of its clients and their waits are freed or have another source and the last call is over, and at once if this
 * function fails. Only where there is no destroy to be read, because ops is NULL or its struct_size was never set, is
 * it not called.
 *
 * ASTAT_E_ARGUMENT for an ops that is NULL or lacks get. With keys besides, astat_client_new fails with
 * ASTAT_E_CONFIG; it asks for keys itself, once.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_config_set_credentials(astat_config *config,
                                        const astat_credentials_ops *ops,
                                        void *context,
                                        astat_error **err);

/**
 * Gives the clients of a configuration an observer. A later one replaces it.
 *
 * The functions are copied. The context is the library's from now on: destroy is called once, when the configuration,
 * all of its clients and their waits are freed or have another observer and the last call is over, and at once if this
 * function fails. Only where there is no destroy to be read, because ops is NULL or its struct_size was never set, is
 * it not called.
 *
 * ASTAT_E_ARGUMENT for an ops that is NULL or lacks on_event.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_config_set_observer(astat_config *config,
                                     const astat_observer_ops *ops,
                                     void *context,
                                     astat_error **err);

/**
 * What happened: one of ASTAT_EVENT_*. More may be added. 0 if event is NULL.
 */
ASTAT_API int32_t astat_event_kind(const astat_event *event);

/**
 * The same as one word, such as "retrying".
 */
ASTAT_API astat_str astat_event_name(const astat_event *event);

/**
 * How much it matters: one of ASTAT_LEVEL_*, the smaller the more. 0 if event is NULL.
 */
ASTAT_API int32_t astat_event_level(const astat_event *event);

/**
 * One line for a log. Its wording may change.
 */
ASTAT_API astat_str astat_event_message(const astat_event *event);

/**
 * The operation, such as "activity.create", if it is about one.
 */
ASTAT_API astat_str astat_event_operation(const astat_event *event);

/**
 * The job, if it is about one.
 */
ASTAT_API astat_str astat_event_request_id(const astat_event *event);

/**
 * What the call is for: one of ASTAT_CLASS_*; 0 if it is not said.
 */
ASTAT_API int32_t astat_event_class(const astat_event *event);

/**
 * 1 for the first try of a call, of ASTAT_EVENT_SENDING; else 0.
 */
ASTAT_API uint32_t astat_event_attempt(const astat_event *event);

/**
 * The HTTP status, of ASTAT_EVENT_ANSWERED and ASTAT_EVENT_REFUSED; else 0.
 */
ASTAT_API int32_t astat_event_http_status(const astat_event *event);

/**
 * How long the call waits, or took, in nanoseconds. ASTAT_NS_NONE if there is no such time.
 */
ASTAT_API uint64_t astat_event_time_ns(const astat_event *event);

/**
 * What failed: one of ASTAT_E_*, of ASTAT_EVENT_REFUSED, _RETRYING and _SETTLE_FAILED; else ASTAT_OK.
 */
ASTAT_API astat_code astat_event_code(const astat_event *event);

/**
 * What the vendor said of the job, of ASTAT_EVENT_STATUS; else NULL.
 *
 * It belongs to the event: do not free it. astat_status_ref makes it yours.
 */
ASTAT_API const astat_status *astat_event_status(const astat_event *event);

/**
 * Puts a limiter of your own through the checks that the library's own go through, in virtual time: never more calls
 * than the quota in any window, waiting as told is enough, a refusal slows all, a caller that dies frees its slot,
 * no one starves, and more.
 *
 * open makes the limiters, with user as it is given here; each is destroyed before this function returns. Their
 * times are those of a clock that jumps, so nothing waits. longest_call_ns is how long a call may take before the
 * limiter holds its caller for dead; ASTAT_NS_NONE is a minute, the call_deadline unless it is set.
 *
 * ASTAT_OK if it passes. ASTAT_E_LIMITER if it does not: the message says which check failed and what the limiter
 * did.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_conform_limiter(astat_limiter_open open,
                                 void *user,
                                 uint64_t longest_call_ns,
                                 astat_error **err);

/**
 * Puts a transport of your own through the checks that the library's own goes through, against servers on this machine's
 * loopback: a request arrives as it was given, any status is an answer, no redirect is followed, the head of an answer is
 * told of when it comes, what is cut off or endless is an error, what may have arrived is never called not sent, and goes
 * out once, a call ends in its time, no error shows a key, and more. It takes about a second; ten more if a call that must
 * end does not. TLS and proxies are not checked.
 *
 * The context is the library's, as in astat_config_set_transport, and is destroyed before this function returns.
 *
 * ASTAT_OK if it passes. ASTAT_E_TRANSPORT if it does not: the message says which check failed and what the transport
 * did. ASTAT_E_ARGUMENT for an ops that is NULL or lacks send.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_conform_transport(const astat_transport_ops *ops,
                                   void *context,
                                   astat_error **err);

/**
 * Puts a clock of your own through the checks that the library's own go through: its time never goes back, a sleep lasts as
 * long as it was told, work that is handed over runs, and more. It takes a second of the clock's time, or a minute if work
 * does not run. Nobody may interrupt its sleeps meanwhile.
 *
 * The context is the library's, as in astat_config_set_clock, and is destroyed before this function returns.
 *
 * ASTAT_OK if it passes. ASTAT_E_CONFIG if it does not: the message says which check failed and what the clock did.
 * ASTAT_E_ARGUMENT for an ops that is NULL or lacks a function that is required.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_conform_clock(const astat_clock_ops *ops,
                               void *context,
                               astat_error **err);

/**
 * Makes a client of a configuration, which it copies. No connection is made yet.
 *
 * *out is the client; free it with astat_client_free. ASTAT_E_CONFIG for a setting that is missing or makes no sense.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_client_new(const astat_config *config,
                            astat_client **out,
                            astat_error **err);

/**
 * Makes the caller an owner of the client once more, for another thread say: each owner frees it once. It returns
 * the same handle, and NULL for NULL.
 */
ASTAT_API
astat_client *astat_client_ref(const astat_client *client);

/**
 * Ends one ownership of a client; with the last, its connections close and its keys are wiped from memory. No call
 * of this owner may be running. NULL is nothing to do. Statuses and errors live on.
 */
ASTAT_API
void astat_client_free(astat_client *client);

/**
 * Sends one job.
 *
 * operation is a name such as "activity.create" (see the top of this header); body is a JSON object or array, sent
 * byte for byte; options may be NULL. *out holds the id that the vendor gave the job; free it with
 * astat_submitted_free.
 *
 * It blocks for the call_deadline setting at the most. ASTAT_E_CONFIG, with nothing sent, for a body that is not JSON
 * or keys that are missing. ASTAT_E_IN_DOUBT if it was sent and no answer came: look in the CRM before you send it
 * again, for it may then be created twice. For any other failure, astat_error_resend tells whether it may be repeated.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_client_submit(const astat_client *client,
                               astat_str operation,
                               astat_str body,
                               const astat_submit_options *options,
                               astat_submitted **out,
                               astat_error **err);

/**
 * Asks once how a job stands.
 *
 * *out is the answer, whatever it says: pending and failed are answers too. Free it with astat_status_free. options may
 * be NULL.
 *
 * It blocks for the call_deadline setting at the most, waiting for the quota and repeating what failed for a while.
 * It fails with any code but ASTAT_E_IN_DOUBT and ASTAT_E_LEDGER.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_client_status(const astat_client *client,
                               astat_str operation,
                               astat_str request_id,
                               const astat_call_options *options,
                               astat_status **out,
                               astat_error **err);

/**
 * Asks until a job is settled: succeeded or failed.
 *
 * options may be NULL. *out is the settled status; free it with astat_status_free.
 *
 * It blocks until then, or until the deadline. A question that fails for a while loses nothing. ASTAT_E_DEADLINE if
 * the job was not settled in time: astat_error_last_status is how it stood, and the job goes on at the vendor's.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_client_wait(const astat_client *client,
                             astat_str operation,
                             astat_str request_id,
                             const astat_wait_options *options,
                             astat_status **out,
                             astat_error **err);

/**
 * Asks how long the queue of an operation is.
 *
 * *out is the answer; free it with astat_metrics_free. options may be NULL. It blocks and fails as astat_client_status
 * does.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_client_metrics(const astat_client *client,
                                astat_str operation,
                                const astat_call_options *options,
                                astat_metrics **out,
                                astat_error **err);

/**
 * How the quota stands, for all who share this client's limiter.
 *
 * *out begins with ASTAT_SNAPSHOT_INIT, and is filled on success alone. Its numbers are ASTAT_NONE, and its time is
 * ASTAT_NS_NONE, if a limiter of your own does not say. It blocks only as long as the limiter needs: a moment, but for
 * one on a server. ASTAT_E_LIMITER if it cannot tell.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_client_snapshot(const astat_client *client,
                                 astat_snapshot *out,
                                 astat_error **err);

/**
 * Makes the caller an owner of the answer once more: each owner frees it once. It returns the same handle, and NULL
 * for NULL.
 */
ASTAT_API
astat_submitted *astat_submitted_ref(const astat_submitted *submitted);

/**
 * Ends one ownership of the answer to a submit; with the last, its text ends. NULL is nothing to do. The job goes on.
 */
ASTAT_API
void astat_submitted_free(astat_submitted *submitted);

/**
 * The id that the vendor gave the job: all that is needed to ask about it, from any program. Keep it.
 */
ASTAT_API astat_str astat_submitted_request_id(const astat_submitted *submitted);

/**
 * Makes the caller an owner of the status once more: each owner frees it once. It returns the same handle, and NULL
 * for NULL.
 */
ASTAT_API
astat_status *astat_status_ref(const astat_status *status);

/**
 * Ends one ownership of a status; with the last, all texts that were asked of it end. NULL is nothing to do.
 */
ASTAT_API void astat_status_free(astat_status *status);

/**
 * The job.
 */
ASTAT_API astat_str astat_status_request_id(const astat_status *status);

/**
 * How the job stands: ASTAT_PENDING, ASTAT_SUCCEEDED or ASTAT_FAILED; 0 if status is NULL.
 *
 * The vendor's word Success succeeded. FAILURE and ERROR (in any case) failed if there is no current step; with one
 * the vendor is still retrying. Every other word is pending.
 */
ASTAT_API
int32_t astat_status_outcome(const astat_status *status);

/**
 * The same as one word: "pending", "succeeded" or "failed". It lives as long as the program.
 */
ASTAT_API astat_str astat_status_outcome_name(const astat_status *status);

/**
 * The vendor's word for how it stands, exactly as it came.
 */
ASTAT_API astat_str astat_status_state(const astat_status *status);

/**
 * What kind of task it is, such as "Activity Create". Empty if the vendor did not say.
 */
ASTAT_API astat_str astat_status_task_type(const astat_status *status);

/**
 * Why, in the vendor's words. Empty if it did not say.
 */
ASTAT_API astat_str astat_status_reason(const astat_status *status);

/**
 * The step that it is in. No text once it is over.
 */
ASTAT_API astat_str astat_status_current_step(const astat_status *status);

/**
 * The step that it was in before, if there is one.
 */
ASTAT_API astat_str astat_status_last_step(const astat_status *status);

/**
 * The body that was submitted, character for character, if the vendor gave it. It may hold a NUL: use its length.
 */
ASTAT_API
astat_str astat_status_request_body(const astat_status *status);

/**
 * What the original call answered, as JSON. No text unless it succeeded.
 */
ASTAT_API astat_str astat_status_message(const astat_status *status);

/**
 * The id of what was created (Id in the message), such as the new activity's, if there is one.
 */
ASTAT_API astat_str astat_status_created_id(const astat_status *status);

/**
 * The id that it belongs to (RelatedId in the message), such as the lead's, if there is one.
 */
ASTAT_API astat_str astat_status_related_id(const astat_status *status);

/**
 * The whole answer, as it came, with all that this version of the library does not know.
 */
ASTAT_API astat_str astat_status_raw(const astat_status *status);

/**
 * The status as one line of JSON, the same in every language and on the command line: {"request_id", "operation",
 * "outcome", "state", "reason", "created_id", "related_id", "raw"}.
 */
ASTAT_API
astat_str astat_status_json(const astat_status *status);

/**
 * Makes the caller an owner of metrics once more: each owner frees it once. It returns the same handle, and NULL
 * for NULL.
 */
ASTAT_API
astat_metrics *astat_metrics_ref(const astat_metrics *metrics);

/**
 * Ends one ownership of metrics; with the last, their text ends. NULL is nothing to do.
 */
ASTAT_API void astat_metrics_free(astat_metrics *metrics);

/**
 * About how many jobs are queued. ASTAT_NONE if the vendor did not say.
 */
ASTAT_API uint64_t astat_metrics_pending(const astat_metrics *metrics);

/**
 * The longest that it takes to process all of the queue, in nanoseconds. ASTAT_NS_NONE if the vendor did not say.
 */
ASTAT_API
uint64_t astat_metrics_max_delay_ns(const astat_metrics *metrics);

/**
 * Jobs a minute over the last ten minutes. Not a number (NaN) if the vendor did not say.
 */
ASTAT_API double astat_metrics_rate_per_minute(const astat_metrics *metrics);

/**
 * The whole answer, as it came.
 */
ASTAT_API astat_str astat_metrics_raw(const astat_metrics *metrics);

/**
 * Makes the caller an owner of the list once more: each owner frees it once. It returns the same handle, and NULL
 * for NULL.
 */
ASTAT_API
astat_jobs *astat_jobs_ref(const astat_jobs *jobs);

/**
 * Ends one ownership of a list of jobs; with the last, its texts end. NULL is nothing to do. The jobs go on.
 */
ASTAT_API void astat_jobs_free(astat_jobs *jobs);

/**
 * How many there are. 0 if jobs is NULL.
 */
ASTAT_API size_t astat_jobs_count(const astat_jobs *jobs);

/**
 * The operation of a job, such as "activity.create", by its number from 0. No text beyond the last.
 */
ASTAT_API astat_str astat_jobs_operation(const astat_jobs *jobs, size_t index);

/**
 * The id of a job, by its number from 0. No text beyond the last.
 */
ASTAT_API astat_str astat_jobs_request_id(const astat_jobs *jobs, size_t index);

/**
 * Makes the caller an owner of it once more: each owner frees it once. It returns the same handle, and NULL
 * for NULL.
 */
ASTAT_API astat_ended *astat_ended_ref(const astat_ended *ended);

/**
 * Ends one ownership of what is known of a job that has ended; with the last, its texts, its status or error end. NULL is nothing to do.
 */
ASTAT_API
void astat_ended_free(astat_ended *ended);

/**
 * What was submitted, such as "activity.create".
 */
ASTAT_API astat_str astat_ended_operation(const astat_ended *ended);

/**
 * The job.
 */
ASTAT_API astat_str astat_ended_request_id(const astat_ended *ended);

/**
 * The status in which it is settled: succeeded or failed. NULL if it ended with an error.
 *
 * It belongs to ended: do not free it. astat_status_ref makes it yours.
 */
ASTAT_API const astat_status *astat_ended_status(const astat_ended *ended);

/**
 * Why it cannot be followed any further: ASTAT_E_DEADLINE if the time ran out, with its last status. NULL if it is
 * settled.
 *
 * It belongs to ended: do not free it.
 */
ASTAT_API
const astat_error *astat_ended_error(const astat_ended *ended);

/**
 * Begins a wait for many jobs, none so far; its deadline counts from now.
 *
 * options may be NULL. *out is the wait; free it with astat_batch_free. The client may be freed before it. Nothing is
 * sent.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_batch_new(const astat_client *client,
                           const astat_wait_options *options,
                           astat_batch **out,
                           astat_error **err);

/**
 * Ends a wait at once. NULL is nothing to do. The jobs go on at the vendor's.
 *
 * Questions that are on their way are left to themselves: each has a thread that keeps what it needs of the client
 * for as long as its call may take. A program that must not end before them waits until the open jobs have ended.
 */
ASTAT_API
void astat_batch_free(astat_batch *batch);

/**
 * Waits for one more job. Add jobs in the order in which they were submitted, or say ASTAT_ORDER_UNKNOWN.
 *
 * submitted_at_unix_ns is when it was submitted, in nanoseconds since 1970 (UTC), or ASTAT_NS_NONE: worth telling for
 * a job that was submitted a moment ago. *added is 1, or 0 if it is waited for already; added may be NULL. Nothing is
 * sent. ASTAT_E_CONFIG for an operation or an id that cannot be one.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_batch_add(astat_batch *batch,
                           astat_str operation,
                           astat_str request_id,
                           uint64_t submitted_at_unix_ns,
                           int32_t *added,
                           astat_error **err);

/**
 * Waits for the next job that ends.
 *
 * *what is ASTAT_NEXT_ENDED, and *ended a job, to be freed with astat_ended_free; or ASTAT_NEXT_NOT_YET or
 * ASTAT_NEXT_DONE, and *ended NULL. Each job is given once: with its status when it has settled; or with an error, if
 * asking again would not mend it or the deadline has passed. A question that fails for a while loses nothing.
 *
 * It blocks for timeout_ns at the most, or without a limit but the deadline if that is ASTAT_NS_NONE.
 * ASTAT_E_INTERRUPTED if the wait was cancelled: astat_batch_open tells what was left.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_batch_next(astat_batch *batch,
                            uint64_t timeout_ns,
                            int32_t *what,
                            astat_ended **ended,
                            astat_error **err);

/**
 * Ends a wait: astat_batch_next returns at once with ASTAT_E_INTERRUPTED, in whichever thread it waits, now and from
 * now on. The jobs go on at the vendor's, and what is on its way counts against the quota.
 *
 * Any thread may call it, while another one uses the batch too, and as often as it likes; but not a signal handler,
 * and not after astat_batch_free. NULL is nothing to do.
 */
ASTAT_API
void astat_batch_cancel(const astat_batch *batch);

/**
 * How far it is. *out begins with ASTAT_PROGRESS_INIT, and is filled on success alone. It does not block.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_batch_progress(astat_batch *batch,
                                astat_progress *out,
                                astat_error **err);

/**
 * The jobs that have not ended, in the order in which they were given. *out is a list of your own; free it with
 * astat_jobs_free. It does not block.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_batch_open(astat_batch *batch,
                            astat_jobs **out,
                            astat_error **err);

/**
 * The open jobs that the vendor's own retries cannot account for any more: it has probably lost them. They are still
 * asked about now and then, until the deadline. *out is a list of your own; free it with astat_jobs_free. It does not
 * block.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_batch_overdue(astat_batch *batch,
                               astat_jobs **out,
                               astat_error **err);

/**
 * When one job will be known: the likely time from now and one standard deviation of it, in nanoseconds.
 * ASTAT_NS_NONE in both if nothing tells, or it has ended. It does not block.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_batch_eta(astat_batch *batch,
                           astat_str operation,
                           astat_str request_id,
                           uint64_t *remaining_ns,
                           uint64_t *uncertainty_ns,
                           astat_error **err);

/**
 * What the vendor last said of an open job. *out is NULL, and the code ASTAT_OK, if it has not been asked, or has ended.
 * Free it with astat_status_free. It does not block.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_batch_last_status(astat_batch *batch,
                                   astat_str operation,
                                   astat_str request_id,
                                   astat_status **out,
                                   astat_error **err);

/**
 * Why the last question about an open job brought no answer, though it is asked again. *out is NULL, and the code
 * ASTAT_OK, if it did, or the job has not been asked about, or has ended. Free it with astat_error_free. It does not
 * block.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_batch_last_trouble(astat_batch *batch,
                                    astat_str operation,
                                    astat_str request_id,
                                    astat_error **out,
                                    astat_error **err);

/**
 * Begins to follow jobs, none so far; the deadline of the options counts from now. When their cancel is triggered, all
 * jobs end with ASTAT_E_INTERRUPTED.
 *
 * options may be NULL. *out is the tracker; free it with astat_tracker_free. The client may be freed before it.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_tracker_new(const astat_client *client,
                             const astat_wait_options *options,
                             astat_tracker **out,
                             astat_error **err);

/**
 * Ends a tracker. NULL is nothing to do. Its looks may still be answered and freed, and the jobs go on at the
 * vendor's.
 */
ASTAT_API void astat_tracker_free(astat_tracker *tracker);

/**
 * Follows one more job. Add jobs in the order in which they were submitted, or say ASTAT_ORDER_UNKNOWN.
 *
 * submitted_at_unix_ns is when it was submitted, in nanoseconds since 1970 (UTC), or ASTAT_NS_NONE: worth telling for
 * a job that was submitted a moment ago. *added is 1, or 0 if it is followed already; added may be NULL. Nothing is
 * sent. ASTAT_E_CONFIG for an operation or an id that cannot be one.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_tracker_add(astat_tracker *tracker,
                             astat_str operation,
                             astat_str request_id,
                             uint64_t submitted_at_unix_ns,
                             int32_t *added,
                             astat_error **err);

/**
 * What to do now: *what is one of ASTAT_STEP_*. Answers that have come are taken in first.
 *
 * With ASTAT_STEP_LOOK, *look is a question to ask, which has the limiter's leave to be asked now; it is yours until
 * astat_look_send, _answered, _failed or _free. With ASTAT_STEP_ENDED, *ended is a job, to be freed with
 * astat_ended_free; each job is given once. With ASTAT_STEP_SLEEP, *sleep_ns is how long there is nothing to do, in
 * nanoseconds and never 0. What the step does not give is NULL, and 0.
 *
 * It blocks only as long as the limiter needs: a moment, but for one on a server.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_tracker_step(astat_tracker *tracker,
                              int32_t *what,
                              uint64_t *sleep_ns,
                              astat_look **look,
                              astat_ended **ended,
                              astat_error **err);

/**
 * How far it is. *out begins with ASTAT_PROGRESS_INIT, and is filled on success alone. It does not block.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_tracker_progress(astat_tracker *tracker,
                                  astat_progress *out,
                                  astat_error **err);

/**
 * The jobs that have not ended, in the order in which they were added. *out is a list of your own; free it with
 * astat_jobs_free. It does not block.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_tracker_open(astat_tracker *tracker,
                              astat_jobs **out,
                              astat_error **err);

/**
 * The open jobs that the vendor's own retries cannot account for any more: it has probably lost them. They are still
 * asked about now and then, until the deadline. *out is a list of your own; free it with astat_jobs_free. It does not
 * block.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_tracker_overdue(astat_tracker *tracker,
                                 astat_jobs **out,
                                 astat_error **err);

/**
 * When one job will be known: the likely time from now and one standard deviation of it, in nanoseconds.
 * ASTAT_NS_NONE in both if nothing tells, or it has ended. It does not block.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_tracker_eta(astat_tracker *tracker,
                             astat_str operation,
                             astat_str request_id,
                             uint64_t *remaining_ns,
                             uint64_t *uncertainty_ns,
                             astat_error **err);

/**
 * What the vendor last said of an open job. *out is NULL, and the code ASTAT_OK, if it has not been asked, or has ended.
 * Free it with astat_status_free. It does not block.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_tracker_last_status(astat_tracker *tracker,
                                     astat_str operation,
                                     astat_str request_id,
                                     astat_status **out,
                                     astat_error **err);

/**
 * Why the last question about an open job brought no answer, though it is asked again. *out is NULL, and the code
 * ASTAT_OK, if it did, or the job has not been asked about, or has ended. Free it with astat_error_free. It does not
 * block.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_tracker_last_trouble(astat_tracker *tracker,
                                      astat_str operation,
                                      astat_str request_id,
                                      astat_error **out,
                                      astat_error **err);

/**
 * Drops a question. Unless it was used up, it has failed: it may have been sent, for all the limiter knows, and is
 * asked again later. NULL is nothing to do.
 */
ASTAT_API
void astat_look_free(astat_look *look);

/**
 * The job that is asked about. No text if the question is how long the operation's queue is.
 */
ASTAT_API astat_str astat_look_request_id(const astat_look *look);

/**
 * The URL to get. It holds no key.
 */
ASTAT_API astat_str astat_look_url(const astat_look *look);

/**
 * How many headers to send. Redirects must not be followed: they would carry the API key to another host.
 */
ASTAT_API size_t astat_look_header_count(const astat_look *look);

/**
 * The name of a header, in lower case, by its number from 0. No text beyond the last.
 */
ASTAT_API astat_str astat_look_header_name(const astat_look *look, size_t index);

/**
 * The value of a header, by its number from 0: for one of them, the API key. It is wiped from memory with the look. No
 * text beyond the last.
 */
ASTAT_API
astat_str astat_look_header_value(const astat_look *look,
                                  size_t index);

/**
 * How long the exchange may take from now at the most, in nanoseconds. 0 if its time is over: it has failed then. 0 if
 * look is NULL.
 */
ASTAT_API
uint64_t astat_look_time_left_ns(const astat_look *look);

/**
 * Asks by the client's own transport, and tells the tracker. It blocks until there is an answer, or the call's time is
 * over, and does not fail by what the vendor answers: the tracker's next step tells that.
 *
 * The look is used up, whatever is returned.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_look_send(astat_look *look,
                           astat_error **err);

/**
 * The head of the answer has just arrived at a client of your own. Optional: the quota's slot is free the sooner for
 * it. The look goes on, and astat_look_answered gets the head once more.
 *
 * http_status and headers are as they came; a header that is not UTF-8 is left out. ASTAT_E_ARGUMENT for an
 * http_status outside 100 to 999.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_look_head_arrived(astat_look *look,
                                   int32_t http_status,
                                   const astat_pair *headers,
                                   size_t header_count,
                                   astat_error **err);

/**
 * The whole answer has arrived at a client of your own, whatever its status: tells the tracker.
 *
 * http_status and headers are as they came; a header that is not UTF-8 is left out. body is body_len bytes, all of
 * them, without a transfer coding; the library copies them. ASTAT_E_ARGUMENT for an http_status outside 100 to 999:
 * the question then counts as dropped.
 *
 * The look is used up, whatever is returned.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_look_answered(astat_look *look,
                               int32_t http_status,
                               const astat_pair *headers,
                               size_t header_count,
                               const void *body,
                               size_t body_len,
                               astat_error **err);

/**
 * No whole answer came to a client of your own: tells the tracker, which asks again later.
 *
 * delivery is one of ASTAT_DELIVERY_*; say ASTAT_DELIVERY_NOT_SENT only if that is certain. why is
 * ASTAT_E_TRANSPORT (no connection, or it broke), ASTAT_E_TIMED_OUT, ASTAT_E_MALFORMED (cut off, too large, not HTTP),
 * or ASTAT_E_INTERRUPTED. message is a phrase without a full stop, for people; it must hold no URL and no key. ASTAT_E_ARGUMENT for
 * another delivery or why: the question then counts as dropped.
 *
 * The look is used up, whatever is returned.
 */
ASTAT_API
ASTAT_NODISCARD
astat_code astat_look_failed(astat_look *look,
                             int32_t delivery,
                             astat_code why,
                             astat_str message,
                             astat_error **err);

/** A text of which the bytes and their number are known. */
ASTAT_INLINE astat_str astat_text(const char *ptr, size_t len)
{
    astat_str text;
    text.ptr = ptr;
    text.len = len;
    return text;
}

/** A text that ends with a NUL; NULL is no text, {NULL, 0}. */
ASTAT_INLINE astat_str astat_cstr(const char *text)
{
    return astat_text(text, text ? strlen(text) : 0);
}

/**
 * Copies a text by snprintf's rules: at most room - 1 bytes and a NUL; nothing if room is 0. Returns the length of the
 * whole text: it was cut if that is not less than room.
 */
ASTAT_INLINE size_t astat_copy(char *to, size_t room, astat_str from)
{
    if (room > 0) {
        const size_t fits = from.len < room ? from.len : room - 1;
        if (fits > 0)
            memcpy(to, from.ptr, fits);
        to[fits] = '\0';
    }
    return from.len;
}

/** A text in quotes: ASTAT_LIT("activity.create"). */
#define ASTAT_LIT(text) astat_text("" text, sizeof(text) - 1)

/** Options as if none were given: astat_wait_options options = ASTAT_WAIT_OPTIONS_INIT; */
#define ASTAT_WAIT_OPTIONS_INIT \
    {sizeof(astat_wait_options), ASTAT_NS_NONE, ASTAT_NS_NONE, ASTAT_ORDER_SUBMITTED, 0, NULL}

/** Options as if none were given: astat_submit_options options = ASTAT_SUBMIT_OPTIONS_INIT; */
#define ASTAT_SUBMIT_OPTIONS_INIT {sizeof(astat_submit_options), NULL, 0, {NULL, 0}, ASTAT_NS_NONE, NULL}

/** Options as if none were given: astat_call_options options = ASTAT_CALL_OPTIONS_INIT; */
#define ASTAT_CALL_OPTIONS_INIT {sizeof(astat_call_options), ASTAT_NS_NONE, NULL}

/** A snapshot to be filled: astat_snapshot snapshot = ASTAT_SNAPSHOT_INIT; */
#define ASTAT_SNAPSHOT_INIT \
    {sizeof(astat_snapshot), ASTAT_NONE, ASTAT_NONE, ASTAT_NS_NONE, ASTAT_NONE, ASTAT_NONE}

/** Progress to be filled: astat_progress progress = ASTAT_PROGRESS_INIT; */
#define ASTAT_PROGRESS_INIT {sizeof(astat_progress), 0, 0, 0, 0, 0, 0, ASTAT_NS_NONE, ASTAT_NS_NONE}

/** A limiter that has no function yet: astat_limiter_ops ops = ASTAT_LIMITER_OPS_INIT; */
#define ASTAT_LIMITER_OPS_INIT {sizeof(astat_limiter_ops), NULL, NULL, NULL, NULL, NULL}

/** A transport that has no function yet: astat_transport_ops ops = ASTAT_TRANSPORT_OPS_INIT; */
#define ASTAT_TRANSPORT_OPS_INIT {sizeof(astat_transport_ops), NULL, NULL}

/** A clock that has no function yet: astat_clock_ops ops = ASTAT_CLOCK_OPS_INIT; */
#define ASTAT_CLOCK_OPS_INIT {sizeof(astat_clock_ops), NULL, NULL, NULL, NULL, NULL}

/** A source of keys that has no function yet: astat_credentials_ops ops = ASTAT_CREDENTIALS_OPS_INIT; */
#define ASTAT_CREDENTIALS_OPS_INIT {sizeof(astat_credentials_ops), NULL, NULL, NULL}

/** An observer that has no function yet: astat_observer_ops ops = ASTAT_OBSERVER_OPS_INIT; */
#define ASTAT_OBSERVER_OPS_INIT {sizeof(astat_observer_ops), NULL, NULL}

#ifdef __cplusplus
}
#endif

#endif /* ACTIVITY_STATUS_H */
