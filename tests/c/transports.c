/*
 * Transports of the program's own: what they are given, and what becomes of whatever they do.
 */
#include "canned.h"

static astat_code ask(const astat_client *client, astat_status **status, astat_error **error)
{
    return astat_client_status(client, ACTIVITY, ASTAT_LIT("a/b+c"), NULL, status, error);
}

static astat_code post(const astat_client *client, astat_submitted **submitted, astat_error **error)
{
    return astat_client_submit(client, ACTIVITY, BODY, NULL, submitted, error);
}

/* ---- what there is to send ---- */

static int has_header(const astat_request *request, const char *name, astat_str value)
{
    const size_t count = astat_request_header_count(request);
    size_t i, found = 0;
    for (i = 0; i < count; i++)
        if (is(astat_request_header_name(request, i), name))
            found += is(astat_request_header_value(request, i), value.ptr) ? 1 : 100;
    return found == 1;
}

static int32_t looks_at_it(struct canned *canned, const astat_request *request, astat_reply *reply)
{
    const size_t count = astat_request_header_count(request);
    const int posts = is(astat_request_method(request), "POST");
    char url[300];

    sprintf(url, "%s%s", base_url, posts ? "/activity/create" : "/activity/create/status?RequestID=a%2Fb%2Bc");
    CHECK(posts || is(astat_request_method(request), "GET"));
    CHECK(is(astat_request_url(request), url));
    CHECK(has_header(request, "x-api-key", api_key)
          && has_header(request, "accept", astat_cstr("application/json")));
    CHECK(has_header(request, "x-lsq-accesskey", access_key) == posts);
    CHECK(has_header(request, "x-lsq-secretkey", secret_key) == posts);
    CHECK(has_header(request, "content-type", ASTAT_LIT("application/json")) == posts);
    CHECK(count > 0 && count < 20);
    CHECK(is_absent(astat_request_header_name(request, count)));
    CHECK(is_absent(astat_request_header_value(request, count)));
    CHECK(is_absent(astat_request_header_name(request, (size_t)-1)));
    CHECK(posts ? is(astat_request_body(request), BODY.ptr) : is_absent(astat_request_body(request)));
    CHECK(astat_request_time_left_ns(request) > 0 && astat_request_time_left_ns(request) <= 60000 * MS);
    CHECK(!astat_request_is_cancelled(request));
    return all_well(canned, request, reply);
}

static void what_is_sent(void)
{
    struct canned canned = {looks_at_it, 0, 0, NULL, NULL};
    astat_client *client = canned_client(&canned);
    astat_submitted *submitted = submit(client, BODY);
    astat_status *status = NULL;
    astat_error *error = NULL;

    CHECK(is(astat_submitted_request_id(submitted), "1") && canned.sent == 1);
    FAILS(ASTAT_E_MALFORMED, ask(client, &status, &error), status, error); /* that id came back escaped */
    CHECK(canned.sent == 2);
    astat_submitted_free(submitted);
    astat_client_free(client);
    CHECK(canned.destroyed == 1);

    CHECK(is_absent(astat_request_method(NULL)) && is_absent(astat_request_url(NULL)));
    CHECK(is_absent(astat_request_body(NULL)) && is_absent(astat_request_header_name(NULL, 0)));
    CHECK(is_absent(astat_request_header_value(NULL, 0)) && astat_request_header_count(NULL) == 0);
    CHECK(astat_request_time_left_ns(NULL) == 0 && astat_request_is_cancelled(NULL) == 0);
    astat_reply_new_connection(NULL);
    astat_reply_set_status(NULL, 200);
    astat_reply_add_header(NULL, ASTAT_LIT("a"), ASTAT_LIT("b"));
    astat_reply_head_arrived(NULL);
    CHECK(astat_reply_add_body(NULL, "x", 1) == ASTAT_E_ARGUMENT);
    CHECK(astat_reply_fail(NULL, ASTAT_DELIVERY_NOT_SENT, ASTAT_E_TIMED_OUT, NONE) == ASTAT_E_TIMED_OUT);
}

