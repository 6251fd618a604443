/*
 * The library is loaded at run time, and unloaded while a thread of its own is in a call; twice.
 */
#include "checks.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* This program is not linked with the library, so it has these alone. */
static struct {
    astat_config *(*config_new)(void);
    void (*config_free)(astat_config *);
    astat_code (*config_set)(astat_config *, astat_str, astat_str, astat_error **);
    astat_code (*config_set_keys)(astat_config *, astat_str, astat_str, astat_str, astat_error **);
    astat_code (*client_new)(const astat_config *, astat_client **, astat_error **);
    void (*client_free)(astat_client *);
    astat_code (*batch_new)(const astat_client *, const astat_wait_options *, astat_batch **, astat_error **);
    astat_code (*batch_add)(astat_batch *, astat_str, astat_str, uint64_t, int32_t *, astat_error **);
    astat_code (*batch_next)(astat_batch *, uint64_t, int32_t *, astat_ended **, astat_error **);
    void (*batch_free)(astat_batch *);
    uint32_t (*version_number)(void);
} astat;

static void *load(void)
{
    static const struct {
        const char *name;
        void *place;
    } functions[] = {
        {"astat_config_new", &astat.config_new},
        {"astat_config_free", &astat.config_free},
        {"astat_config_set", &astat.config_set},
        {"astat_config_set_keys", &astat.config_set_keys},
        {"astat_client_new", &astat.client_new},
        {"astat_client_free", &astat.client_free},
        {"astat_batch_new", &astat.batch_new},
        {"astat_batch_add", &astat.batch_add},
        {"astat_batch_next", &astat.batch_next},
        {"astat_batch_free", &astat.batch_free},
        {"astat_version_number", &astat.version_number},
    };
    void *library = dlopen("libactivity_status.so.0", RTLD_NOW | RTLD_LOCAL);
    size_t i;
    if (!CHECK(library)) {
        printf("    %s\n", dlerror());
        exit(1);
    }
    for (i = 0; i < COUNT(functions); i++) {
        /* ISO C has no conversion from an object's address to a function's. */
        void *function = dlsym(library, functions[i].name);
        if (!CHECK(function))
            exit(1);
        memcpy(functions[i].place, &function, sizeof function);
    }
    return library;
}

/* A server that accepts and never answers. */
static int silent_server(char *url)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    const int server = socket(AF_INET, SOCK_STREAM, 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(server, (struct sockaddr *)&address, sizeof address) == 0 && listen(server, 8) == 0);
    CHECK(getsockname(server, (struct sockaddr *)&address, &len) == 0);
    sprintf(url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    return server;
}

static astat_client *client_of(const char *url)
{
    astat_config *config = astat.config_new();
    astat_client *client = NULL;
    CHECK(astat.config_set_keys(config, api_key, NONE, NONE, NULL) == ASTAT_OK);
    CHECK(astat.config_set(config, ASTAT_LIT("base_url"), astat_cstr(url), NULL) == ASTAT_OK);
    CHECK(astat.config_set(config, ASTAT_LIT("call_deadline"), ASTAT_LIT("500ms"), NULL) == ASTAT_OK);
    CHECK(astat.client_new(config, &client, NULL) == ASTAT_OK);
    astat.config_free(config);
    return client;
}

static void unloaded_in_a_call(void)
{
    char url[64], bytes[256];
    const int server = silent_server(url);
    void *library = load();
    astat_client *client = client_of(url);
    astat_batch *batch = NULL;
    astat_ended *ended = NULL;
    struct pollfd asked;
    int32_t what = 0;
    ssize_t got;
    int call;

    CHECK(astat.version_number() == ASTAT_VERSION_NUMBER);
    CHECK(astat.batch_new(client, NULL, &batch, NULL) == ASTAT_OK);
    CHECK(astat.batch_add(batch, ACTIVITY, ASTAT_LIT("1"), ASTAT_NS_NONE, NULL, NULL) == ASTAT_OK);
    asked.fd = server;
    asked.events = POLLIN;
    while (poll(&asked, 1, 0) == 0)
        CHECK(astat.batch_next(batch, MS, &what, &ended, NULL) == ASTAT_OK && what == ASTAT_NEXT_NOT_YET);
    call = accept(server, NULL, NULL);
    CHECK(call >= 0);
    astat.batch_free(batch);
    astat.client_free(client);
    CHECK(dlclose(library) == 0);
    memset(&astat, 0, sizeof astat);

    /* The thread gives up when its time is over, and runs to its end. */
    do
        got = read(call, bytes, sizeof bytes);
    while (got > 0);
    CHECK(got == 0);
    CHECK(close(call) == 0 && close(server) == 0);
}

/* Its code stays, so that no thread can lose it. */
static void unloaded_for_good(void)
{
    void *library = load();
    CHECK(dlclose(library) == 0);
    library = dlopen("libactivity_status.so.0", RTLD_NOW | RTLD_NOLOAD);
    CHECK(library && dlclose(library) == 0);
}

int main(int argc, char **argv)
{
    if (!begins(argc, argv))
        return 2;
    unloaded_for_good();
    unloaded_in_a_call();
    unloaded_in_a_call();
    return ends();
}
