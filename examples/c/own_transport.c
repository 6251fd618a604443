/*
 * Asks how jobs stand, with libcurl as the transport: own_transport ID...
 *
 *     cc own_transport.c -lactivity_status -lcurl -lpthread -o own_transport
 *
 * Each call borrows a handle of libcurl's with its connection from a pool, and says what it must not do: follow a
 * redirect, use a proxy, send anything twice, outlast its time. Before it is used, the transport goes through the
 * library's checks. It needs libcurl 7.85 or newer.
 */
#include "environment.h"

#include <curl/curl.h>
#include <pthread.h>
#include <string.h>

#define MS UINT64_C(1000000)

enum { MOST_IDLE = 16, MOST_HEAD = 64 * 1024 };

struct pool {
    pthread_mutex_t lock;
    CURL *idle[MOST_IDLE];
    size_t count;
};

/* One call, as the callbacks see it. */
struct call {
    CURL *curl;
    const astat_request *request;
    astat_reply *reply;
    size_t head; /* bytes so far */
    int is_sent, has_head;
};

static struct pool *new_pool(void)
{
    struct pool *pool = calloc(1, sizeof *pool);
    if (pool)
        pthread_mutex_init(&pool->lock, NULL);
    return pool;
}

static void destroy(void *context)
{
    struct pool *pool = context;
    while (pool->count > 0)
        curl_easy_cleanup(pool->idle[--pool->count]);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static CURL *borrow(struct pool *pool)
{
    CURL *curl = NULL;
    pthread_mutex_lock(&pool->lock);
    if (pool->count > 0)
        curl = pool->idle[--pool->count];
    pthread_mutex_unlock(&pool->lock);
    return curl ? curl : curl_easy_init();
}

/* Its connection stays open; what it knows of the call, keys among it, is forgotten. */
static void give_back(struct pool *pool, CURL *curl)
{
    curl_easy_reset(curl);
    pthread_mutex_lock(&pool->lock);
    if (pool->count < MOST_IDLE) {
        pool->idle[pool->count++] = curl;
        curl = NULL;
    }
    pthread_mutex_unlock(&pool->lock);
    curl_easy_cleanup(curl);
}

/* The request is about to leave. On a connection that turns out to be closed libcurl would send it once more. */
static int on_request(void *user, char *to, char *from, int to_port, int from_port)
{
    struct call *call = user;
    (void)to, (void)from, (void)to_port, (void)from_port;
    return call->is_sent++ ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static int on_progress(void *user, curl_off_t down, curl_off_t now, curl_off_t up, curl_off_t up_now)
{
    const struct call *call = user;
    (void)down, (void)now, (void)up, (void)up_now;
    return astat_request_is_cancelled(call->request);
}

static astat_str trimmed(const char *text, const char *end)
{
    while (text < end && strchr(" \t\r\n", *text))
        text++;
    while (text < end && strchr(" \t\r\n", end[-1]))
        end--;
    return astat_text(text, (size_t)(end - text));
}

/* One line of a head; those after a body in chunks are not wanted. */
static size_t on_header(char *line, size_t one, size_t len, void *user)
{
    struct call *call = user;
    const char *colon = memchr(line, ':', len);
    long value = 0;

    (void)one;
    call->head += len;
    if (call->head > MOST_HEAD)
        return 0;
    if (call->has_head)
        return len;
    curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &value);
    if (len > 5 && memcmp(line, "HTTP/", 5) == 0)
        astat_reply_set_status(call->reply, (int32_t)value);
    else if (colon)
        astat_reply_add_header(call->reply, trimmed(line, colon), trimmed(colon + 1, line + len));
    else if (trimmed(line, line + len).len == 0 && value >= 200) {
        call->has_head = 1;
        curl_easy_getinfo(call->curl, CURLINFO_NUM_CONNECTS, &value);
        if (value > 0)
            astat_reply_new_connection(call->reply);
        astat_reply_head_arrived(call->reply);
    }
    return len;
}

static size_t on_body(char *bytes, size_t one, size_t len, void *user)
{
    struct call *call = user;
    (void)one;
    return astat_reply_add_body(call->reply, bytes, len) == ASTAT_OK ? len : 0;
}

/* Those to send; NULL if there is no memory for them. */
static struct curl_slist *headers_of(const astat_request *request)
{
    /* Or libcurl asks whether it may send a large body, and waits. */
    struct curl_slist *headers = curl_slist_append(NULL, "expect:");
    size_t i;

    for (i = 0; headers && i < astat_request_header_count(request); i++) {
        const astat_str name = astat_request_header_name(request, i),
                        value = astat_request_header_value(request, i);
        char *line = malloc(name.len + value.len + sizeof ": ");
        struct curl_slist *longer = NULL;
        if (line) {
            sprintf(line, "%s: %s", name.ptr, value.ptr);
            longer = curl_slist_append(headers, line);
            free(line);
        }
        if (!longer)
            curl_slist_free_all(headers);
        headers = longer;
    }
    return headers;
}

static CURLcode perform(struct call *call, const struct curl_slist *headers)
{
    CURL *curl = call->curl;
    const astat_str body = astat_request_body(call->request);
    const uint64_t ms = astat_request_time_left_ns(call->request) / MS;

    curl_easy_setopt(curl, CURLOPT_URL, astat_request_url(call->request).ptr);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (body.ptr) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.ptr);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
        /* If an idle connection is closed under a submit, nobody knows whether that arrived. */
        curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
    }
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* whatever the environment says */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ms > 0 && ms < 86400000 ? (long)ms : ms ? 86400000L : 1L);
    curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, on_request);
    curl_easy_setopt(curl, CURLOPT_PREREQDATA, call);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, call);
    return curl_easy_perform(curl);
}