/* ---- what comes back ---- */

struct said {
    int32_t http_status;
    const char *body;
    astat_code asked, submitted;
};

static int32_t says(struct canned *canned, const astat_request *request, astat_reply *reply)
{
    const struct said *said = (const struct said *)canned->more;
    (void)request;
    return answer(reply, said->http_status, said->body);
}

static void each_answer_is_read(void)
{
    static const struct said all[] = {
        {200, "{\"RequestId\":\"a/b+c\",\"RequestID\":\"a/b+c\",\"TaskStatus\":{\"Status\":\"Success\"}}",
         ASTAT_OK, ASTAT_OK},
        {200, "", ASTAT_E_MALFORMED, ASTAT_E_MALFORMED},
        {200, "\xff\xfe", ASTAT_E_MALFORMED, ASTAT_E_MALFORMED},
        {200, "<html>", ASTAT_E_MALFORMED, ASTAT_E_MALFORMED},
        {204, "", ASTAT_E_MALFORMED, ASTAT_E_MALFORMED},
        {302, "", ASTAT_E_MALFORMED, ASTAT_E_MALFORMED},
        {400, "{\"ExceptionMessage\":\"no\"}", ASTAT_E_BAD_REQUEST, ASTAT_E_BAD_REQUEST},
        {401, "", ASTAT_E_UNAUTHORIZED, ASTAT_E_UNAUTHORIZED},
        {404, "", ASTAT_E_NOT_FOUND, ASTAT_E_NOT_FOUND},
        {429, "", ASTAT_E_REFUSED, ASTAT_E_REFUSED},
        {500, "\xff", ASTAT_E_SERVER, ASTAT_E_SERVER},
        {999, "", ASTAT_E_MALFORMED, ASTAT_E_MALFORMED},
        {100, "", ASTAT_E_MALFORMED, ASTAT_E_MALFORMED},
        /* None at all. */
        {0, "{}", ASTAT_E_MALFORMED, ASTAT_E_IN_DOUBT},
        {99, "{}", ASTAT_E_MALFORMED, ASTAT_E_IN_DOUBT},
        {1000, "{}", ASTAT_E_MALFORMED, ASTAT_E_IN_DOUBT},
        {-200, "{}", ASTAT_E_MALFORMED, ASTAT_E_IN_DOUBT},
        {65736, "{}", ASTAT_E_MALFORMED, ASTAT_E_IN_DOUBT}, /* 200 and 2^16 */
    };
    size_t i;
    for (i = 0; i < COUNT(all); i++) {
        struct canned canned = {says, 0, 0, NULL, NULL};
        astat_client *client;
        astat_status *status = STALE(astat_status);
        astat_submitted *submitted = STALE(astat_submitted);
        astat_error *error = NULL;
        struct said said = all[i];

        canned.more = &said;
        client = canned_client(&canned);
        if (said.asked == ASTAT_OK) {
            CHECK(ask(client, &status, &error) == ASTAT_OK && !error);
            CHECK(post(client, &submitted, &error) == ASTAT_OK && !error);
            astat_status_free(status);
            astat_submitted_free(submitted);
        } else {
            const int is_answer = said.submitted != ASTAT_E_IN_DOUBT;
            CHECK(ask(client, &status, &error) == said.asked);
            CHECK(astat_error_http_status(error) == (is_answer ? said.http_status : 0));
            FAILS(said.asked, said.asked, status, error);
            CHECK(post(client, &submitted, &error) == said.submitted);
            if (!is_answer || said.http_status == 500)
                CHECK(astat_error_resend(error) == ASTAT_RESEND_MAY_DUPLICATE);
            FAILS(said.submitted, said.submitted, submitted, error);
        }
        CHECK(canned.sent == 2);
        astat_client_free(client);
        CHECK(canned.destroyed == 1);
    }
}

