/*
 * A source of keys of the program's own: keys that change, are refused, are wrong, or do not come.
 */
#include "canned.h"

static const char OLD_KEY[] = "wr0ng-s3cr3t-of-old", NEW_KEY[] = "wr0ng-s3cr3t-of-new";

struct vault {
    const char *api_key, *access_key, *secret_key;
    int without_submit_keys, is_silent;
    const char *others; /* the API key after a refusal; NULL: the same */
    int got, refused, destroyed;
    int32_t last_refused, answer;
    const char *trouble;
    const astat_client *reenters;
};

#define VAULT {OLD_KEY, "access", "wr0ng-s3cr3t-for-submits", 0, 0, NULL, 0, 0, 0, 0, ASTAT_OK, NULL, NULL}

static int32_t get(void *context, astat_credentials *out, astat_trouble *trouble)
{
    struct vault *vault = (struct vault *)context;
    char copy[100];
    if (vault->reenters)
        reenter_all(vault->reenters);
    pthread_mutex_lock(&plugging);
    vault->got++;
    strcpy(copy, vault->api_key);
    if (!vault->is_silent) {
        astat_credentials_set(out, ASTAT_LIT("a first thought"), NONE, NONE);
        if (vault->without_submit_keys)
            astat_credentials_set(out, astat_cstr(copy), NONE, NONE);
        else
            astat_credentials_set(out, astat_cstr(copy), astat_cstr(vault->access_key),
                                  astat_cstr(vault->secret_key));
    }
    memset(copy, 'x', sizeof copy); /* they were copied */
    astat_trouble_say(trouble, astat_cstr(vault->trouble));
    pthread_mutex_unlock(&plugging);
    return vault->answer;
}

static void refused(void *context, int32_t http_status)
{
    struct vault *vault = (struct vault *)context;
    if (vault->reenters)
        reenter_all(vault->reenters);
    pthread_mutex_lock(&plugging);
    vault->refused++;
    vault->last_refused = http_status;
    if (vault->others)
        vault->api_key = vault->others;
    pthread_mutex_unlock(&plugging);
}

static void vault_destroy(void *context) { ((struct vault *)context)->destroyed++; }

static const astat_credentials_ops OPS = {sizeof OPS, vault_destroy, get, refused};

/* The vendor, which knows one key, and never repeats a call with another one by itself. */
struct vendor {
    const char *key;
    int32_t http_status;
    int accepted, turned_away;
};

static int32_t asks_for_the_key(struct canned *canned, const astat_request *request, astat_reply *reply)
{
    struct vendor *vendor = (struct vendor *)canned->more;
    size_t i, found = 0;
    for (i = 0; i < astat_request_header_count(request); i++)
        if (is(astat_request_header_name(request, i), "x-api-key"))
            found += is(astat_request_header_value(request, i), vendor->key) ? 1 : 100;
    pthread_mutex_lock(&plugging);
    *(found == 1 ? &vendor->accepted : &vendor->turned_away) += 1;
    pthread_mutex_unlock(&plugging);
    if (found == 1)
        return all_well(canned, request, reply);
    astat_reply_set_status(reply, vendor->http_status);
    astat_reply_add_header(reply, ASTAT_LIT("x-your-key"), astat_cstr(OLD_KEY));
    astat_reply_head_arrived(reply);
    return astat_reply_add_body(reply, "{\"message\":\"no wr0ng-s3cr3t-of-old\"}", 35);
}

/* No event shows a key. */
static void on_event(void *context, const astat_event *event)
{
    (void)context;
    CHECK(is_clean(astat_event_message(event)) && astat_event_message(event).len > 0);
}

static const astat_observer_ops OBSERVER = {sizeof OBSERVER, NULL, on_event};

static astat_config *keyless_config(struct canned *canned)
{
    astat_config *config = astat_config_new();
    CHECK(astat_config_set(config, ASTAT_LIT("base_url"), astat_cstr(base_url), NULL) == ASTAT_OK);
    CHECK(astat_config_set(config, ASTAT_LIT("max_attempts"), ASTAT_LIT("1"), NULL) == ASTAT_OK);
    CHECK(astat_config_set_transport(config, &CANNED_OPS, canned, NULL) == ASTAT_OK);
    CHECK(astat_config_set_observer(config, &OBSERVER, NULL, NULL) == ASTAT_OK);
    return config;
}

