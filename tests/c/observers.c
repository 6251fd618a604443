/*
 * Observers: which events there are, in which order, and what is in them.
 */
#include "canned.h"

#define SECOND (1000 * MS)

enum { MOST = 100 };

struct record {
    int count, destroyed;
    int32_t kinds[MOST], codes[MOST], http[MOST], levels[MOST], classes[MOST];
    uint32_t attempts[MOST];
    uint64_t times[MOST];
    char ids[MOST][20];
    astat_status *kept; /* of the last status */
    const astat_client *reenters;
};

static void on_event(void *context, const astat_event *event)
{
    static const char *const names[] = {"waiting_for_permit", "sending", "answered", "refused", "retrying",
                                        "settle_failed", "status"};
    struct record *record = (struct record *)context;
    const int32_t kind = astat_event_kind(event);
    const astat_str message = astat_event_message(event);
    const int of_job = kind != ASTAT_EVENT_SETTLE_FAILED;
    int i;

    if (record->reenters)
        reenter_all(record->reenters);
    pthread_mutex_lock(&plugging);
    i = record->count++;
    pthread_mutex_unlock(&plugging);
    if (!CHECK(i < MOST))
        return;
    CHECK(kind >= ASTAT_EVENT_WAITING && kind <= ASTAT_EVENT_STATUS);
    if (!CHECK(is(astat_event_name(event), names[kind - 1])))
        printf("    %s\n", astat_event_name(event).ptr);
    CHECK(message.len > 0 && is_clean(message) && !strchr(message.ptr, '\n'));
    CHECK(message.ptr == astat_event_message(event).ptr); /* it is there as long as the event */
    CHECK(of_job ? is(astat_event_operation(event),
                      "activity.create") : is_absent(astat_event_operation(event)));
    CHECK((kind == ASTAT_EVENT_SENDING) == (astat_event_attempt(event) > 0));
    CHECK((kind == ASTAT_EVENT_STATUS) == (astat_event_status(event) != NULL));
    CHECK((astat_event_code(event) != ASTAT_OK)
          == (kind == ASTAT_EVENT_REFUSED || kind == ASTAT_EVENT_RETRYING
              || kind == ASTAT_EVENT_SETTLE_FAILED));
    record->kinds[i] = kind;
    record->codes[i] = astat_event_code(event);
    record->http[i] = astat_event_http_status(event);
    record->levels[i] = astat_event_level(event);
    record->classes[i] = astat_event_class(event);
    record->attempts[i] = astat_event_attempt(event);
    record->times[i] = astat_event_time_ns(event);
    astat_copy(record->ids[i], sizeof record->ids[i], astat_event_request_id(event));
    if (kind == ASTAT_EVENT_STATUS) {
        pthread_mutex_lock(&plugging);
        astat_status_free(record->kept);
        record->kept = astat_status_ref(astat_event_status(event));
        pthread_mutex_unlock(&plugging);
    }
}

static void record_destroy(void *context)
{
    struct record *record = (struct record *)context;
    astat_status_free(record->kept);
    record->kept = NULL;
    pthread_mutex_lock(&plugging);
    record->destroyed++;
    pthread_mutex_unlock(&plugging);
}

static const astat_observer_ops OPS = {sizeof OPS, record_destroy, on_event};

static int went(const struct record *record, const int32_t *kinds, size_t count)
{
    size_t i;
    int same = (size_t)record->count == count;
    for (i = 0; same && i < count; i++)
        same = record->kinds[i] == kinds[i];
    for (i = 0; !same && i < (size_t)record->count; i++)
        printf("    %d", (int)record->kinds[i]);
    if (!same)
        printf("\n");
    return same;
}

/* Answers as it is told, one after another, and the last one from then on. */
struct script {
    int32_t http[8];
    int at;
};

static int32_t plays(struct canned *canned, const astat_request *request, astat_reply *reply)
{
    struct script *script = (struct script *)canned->more;
    const int32_t http_status = script->http[script->at];
    if (script->http[script->at + 1])
        script->at++;
    if (http_status == 200)
        return all_well(canned, request, reply);
    if (http_status < 0)
        return astat_reply_fail(reply, ASTAT_DELIVERY_IN_DOUBT, ASTAT_E_TRANSPORT, api_key);
    return answer(reply, http_status, api_key.ptr);
}

static astat_client *observed_client(struct canned *canned, struct record *record,
                                     const astat_virtual_clock *clock,
                                     struct plug *plug)
{
    astat_config *config = canned_config(canned);
    astat_error *error = STALE(astat_error);
    CHECK(astat_config_set(config, ASTAT_LIT("quota"), ASTAT_LIT("4/5s"), NULL) == ASTAT_OK);
    CHECK(astat_config_use_virtual_clock(config, clock, NULL) == ASTAT_OK);
    if (plug)
        CHECK(astat_config_set_limiter(config, &PLUG_OPS, plug, NULL) == ASTAT_OK);
    CHECK(astat_config_set_observer(config, &OPS, record, &error) == ASTAT_OK && !error);
    return client_of(config);
}