/* Heads one after another, headers that are none, pieces of a body of any length. */
static int32_t talks_much(struct canned *canned, const astat_request *request, astat_reply *reply)
{
    int i;
    (void)canned, (void)request;
    astat_reply_head_arrived(reply); /* of nothing yet */
    astat_reply_add_header(reply, ASTAT_LIT("x-of"), ASTAT_LIT("nothing"));
    astat_reply_set_status(reply, 100);
    astat_reply_add_header(reply, ASTAT_LIT("retry-after"), ASTAT_LIT("86400"));
    astat_reply_new_connection(reply);
    astat_reply_set_status(reply, 429);
    for (i = 0; i < 3000; i++)
        astat_reply_add_header(reply, ASTAT_LIT("x"), ASTAT_LIT("\xff"));
    astat_reply_add_header(reply, NONE, NONE);
    astat_reply_add_header(reply, astat_text("a\0b", 3), astat_text("c\0d", 3));
    astat_reply_add_header(reply, ASTAT_LIT("Retry-After"), ASTAT_LIT("7"));
    astat_reply_head_arrived(reply);
    astat_reply_head_arrived(reply);
    astat_reply_set_status(reply, 404); /* too late for the quota; it is what the caller sees */
    CHECK(astat_reply_add_body(reply, NULL, 3) == ASTAT_E_ARGUMENT);
    CHECK(astat_reply_add_body(reply, NULL, 0) == ASTAT_OK);
    CHECK(astat_reply_add_body(reply, "{\"message\":", 11) == ASTAT_OK);
    CHECK(astat_reply_add_body(reply, "\"in pieces\"}", 12) == ASTAT_OK);
    return ASTAT_OK;
}

static void a_head_more_than_once(void)
{
    struct canned canned = {talks_much, 0, 0, NULL, NULL};
    struct plug plug = PLUG;
    astat_config *config = canned_config(&canned);
    astat_client *client;
    astat_status *status = STALE(astat_status);
    astat_error *error = NULL;

    CHECK(astat_config_set_limiter(config, &PLUG_OPS, &plug, NULL) == ASTAT_OK);
    client = client_of(config);
    CHECK(ask(client, &status, &error) == ASTAT_E_NOT_FOUND);
    CHECK(astat_error_http_status(error) == 404 && holds(astat_error_message(error), "in pieces"));
    FAILS(ASTAT_E_NOT_FOUND, ASTAT_E_NOT_FOUND, status, error);
    CHECK(plug.acquired == 1 && plug.settled == 1 && plug.last_how == ASTAT_SETTLED_REFUSED);
    CHECK(plug.last_retry_after == 7000 * MS);
    astat_client_free(client);
    CHECK(plug.destroyed == 1 && canned.destroyed == 1);
}

/* ---- what goes wrong ---- */

static int32_t sends_too_much(struct canned *canned, const astat_request *request, astat_reply *reply)
{
    char *piece = (char *)calloc(1, 1 << 20);
    size_t sent = 0;
    (void)canned, (void)request;
    astat_reply_set_status(reply, 200);
    astat_reply_head_arrived(reply);
    while (sent < 100 && astat_reply_add_body(reply, piece, 1 << 20) == ASTAT_OK)
        sent++;
    CHECK(sent == 10);
    CHECK(astat_reply_add_body(reply, piece, 1) == ASTAT_E_MALFORMED); /* it stays full */
    free(piece);
    return ASTAT_OK; /* what was too much is forgotten */
}

static void an_answer_without_end(void)
{
    struct canned canned = {sends_too_much, 0, 0, NULL, NULL};
    astat_client *client = canned_client(&canned);
    astat_status *status = STALE(astat_status);
    astat_submitted *submitted = STALE(astat_submitted);
    astat_error *error = NULL;

    CHECK(ask(client, &status, &error) == ASTAT_E_MALFORMED);
    CHECK(holds(astat_error_message(error), "10 MiB"));
    FAILS(ASTAT_E_MALFORMED, ASTAT_E_MALFORMED, status, error);
    FAILS(ASTAT_E_IN_DOUBT, post(client, &submitted, &error), submitted, error);
    astat_client_free(client);
}