static astat_client *vaulted_client(struct canned *canned, struct vault *vault)
{
    astat_config *config = keyless_config(canned);
    astat_error *error = STALE(astat_error);
    CHECK(astat_config_set_credentials(config, &OPS, vault, &error) == ASTAT_OK && !error);
    return client_of(config);
}

static astat_code ask(const astat_client *client, astat_status **status, astat_error **error)
{
    return astat_client_status(client, ACTIVITY, ASTAT_LIT("1"), NULL, status, error);
}

/* The vendor's key changes under a running client: the program does not notice. */
static void a_key_that_changes(void)
{
    static const int32_t statuses[] = {401, 403};
    size_t i;
    for (i = 0; i < COUNT(statuses); i++) {
        struct vendor vendor = {OLD_KEY, 0, 0, 0};
        struct vault vault = VAULT;
        struct canned canned = {asks_for_the_key, 0, 0, NULL, NULL};
        astat_client *client;
        astat_submitted *submitted = NULL;
        astat_status *status = NULL;
        astat_error *error = NULL;

        vendor.http_status = statuses[i];
        canned.more = &vendor;
        client = vaulted_client(&canned, &vault);
        CHECK(ask(client, &status, &error) == ASTAT_OK && !error);
        astat_status_free(status);
        CHECK(vault.refused == 0 && vault.got > 0);

        vendor.key = vault.others = NEW_KEY;
        CHECK(ask(client, &status, &error) == ASTAT_OK && !error);
        astat_status_free(status);
        CHECK(vault.refused == 1 && vault.last_refused == statuses[i]);
        CHECK(vendor.accepted == 2 && vendor.turned_away == 1);

        /* A submit as well: what was turned away has made no job. */
        vendor.key = vault.others = "wr0ng-s3cr3t-again";
        CHECK(astat_client_submit(client, ACTIVITY, BODY, NULL, &submitted, &error) == ASTAT_OK && !error);
        astat_submitted_free(submitted);
        CHECK(vault.refused == 2 && vendor.accepted == 3 && vendor.turned_away == 2);

        /* Somebody else has brought the new one already: nobody need be told. */
        vendor.key = vault.api_key = "wr0ng-s3cr3t-known";
        CHECK(ask(client, &status, &error) == ASTAT_OK && !error);
        astat_status_free(status);
        CHECK(vault.refused == 2 && vendor.turned_away == 2);
        astat_client_free(client);
        CHECK(vault.destroyed == 1 && canned.destroyed == 1);
    }
}

static void a_key_that_is_wrong(void)
{
    struct vendor vendor = {"another", 401, 0, 0};
    struct vault vault = VAULT;
    struct canned canned = {asks_for_the_key, 0, 0, NULL, NULL};
    astat_client *client;
    astat_submitted *submitted = STALE(astat_submitted);
    astat_status *status = STALE(astat_status);
    astat_error *error = NULL;

    canned.more = &vendor;
    client = vaulted_client(&canned, &vault);
    CHECK(ask(client, &status, &error) == ASTAT_E_UNAUTHORIZED);
    CHECK(vault.refused == 1 && vendor.turned_away == 1);
    CHECK(astat_error_http_status(error) == 401 && astat_error_resend(error) == ASTAT_RESEND_POINTLESS);
    CHECK(is_clean(astat_error_body(error)) && holds(astat_error_body(error), "no ***"));
    FAILS(ASTAT_E_UNAUTHORIZED, ASTAT_E_UNAUTHORIZED, status, error);
    FAILS(ASTAT_E_UNAUTHORIZED,
          astat_client_submit(client, ACTIVITY, BODY, NULL, &submitted, &error), submitted, error);
    CHECK(vault.refused == 2 && vendor.turned_away == 2);

    /* Others, which are wrong too: once more, and no more. */
    vault.others = NEW_KEY;
    FAILS(ASTAT_E_UNAUTHORIZED, ask(client, &status, &error), status, error);
    CHECK(vendor.turned_away == 4 && vendor.accepted == 0);
    astat_client_free(client);
    CHECK(vault.destroyed == 1);
}