static void every_event(void)
{
    static const int32_t kinds[] = {
        ASTAT_EVENT_SENDING, ASTAT_EVENT_RETRYING,
                                                          /* no answer */
        ASTAT_EVENT_SENDING, ASTAT_EVENT_ANSWERED, ASTAT_EVENT_RETRYING,                         /* 500 */
        ASTAT_EVENT_SENDING, ASTAT_EVENT_ANSWERED, ASTAT_EVENT_REFUSED,  ASTAT_EVENT_RETRYING,   /* 429 */
        ASTAT_EVENT_WAITING, ASTAT_EVENT_SENDING,  ASTAT_EVENT_ANSWERED, ASTAT_EVENT_STATUS,
    };
    struct script script = {{-1, 500, 429, 200, 0, 0, 0, 0}, 0};
    struct canned canned = {plays, 0, 0, NULL, NULL};
    struct record record;
    astat_virtual_clock *clock = astat_virtual_clock_new();
    astat_client *client;
    astat_status *status = NULL;
    astat_submitted *submitted;
    astat_error *error = NULL;
    int i, waits = 0;

    memset(&record, 0, sizeof record);
    canned.more = &script;
    client = observed_client(&canned, &record, clock, NULL);
    CHECK(astat_client_status(client, ACTIVITY, ASTAT_LIT("1"), NULL, &status, &error) == ASTAT_OK && !error);
    /* After a refusal the limiter may have the call wait, once or more. */
    for (i = 0; i < record.count; i++) {
        CHECK(strcmp(record.ids[i], "1") == 0);
        if (record.kinds[i] == ASTAT_EVENT_WAITING) {
            CHECK(record.times[i] > 0 && record.times[i] <= 60 * SECOND
                  && record.levels[i] == ASTAT_LEVEL_DEBUG);
            waits++;
        }
    }
    if (waits == 1 && CHECK(went(&record, kinds, COUNT(kinds)))) {
        CHECK(record.attempts[0] == 1 && record.attempts[2] == 2 && record.attempts[5] == 3);
        CHECK(record.codes[1] == ASTAT_E_TRANSPORT && record.codes[4] == ASTAT_E_SERVER);
        CHECK(record.codes[7] == ASTAT_E_REFUSED && record.codes[8] == ASTAT_E_REFUSED);
        CHECK(record.http[3] == 500 && record.http[6] == 429 && record.http[7] == 429
              && record.http[11] == 200);
        CHECK(record.levels[0] == ASTAT_LEVEL_DEBUG && record.levels[1] == ASTAT_LEVEL_WARNING);
        CHECK(record.levels[7] == ASTAT_LEVEL_WARNING && record.levels[12] == ASTAT_LEVEL_INFO);
        CHECK(record.times[0] == ASTAT_NS_NONE && record.times[1] > 0 && record.times[3] == 0);
        CHECK(record.classes[0] == ASTAT_CLASS_POLL && record.classes[1] == 0);
    } else
        CHECK(waits == 1);
    CHECK(record.kept != NULL && is(astat_status_request_id(record.kept), "1"));
    CHECK(astat_status_outcome(record.kept) == ASTAT_SUCCEEDED);
    astat_status_free(status);

    record.count = 0;
    submitted = submit(client, BODY);
    for (i = 0; i < record.count; i++)
        CHECK(record.ids[i][0] == '\0' && record.classes[i] == ASTAT_CLASS_SUBMIT);
    CHECK(record.count >= 2 && record.kinds[record.count - 1] == ASTAT_EVENT_ANSWERED);
    astat_submitted_free(submitted);
    astat_client_free(client);
    astat_virtual_clock_free(clock);
    CHECK(record.destroyed == 1);
}

/* A limiter that cannot take notes changes nothing but that it is told. */
static void a_settlement_that_fails(void)
{
    static const int32_t kinds[] = {ASTAT_EVENT_SENDING, ASTAT_EVENT_SETTLE_FAILED, ASTAT_EVENT_ANSWERED,
                                    ASTAT_EVENT_STATUS};
    struct script script = {{200, 0, 0, 0, 0, 0, 0, 0}, 0};
    struct canned canned = {plays, 0, 0, NULL, NULL};
    struct plug plug = PLUG;
    struct record record;
    astat_virtual_clock *clock = astat_virtual_clock_new();
    astat_client *client;
    astat_status *status = NULL;
    astat_error *error = NULL;
    char text[200];

    memset(&record, 0, sizeof record);
    canned.more = &script;
    sprintf(text, "the store at %s is gone", api_key.ptr);
    plug.trouble = text;
    plug.answer_of_others = 77;
    client = observed_client(&canned, &record, clock, &plug);
    CHECK(astat_client_status(client, ACTIVITY, ASTAT_LIT("1"), NULL, &status, &error) == ASTAT_OK && !error);
    if (CHECK(went(&record, kinds, COUNT(kinds))))
        CHECK(record.codes[1] == ASTAT_E_LIMITER && record.levels[1] == ASTAT_LEVEL_WARNING);
    astat_status_free(status);
    astat_client_free(client);
    astat_virtual_clock_free(clock);
}