struct failure {
    int32_t delivery; /* 0: it does not say why */
    astat_code why, returns, asked, submitted;
    int32_t resend, how; /* of the submit, and of its permit */
};

static int32_t fails(struct canned *canned, const astat_request *request, astat_reply *reply)
{
    const struct failure *failure = (const struct failure *)canned->more;
    char message[200];
    size_t i;

    sprintf(message, "\xff the wire to %s is cut", api_key.ptr);
    for (i = 0; i < astat_request_header_count(request) && i < 99; i++)
        if (is(astat_request_header_name(request, i), "x-lsq-secretkey"))
            sprintf(message + strlen(message), ", %s too", astat_request_header_value(request, i).ptr);
    if (failure->delivery) {
        CHECK(astat_reply_fail(reply, 77, ASTAT_E_CONFIG, ASTAT_LIT("a first thought")) == ASTAT_E_CONFIG);
        CHECK(astat_reply_fail(reply, failure->delivery, failure->why, astat_cstr(message)) == failure->why);
    }
    return failure->returns;
}

static void each_failure_is_told(void)
{
    enum { NOT = ASTAT_DELIVERY_NOT_SENT, PART = ASTAT_DELIVERY_PARTLY, MAYBE = ASTAT_DELIVERY_IN_DOUBT };
    enum { SAFE = ASTAT_RESEND_SAFE, TWICE = ASTAT_RESEND_MAY_DUPLICATE };
    enum { GONE = ASTAT_SETTLED_NOT_SENT, HELD = ASTAT_SETTLED_IN_DOUBT };
    static const struct failure all[] = {
        {NOT, ASTAT_E_TRANSPORT, ASTAT_E_TRANSPORT, ASTAT_E_TRANSPORT, ASTAT_E_TRANSPORT, SAFE, GONE},
        {NOT, ASTAT_E_TIMED_OUT, ASTAT_E_TIMED_OUT, ASTAT_E_TIMED_OUT, ASTAT_E_TIMED_OUT, SAFE, GONE},
        {PART, ASTAT_E_TRANSPORT, ASTAT_E_TRANSPORT, ASTAT_E_TRANSPORT, ASTAT_E_TRANSPORT, SAFE, HELD},
        {MAYBE, ASTAT_E_TRANSPORT, ASTAT_E_TRANSPORT, ASTAT_E_TRANSPORT, ASTAT_E_IN_DOUBT, TWICE, HELD},
        {MAYBE, ASTAT_E_MALFORMED, ASTAT_E_MALFORMED, ASTAT_E_MALFORMED, ASTAT_E_IN_DOUBT, TWICE, HELD},
        /* What it said holds, whatever it returns. */
        {NOT, ASTAT_E_TIMED_OUT, ASTAT_OK, ASTAT_E_TIMED_OUT, ASTAT_E_TIMED_OUT, SAFE, GONE},
        {NOT, ASTAT_E_TIMED_OUT, 77, ASTAT_E_TIMED_OUT, ASTAT_E_TIMED_OUT, SAFE, GONE},
        /* A delivery that is none is in doubt; a code that is none is a lost connection. */
        {99, ASTAT_E_TRANSPORT, ASTAT_E_TRANSPORT, ASTAT_E_TRANSPORT, ASTAT_E_IN_DOUBT, TWICE, HELD},
        {-1, 4711, 4711, ASTAT_E_TRANSPORT, ASTAT_E_IN_DOUBT, TWICE, HELD},
        {NOT, ASTAT_OK, ASTAT_OK, ASTAT_E_TRANSPORT, ASTAT_E_TRANSPORT, SAFE, GONE},
        /* It does not say why. */
        {0, 0, ASTAT_E_TRANSPORT, ASTAT_E_TRANSPORT, ASTAT_E_IN_DOUBT, TWICE, HELD},
        {0, 0, ASTAT_E_TIMED_OUT, ASTAT_E_TIMED_OUT, ASTAT_E_IN_DOUBT, TWICE, HELD},
        {0, 0, ASTAT_E_PANIC, ASTAT_E_TRANSPORT, ASTAT_E_IN_DOUBT, TWICE, HELD},
        {0, 0, 77, ASTAT_E_TRANSPORT, ASTAT_E_IN_DOUBT, TWICE, HELD},
        {0, 0, -1, ASTAT_E_TRANSPORT, ASTAT_E_IN_DOUBT, TWICE, HELD},
        {0, 0, ASTAT_OK, ASTAT_E_MALFORMED, ASTAT_E_IN_DOUBT, TWICE, HELD},
    };
    size_t i;
    for (i = 0; i < COUNT(all); i++) {
        struct failure failure = all[i];
        struct canned canned = {fails, 0, 0, NULL, NULL};
        struct plug plug = PLUG;
        astat_config *config = canned_config(&canned);
        astat_client *client;
        astat_status *status = STALE(astat_status);
        astat_submitted *submitted = STALE(astat_submitted);
        astat_error *error = NULL;
        char number[20];

        canned.more = &failure;
        CHECK(astat_config_set(config, ASTAT_LIT("max_attempts"), ASTAT_LIT("1"), NULL) == ASTAT_OK);
        CHECK(astat_config_set_limiter(config, &PLUG_OPS, &plug, NULL) == ASTAT_OK);
        client = client_of(config);
        CHECK(ask(client, &status, &error) == failure.asked);
        sprintf(number, "%d", (int)failure.returns);
        if (failure.delivery)
            CHECK(holds(astat_error_message(error), " is cut")
                  && !holds(astat_error_message(error), "a first thought"));
        else if (failure.returns)
            CHECK(holds(astat_error_message(error), number));
        FAILS(failure.asked, failure.asked, status, error);
        CHECK(post(client, &submitted, &error) == failure.submitted);
        CHECK(astat_error_resend(error) == failure.resend && astat_error_attempts(error) == 1);
        FAILS(failure.submitted, failure.submitted, submitted, error);
        CHECK(plug.settled == 2 && plug.last_how == failure.how && canned.sent == 2);
        astat_client_free(client);
        CHECK(canned.destroyed == 1);
        if (failed) {
            printf("    failure %u\n", (unsigned)i);
            return;
        }
    }
}