static void keys_that_do_not_come(void)
{
    static const struct {
        const char *api_key, *access_key, *secret_key;
        int is_silent;
        int32_t answer;
        const char *trouble, *says;
    } all[] = {
        {OLD_KEY, "a", "s", 0, 77, "the vault is shut", "the vault is shut"},
        {OLD_KEY, "a", "s", 0, -1, NULL, "returned -1 and did not say why"},
        {OLD_KEY, "a", "s", 0, ASTAT_E_CONFIG, "\xff is shut", "is shut"},
        {OLD_KEY, "a", "s", 1, ASTAT_OK, NULL, "gave no API key"},
        {"", "a", "s", 0, ASTAT_OK, NULL, "key"},
        {"wr0ng-s3cr3t\nx-evil: 1", "a", "s", 0, ASTAT_OK, NULL, "key"},
        {"wr0ng-s3cr3t\xff", "a", "s", 0, ASTAT_OK, NULL, "key"},
        {OLD_KEY, "", "s", 0, ASTAT_OK, NULL, "key"},
        {OLD_KEY, "a", "wr0ng-s3cr3t\r", 0, ASTAT_OK, NULL, "key"},
        {OLD_KEY, "a", NULL, 0, ASTAT_OK, NULL, "key"},
    };
    size_t i;
    for (i = 0; i < COUNT(all); i++) {
        struct canned canned = {all_well, 0, 0, NULL, NULL};
        struct vault vault = VAULT;
        astat_client *client = vaulted_client(&canned, &vault);
        astat_status *status = STALE(astat_status);
        astat_error *error = NULL;

        vault.api_key = all[i].api_key;
        vault.access_key = all[i].access_key;
        vault.secret_key = all[i].secret_key;
        vault.is_silent = all[i].is_silent;
        vault.answer = all[i].answer;
        vault.trouble = all[i].trouble;
        CHECK(ask(client, &status, &error) == ASTAT_E_CONFIG);
        if (!CHECK(holds(astat_error_message(error), all[i].says)))
            printf("    %s\n", astat_error_message(error).ptr);
        FAILS(ASTAT_E_CONFIG, ASTAT_E_CONFIG, status, error);
        CHECK(canned.sent == 0 && vault.refused == 0);

        /* And there they are again. */
        vault.api_key = OLD_KEY;
        vault.access_key = vault.secret_key = "k";
        vault.is_silent = 0;
        vault.answer = ASTAT_OK;
        CHECK(ask(client, &status, &error) == ASTAT_OK && !error && canned.sent == 1);
        astat_status_free(status);
        astat_client_free(client);
        CHECK(vault.destroyed == 1);
    }
}

static void keys_that_cannot_submit(void)
{
    struct canned canned = {all_well, 0, 0, NULL, NULL};
    struct vault vault = VAULT;
    astat_client *client;
    astat_submitted *submitted = STALE(astat_submitted);
    astat_status *status = NULL;
    astat_error *error = NULL;

    vault.without_submit_keys = 1;
    client = vaulted_client(&canned, &vault);
    FAILS(ASTAT_E_CONFIG, astat_client_submit(client, ACTIVITY, BODY, NULL, &submitted, &error), submitted,
          error);
    CHECK(ask(client, &status, &error) == ASTAT_OK && canned.sent == 1);
    astat_status_free(status);
    vault.without_submit_keys = 0;
    submitted = submit(client, BODY);
    astat_submitted_free(submitted);
    astat_client_free(client);
}