static void reentrance(void)
{
    struct script script = {{500, 429, 200, 0, 0, 0, 0, 0}, 0};
    struct canned canned = {plays, 0, 0, NULL, NULL}, well = {all_well, 0, 0, NULL, NULL};
    struct record record;
    astat_virtual_clock *clock = astat_virtual_clock_new();
    astat_client *client, *other = canned_client(&well);
    astat_status *status = NULL;
    astat_error *error = NULL;

    memset(&record, 0, sizeof record);
    canned.more = &script;
    client = observed_client(&canned, &record, clock, NULL);
    record.reenters = other;
    CHECK(astat_client_status(client, ACTIVITY, ASTAT_LIT("1"), NULL, &status, &error) == ASTAT_OK && !error);
    CHECK(record.count >= 9 && well.sent == 0);
    astat_status_free(status);
    astat_client_free(client);
    astat_client_free(other);
    astat_virtual_clock_free(clock);
}

/* The events of a batch, whose looks are made by other threads. */
static void a_batch(void)
{
    struct canned canned = {all_well, 0, 0, NULL, NULL};
    struct record record;
    astat_virtual_clock *clock = astat_virtual_clock_new();
    astat_client *client;
    astat_batch *batch = NULL;
    astat_ended *ended = NULL;
    astat_error *error = NULL;
    int32_t what = 0;
    int i, statuses = 0;

    memset(&record, 0, sizeof record);
    client = observed_client(&canned, &record, clock, NULL);
    CHECK(astat_batch_new(client, NULL, &batch, &error) == ASTAT_OK);
    for (i = 0; i < 6; i++) {
        char id[10];
        sprintf(id, "%d", i);
        CHECK(astat_batch_add(batch, ACTIVITY, astat_cstr(id), 0, NULL, &error) == ASTAT_OK);
    }
    for (i = 0; i < 6; i++) {
        CHECK(astat_batch_next(batch, ASTAT_NS_NONE, &what, &ended, &error) == ASTAT_OK
              && what == ASTAT_NEXT_ENDED);
        astat_ended_free(ended);
    }
    for (i = 0; i < record.count; i++)
        statuses += record.kinds[i] == ASTAT_EVENT_STATUS;
    CHECK(statuses == 6);
    astat_client_free(client);
    CHECK(record.destroyed == 0);
    astat_batch_free(batch);
    await(&record.destroyed, 1);
    await(&canned.destroyed, 1);
    astat_virtual_clock_free(clock);
}

static void an_observer_ends_once(void)
{
    struct canned canned = {all_well, 0, 0, NULL, NULL};
    struct record record, other;
    astat_observer_ops ops = OPS;
    astat_config *config = canned_config(&canned);
    astat_error *error = NULL;
    size_t i;

    memset(&record, 0, sizeof record);
    memset(&other, 0, sizeof other);
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_observer(NULL, &ops, &record, &error), NULL, error);
    ops.on_event = NULL;
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_observer(config, &ops, &record, &error), NULL, error);
    CHECK(record.destroyed == 2);
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_observer(config, NULL, &record, &error), NULL, error);
    for (i = 0; i < 2 * sizeof(size_t); i++) {
        ops.struct_size = i;
        FAILS(ASTAT_E_ARGUMENT, astat_config_set_observer(config, &ops, &record, &error), NULL, error);
    }
    CHECK(record.destroyed == 2);
    CHECK(astat_config_set_observer(config, &OPS, &record, NULL) == ASTAT_OK);
    CHECK(astat_config_set_observer(config, &OPS, &other, NULL) == ASTAT_OK && record.destroyed == 3);
    astat_client_free(client_of(config));
    CHECK(other.destroyed == 1);

    CHECK(astat_event_kind(NULL) == 0 && astat_event_level(NULL) == 0 && astat_event_class(NULL) == 0);
    CHECK(is_absent(astat_event_message(NULL)) && is_absent(astat_event_name(NULL)));
    CHECK(is_absent(astat_event_operation(NULL)) && is_absent(astat_event_request_id(NULL)));
    CHECK(astat_event_attempt(NULL) == 0 && astat_event_http_status(NULL) == 0);
    CHECK(astat_event_time_ns(NULL) == ASTAT_NS_NONE && astat_event_code(NULL) == ASTAT_OK);
    CHECK(!astat_event_status(NULL));
}

int main(int argc, char **argv)
{
    if (!begins(argc, argv))
        return 2;
    every_event();
    a_settlement_that_fails();
    reentrance();
    a_batch();
    an_observer_ends_once();
    return ends();
}