/* What is safe is tried again, and no more often than it may be. */
static void tries(void)
{
    struct failure failure = {ASTAT_DELIVERY_NOT_SENT, ASTAT_E_TRANSPORT, ASTAT_E_TRANSPORT, 0, 0, 0, 0};
    struct canned canned = {fails, 0, 0, NULL, NULL};
    astat_config *config = canned_config(&canned);
    astat_virtual_clock *clock = astat_virtual_clock_new();
    astat_client *client;
    astat_submitted *submitted = STALE(astat_submitted);
    astat_error *error = NULL;

    canned.more = &failure;
    CHECK(astat_config_use_virtual_clock(config, clock, NULL) == ASTAT_OK);
    client = client_of(config);
    CHECK(post(client, &submitted, &error) == ASTAT_E_TRANSPORT);
    CHECK(astat_error_attempts(error) == 5 && canned.sent == 5);
    FAILS(ASTAT_E_TRANSPORT, ASTAT_E_TRANSPORT, submitted, error);
    failure.delivery = ASTAT_DELIVERY_IN_DOUBT;
    FAILS(ASTAT_E_IN_DOUBT, post(client, &submitted, &error), submitted, error);
    CHECK(canned.sent == 6);
    astat_client_free(client);
    astat_virtual_clock_free(clock);
}