/* What the library has to know of a failure. */
static astat_code why(CURLcode code, const astat_request *request)
{
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT: return ASTAT_E_TIMED_OUT;
    case CURLE_URL_MALFORMAT: return ASTAT_E_CONFIG;
    case CURLE_OK: /* the connection was closed within the head */
    case CURLE_PARTIAL_FILE:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WRITE_ERROR: return ASTAT_E_MALFORMED;
    default: return astat_request_is_cancelled(request) ? ASTAT_E_INTERRUPTED : ASTAT_E_TRANSPORT;
    }
}

static int32_t send_by_curl(void *context, const astat_request *request, astat_reply *reply)
{
    struct call call = {NULL, request, reply, 0, 0, 0};
    struct curl_slist *headers;
    int32_t answer = ASTAT_OK;
    CURLcode code;
    long sent = 0;

    if (astat_request_time_left_ns(request) == 0) /* which for libcurl is no limit */
        return astat_reply_fail(reply, ASTAT_DELIVERY_NOT_SENT, ASTAT_E_TIMED_OUT, ASTAT_LIT("no time left"));
    call.curl = borrow(context);
    headers = headers_of(request);
    if (call.curl && headers) {
        code = perform(&call, headers);
        curl_easy_getinfo(call.curl, CURLINFO_REQUEST_SIZE, &sent);
    } else
        code = CURLE_OUT_OF_MEMORY;
    if (code != CURLE_OK || !call.has_head)
        answer = astat_reply_fail(reply, sent > 0 ? ASTAT_DELIVERY_IN_DOUBT : ASTAT_DELIVERY_NOT_SENT,
                                  why(code, request), astat_cstr(curl_easy_strerror(code)));
    curl_slist_free_all(headers);
    if (call.curl)
        give_back(context, call.curl);
    return answer;
}

static const astat_transport_ops OPS = {sizeof OPS, destroy, send_by_curl};

/* From here on, the library destroys the pool, whatever happens. */
static astat_code check(astat_error **error)
{
    struct pool *pool = new_pool();
    return astat_conform_transport(pool ? &OPS : NULL, pool, error);
}

static astat_code client_with_own_transport(astat_client **client, astat_error **error)
{
    astat_config *config = astat_config_new();
    struct pool *pool = new_pool();
    astat_code code = astat_config_set_transport(config, pool ? &OPS : NULL, pool, error);

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
        fprintf(stderr, "usage: own_transport ID...\n");
        return WRONG_INPUT;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (check(&error) != ASTAT_OK || client_with_own_transport(&client, &error) != ASTAT_OK)
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
    curl_global_cleanup();
    return exit_code;
}