static void a_source_ends_once(void)
{
    struct canned canned = {all_well, 0, 0, NULL, NULL};
    struct vault vault = VAULT, other = VAULT;
    astat_credentials_ops ops = OPS;
    astat_config *config = keyless_config(&canned);
    astat_client *client = STALE(astat_client);
    astat_status *status = NULL;
    astat_error *error = NULL;
    size_t i;

    FAILS(ASTAT_E_ARGUMENT, astat_config_set_credentials(NULL, &ops, &vault, &error), NULL, error);
    ops.get = NULL;
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_credentials(config, &ops, &vault, &error), NULL, error);
    CHECK(vault.destroyed == 2);
    FAILS(ASTAT_E_ARGUMENT, astat_config_set_credentials(config, NULL, &vault, &error), NULL, error);
    for (i = 0; i < 2 * sizeof(size_t); i++) {
        ops.struct_size = i;
        FAILS(ASTAT_E_ARGUMENT, astat_config_set_credentials(config, &ops, &vault, &error), NULL, error);
    }
    CHECK(vault.destroyed == 2 && vault.got == 0);

    CHECK(astat_config_set_credentials(config, &OPS, &vault, NULL) == ASTAT_OK);
    CHECK(astat_config_set_credentials(config, &OPS, &other, NULL) == ASTAT_OK && vault.destroyed == 3);
    other.answer = 7;
    other.trouble = "the vault is shut";
    CHECK(astat_client_new(config, &client, &error) == ASTAT_E_CONFIG);
    CHECK(holds(astat_error_message(error), "the vault is shut"));
    FAILS(ASTAT_E_CONFIG, ASTAT_E_CONFIG, client, error);
    other.answer = ASTAT_OK;
    CHECK(astat_config_set_keys(config, api_key, NONE, NONE, NULL) == ASTAT_OK);
    client = STALE(astat_client);
    FAILS(ASTAT_E_CONFIG, astat_client_new(config, &client, &error), client, error);
    CHECK(other.destroyed == 0);
    astat_config_free(config);
    CHECK(other.destroyed == 1);

    /* An older caller's has no refused. */
    config = keyless_config(&canned);
    ops = OPS;
    ops.struct_size = offsetof(astat_credentials_ops, refused);
    CHECK(astat_config_set_credentials(config, &ops, &vault, NULL) == ASTAT_OK);
    canned.send = asks_for_the_key;
    {
        struct vendor vendor = {"another", 401, 0, 0};
        canned.more = &vendor;
        client = client_of(config);
        FAILS(ASTAT_E_UNAUTHORIZED, ask(client, &status, &error), status, error);
        CHECK(vault.refused == 0 && vendor.turned_away == 1);
        astat_client_free(client);
    }
    CHECK(vault.destroyed == 4);
    astat_credentials_set(NULL, api_key, NONE, NONE);
}

static void *asks_often(void *argument)
{
    astat_client *client = (astat_client *)argument;
    int i;
    for (i = 0; i < 20; i++) {
        astat_status *status = NULL;
        astat_error *error = NULL;
        CHECK(ask(client, &status, &error) == ASTAT_OK && !error);
        astat_status_free(status);
        astat_error_free(error);
    }
    astat_client_free(client);
    return NULL;
}

/* A key that changes while four threads ask. */
static void threads(void)
{
    struct vendor vendor = {NEW_KEY, 401, 0, 0};
    struct vault vault = VAULT;
    struct canned canned = {asks_for_the_key, 0, 0, NULL, NULL};
    astat_virtual_clock *clock = astat_virtual_clock_new();
    astat_config *config = keyless_config(&canned);
    astat_client *client;
    pthread_t running[4];
    size_t i;

    canned.more = &vendor;
    vault.others = NEW_KEY;
    CHECK(astat_config_use_virtual_clock(config, clock, NULL) == ASTAT_OK);
    CHECK(astat_config_set_credentials(config, &OPS, &vault, NULL) == ASTAT_OK);
    client = client_of(config);
    for (i = 0; i < COUNT(running); i++)
        CHECK(pthread_create(&running[i], NULL, asks_often, astat_client_ref(client)) == 0);
    astat_client_free(client);
    for (i = 0; i < COUNT(running); i++)
        CHECK(pthread_join(running[i], NULL) == 0);
    CHECK(vault.refused >= 1 && vault.refused <= 4 && vault.destroyed == 1);
    astat_virtual_clock_free(clock);
}

static void reentrance(void)
{
    struct vendor vendor = {NEW_KEY, 401, 0, 0};
    struct canned canned = {asks_for_the_key, 0, 0, NULL, NULL}, well = {all_well, 0, 0, NULL, NULL};
    struct vault vault = VAULT;
    astat_client *client, *other = canned_client(&well);
    astat_status *status = NULL;
    astat_error *error = NULL;

    canned.more = &vendor;
    vault.others = NEW_KEY;
    client = vaulted_client(&canned, &vault);
    vault.reenters = other;
    CHECK(ask(client, &status, &error) == ASTAT_OK && !error && vault.refused == 1);
    astat_status_free(status);
    vault.reenters = NULL;
    astat_client_free(client);
    astat_client_free(other);
    CHECK(well.sent == 0);
}

int main(int argc, char **argv)
{
    if (!begins(argc, argv))
        return 2;
    a_key_that_changes();
    a_key_that_is_wrong();
    keys_that_do_not_come();
    keys_that_cannot_submit();
    a_source_ends_once();
    threads();
    reentrance();
    return ends();
}