/* ---- threads, re-entrance, ends ---- */

struct elsewhere {
    const astat_request *request;
    astat_reply *reply;
    int32_t answer;
};

static void *answers_elsewhere(void *argument)
{
    struct elsewhere *it = (struct elsewhere *)argument;
    CHECK(astat_request_header_count(it->request) > 0 && !astat_request_is_cancelled(it->request));
    it->answer = all_well(NULL, it->request, it->reply);
    return NULL;
}

static int32_t has_a_thread(struct canned *canned, const astat_request *request, astat_reply *reply)
{
    struct elsewhere it = {request, reply, -1};
    pthread_t thread;
    (void)canned;
    CHECK(pthread_create(&thread, NULL, answers_elsewhere, &it) == 0 && pthread_join(thread, NULL) == 0);
    return it.answer;
}

static int32_t reenters(struct canned *canned, const astat_request *request, astat_reply *reply)
{
    reenter_all((const astat_client *)canned->more);
    return has_a_thread(canned, request, reply);
}

static void reentrance(void)
{
    struct canned well = {all_well, 0, 0, NULL, NULL}, canned = {reenters, 0, 0, NULL, NULL};
    struct plug within = PLUG;
    astat_client *other = canned_client(&well), *client = canned_client(&canned);
    astat_submitted *submitted;

    canned.more = client;
    submitted = submit(client, BODY);
    astat_submitted_free(submitted);
    canned.more = other; /* another one is no way round */
    submitted = submit(client, BODY);
    astat_submitted_free(submitted);
    CHECK(canned.sent == 2 && well.sent == 0);
    within.reenters = other;
    canned.within = &within;
    astat_client_free(client);
    CHECK(canned.destroyed == 1 && within.reentered == 1);
    submitted = submit(other, BODY); /* and afterwards all is as before */
    astat_submitted_free(submitted);
    astat_client_free(other);
}

static void *calls_often(void *argument)
{
    astat_client *client = (astat_client *)argument;
    int i;
    for (i = 0; i < 50; i++) {
        char id[30];
        astat_status *status = NULL;
        astat_error *error = NULL;
        sprintf(id, "%p-%d", (void *)&i, i);
        CHECK(astat_client_status(client, ACTIVITY, astat_cstr(id), NULL, &status, &error) == ASTAT_OK
              && !error);
        CHECK(is(astat_status_request_id(status), id));
        astat_status_free(status);
    }
    astat_client_free(client);
    return NULL;
}

static void threads(void)
{
    struct canned canned = {all_well, 0, 0, NULL, NULL};
    astat_client *client = canned_client(&canned);
    pthread_t running[4];
    size_t i;
    for (i = 0; i < COUNT(running); i++)
        CHECK(pthread_create(&running[i], NULL, calls_often, astat_client_ref(client)) == 0);
    astat_client_free(client);
    for (i = 0; i < COUNT(running); i++)
        CHECK(pthread_join(running[i], NULL) == 0);
    CHECK(canned.sent == 200 && canned.destroyed == 1);
}

static void a_transport_ends_once(void)
{
    static const size_t unreadable[] = {0, 1, sizeof(size_t), offsetof(astat_transport_ops, send) - 1, 100000,
                                        (size_t)-1};
    struct canned canned = {all_well, 0, 0, NULL, NULL}, other = canned;
    astat_transport_ops ops = CANNED_OPS;
    struct {
        astat_transport_ops known;
        uint64_t later;
    } newer = {ASTAT_TRANSPORT_OPS_INIT, 1};
    astat_config *config = new_config();
    astat_client *one = NULL, *two = NULL;
    astat_error *error = NULL;
    size_t i;

    FAILS(ASTAT_E_ARGUMENT, astat_config_set_transport(NULL, &ops, &canned, &error), NULL, error);
    CHECK(canned.destroyed == 1);
    ops.send = NULL;
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_transport(config, &ops, &canned, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_conform_transport(&ops, &canned, &error), NULL, error);
    CHECK(canned.destroyed == 3);
    ops = CANNED_OPS;
    ops.struct_size = offsetof(astat_transport_ops, send);
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_transport(config, &ops, &canned, &error), NULL, error);
    CHECK(canned.destroyed == 4);
    newer.known = CANNED_OPS;
    newer.known.struct_size = sizeof newer;
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_transport(config, &newer.known, &canned, &error), NULL, error);
    CHECK(canned.destroyed == 5);
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_transport(config, NULL, &canned, &error), NULL, error);
    FAILS(ASTAT_E_ARGUMENT, astat_conform_transport(NULL, &canned, &error), NULL, error);
    for (i = 0; i < COUNT(unreadable); i++) {
        ops.struct_size = unreadable[i];
        FAILS(ASTAT_E_ARGUMENT, astat_config_set_transport(config, &ops, &canned, &error), NULL, error);
    }
    CHECK(canned.destroyed == 5);

    CHECK(astat_config_set_transport(config, &CANNED_OPS, &canned, NULL) == ASTAT_OK
          && canned.destroyed == 5);
    newer.later = 0;
    CHECK(astat_config_set_transport(config, &newer.known, &other, NULL) == ASTAT_OK
          && canned.destroyed == 6);
    CHECK(astat_client_new(config, &one, &error) == ASTAT_OK
          && astat_client_new(config, &two, &error) == ASTAT_OK);
    CHECK(astat_config_set_transport(config, &CANNED_OPS, &canned, NULL) == ASTAT_OK && other.destroyed == 0);
    astat_client_free(one);
    CHECK(other.destroyed == 0);
    astat_client_free(two);
    CHECK(other.destroyed == 1 && canned.destroyed == 6);

    /* No client comes of it. */
    CHECK(astat_config_set(config, ASTAT_LIT("proxy"), ASTAT_LIT("http://127.0.0.1:1"), NULL) == ASTAT_OK);
    one = STALE(astat_client);
    FAILS(ASTAT_E_CONFIG, astat_client_new(config, &one, &error), one, error);
    CHECK(canned.destroyed == 6);
    astat_config_free(config);
    CHECK(canned.destroyed == 7);

    /* A batch holds it, too. */
    canned.destroyed = 0;
    one = canned_client(&canned);
    {
        astat_batch *batch = STALE(astat_batch);
        CHECK(astat_batch_new(one, NULL, &batch, &error) == ASTAT_OK);
        astat_client_free(one);
        CHECK(canned.destroyed == 0);
        astat_batch_free(batch);
        CHECK(canned.destroyed == 1);
    }
    ops = CANNED_OPS;
    ops.destroy = NULL;
    config = new_config();
    CHECK(astat_config_set_transport(config, &ops, &canned, NULL) == ASTAT_OK);
    astat_client_free(client_of(config));
    CHECK(canned.destroyed == 1);
}

/* One that passes is in the examples. */
static void conformance(void)
{
    struct canned canned = {all_well, 0, 0, NULL, NULL};
    astat_error *error = NULL;
    CHECK(astat_conform_transport(&CANNED_OPS, &canned, &error) == ASTAT_E_TRANSPORT);
    CHECK(holds(astat_error_message(error), "a request arrives as it was given: "));
    FAILS(ASTAT_E_TRANSPORT, ASTAT_E_TRANSPORT, NULL, error);
    CHECK(canned.destroyed == 1);
}

int main(int argc, char **argv)
{
    if (!begins(argc, argv))
        return 2;
    what_is_sent();
    each_answer_is_read();
    a_head_more_than_once();
    an_answer_without_end();
    each_failure_is_told();
    tries();
    reentrance();
    threads();
    a_transport_ends_once();
    conformance();
    return ends();
}
