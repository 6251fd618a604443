/*
 * Follows jobs in an event loop, without a thread, by sockets of its own: event_loop ID...
 *
 *     cc event_loop.c -lactivity_status -o event_loop
 *
 * It speaks plain HTTP by IPv4, as the sandbox does: for https:// let your own TLS client ask what a look asks.
 * The keys are in the environment: see environment.h.
 */
#include "environment.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AT_ONCE = 8, LONGEST_REQUEST = 4096, LONGEST_ANSWER = 256 * 1024, MOST_HEADERS = 64 };

/* A question on its way. */
struct exchange {
    astat_look *look; /* NULL if this place is free */
    int fd, connected;
    char request[LONGEST_REQUEST];
    size_t request_len, sent;
    char answer[LONGEST_ANSWER + 1];
    size_t answer_len, head_len, body_len; /* head_len is 0 until the whole head has come */
    int32_t http_status;
    astat_pair headers[MOST_HEADERS];
    size_t header_count;
};

static struct exchange exchanges[AT_ONCE];
static struct addrinfo *server;

static void end(struct exchange *it)
{
    if (it->fd >= 0)
        close(it->fd);
    it->look = NULL;
    memset(it->request, 0, sizeof it->request); /* it holds the key */
}

/* No whole answer came. How much was sent decides what the limiter makes of it. */
static void fail(struct exchange *it, astat_code why, const char *message)
{
    const int32_t delivery = it->sent == 0                ? ASTAT_DELIVERY_NOT_SENT
                             : it->sent < it->request_len ? ASTAT_DELIVERY_PARTLY
                                                          : ASTAT_DELIVERY_IN_DOUBT;
    astat_error *error = NULL;
    if (astat_look_failed(it->look, delivery, why, astat_cstr(message), &error))
        report(error);
    end(it);
}

/* A request that would be too long is filled to the end, and not sent. */
static void add(struct exchange *it, const char *text, size_t len)
{
    const size_t room = LONGEST_REQUEST - it->request_len;
    memcpy(it->request + it->request_len, text, len < room ? len : room);
    it->request_len += len < room ? len : room;
}

/* HTTP/1.0, so that nobody answers in chunks. */
static void write_request(struct exchange *it)
{
    const char *host = astat_look_url(it->look).ptr + strlen("http://");
    const char *path = host + strcspn(host, "/?");
    size_t i;

    add(it, "GET ", 4);
    add(it, path, strlen(path));
    add(it, " HTTP/1.0\r\nhost: ", 17);
    add(it, host, (size_t)(path - host));
    for (i = 0; i < astat_look_header_count(it->look); i++) {
        const astat_str name = astat_look_header_name(it->look, i);
        const astat_str value = astat_look_header_value(it->look, i);
        add(it, "\r\n", 2);
        add(it, name.ptr, name.len);
        add(it, ": ", 2);
        add(it, value.ptr, value.len);
    }
    add(it, "\r\n\r\n", 4);
}

/* Writes the request, and begins to connect. */
static void begin(struct exchange *it, astat_look *look)
{
    it->look = look;
    it->connected = 0;
    it->request_len = it->sent = it->answer_len = it->head_len = it->header_count = 0;
    write_request(it);
    it->fd = socket(server->ai_family, server->ai_socktype, server->ai_protocol);
    if (it->request_len == LONGEST_REQUEST)
        fail(it, ASTAT_E_MALFORMED, "the request is too long for this example");
    else if (it->fd < 0 || fcntl(it->fd, F_SETFL, O_NONBLOCK) != 0
             || (connect(it->fd, server->ai_addr, server->ai_addrlen) != 0 && errno != EINPROGRESS
                 && errno != EINTR))
        fail(it, ASTAT_E_TRANSPORT, strerror(errno));
}

/* Reads the head if all of it has come: 1 if it has, 0 if it has not, -1 if it is not HTTP. */
static int read_head(struct exchange *it)
{
    const char *const end_of_head = strstr(it->answer, "\r\n\r\n");
    const char *line = it->answer, *end_of_line, *colon, *value;
    char *rest = NULL;

    if (!end_of_head)
        return 0;
    if (sscanf(line, "HTTP/1.%*1[01] %d", &it->http_status) != 1)
        return -1;
    while ((line = strstr(line, "\r\n")) < end_of_head) {
        line += 2;
        end_of_line = strstr(line, "\r\n");
        colon = (const char *)memchr(line, ':', (size_t)(end_of_line - line));
        if (!colon || it->header_count == MOST_HEADERS)
            return -1;
        value = colon + 1 + strspn(colon + 1, " \t");
        if (colon - line == 14 && strncasecmp(line, "content-length", 14) == 0)
            it->body_len = strtoul(value, &rest, 10);
        it->headers[it->header_count].name = astat_text(line, (size_t)(colon - line));
        it->headers[it->header_count++].value = astat_text(value, (size_t)(end_of_line - value));
    }
    it->head_len = (size_t)(end_of_head + 4 - it->answer);
    return rest && *rest == '\r' && it->body_len <= LONGEST_ANSWER - it->head_len ? 1 : -1;
}

/* Takes in what has come. */
static void hear(struct exchange *it)
{
    astat_error *error = NULL;
    if (it->head_len == 0) {
        const int head = read_head(it);
        if (head < 0) {
            fail(it, ASTAT_E_MALFORMED, "the answer is not HTTP with a length");
            return;
        }
        if (head > 0
            && astat_look_head_arrived(it->look, it->http_status, it->headers, it->header_count, &error))
            report(error);
    }
    if (it->head_len > 0 && it->answer_len >= it->head_len + it->body_len) {
        if (astat_look_answered(it->look, it->http_status, it->headers, it->header_count,
                                it->answer + it->head_len, it->body_len, &error))
            report(error);
        end(it);
    } else if (it->answer_len == LONGEST_ANSWER)
        fail(it, ASTAT_E_MALFORMED, "the answer is too long");
}

/* The socket is ready, for whatever comes next. */
static void go_on(struct exchange *it)
{
    int problem = 0;
    socklen_t size = sizeof problem;
    ssize_t len;

    if (!it->connected) {
        getsockopt(it->fd, SOL_SOCKET, SO_ERROR, &problem, &size);
        if (problem)
            fail(it, ASTAT_E_TRANSPORT, strerror(problem));
        else
            it->connected = 1;
        return;
    }
    if (it->sent < it->request_len) {
        len = send(it->fd, it->request + it->sent, it->request_len - it->sent, 0);
        if (len > 0)
            it->sent += (size_t)len;
    } else {
        len = recv(it->fd, it->answer + it->answer_len, LONGEST_ANSWER - it->answer_len, 0);
        if (len > 0) {
            it->answer_len += (size_t)len;
            it->answer[it->answer_len] = '\0';
            hear(it);
        } else if (len == 0)
            fail(it, ASTAT_E_TRANSPORT, "the answer is cut off");
    }
    if (len < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        fail(it, ASTAT_E_TRANSPORT, strerror(errno));
}

/* Waits for so long, or until a socket is ready or a question's time is over. */
static void serve(uint64_t wait_ns)
{
    struct pollfd fds[AT_ONCE];
    size_t i;

    for (i = 0; i < AT_ONCE; i++) {
        const struct exchange *it = &exchanges[i];
        fds[i].fd = it->look ? it->fd : -1;
        fds[i].events = it->connected && it->sent == it->request_len ? POLLIN : POLLOUT;
        fds[i].revents = 0;
        if (it->look && astat_look_time_left_ns(it->look) < wait_ns)
            wait_ns = astat_look_time_left_ns(it->look);
    }
    /* A signal, or to wake too early, is no harm. */
    poll(fds, AT_ONCE, wait_ns < UINT64_C(60000000000) ? (int)(wait_ns / 1000000) + 1 : 60000);
    for (i = 0; i < AT_ONCE; i++) {
        if (fds[i].revents)
            go_on(&exchanges[i]);
        if (exchanges[i].look && astat_look_time_left_ns(exchanges[i].look) == 0)
            fail(&exchanges[i], ASTAT_E_TIMED_OUT, "no answer in time");
    }
}

/* Looks the server's name up, once, as all questions go to one. Returns 0, or the exit code if that fails. */
static int find_server(const char *url)
{
    char host[256], port[8] = "80";
    struct addrinfo hints = {0};
    int problem;

    if (sscanf(url, "http://%255[^:/?]:%7[0-9]", host, port) < 1) {
        fprintf(stderr, "this example speaks http:// alone; for https:// use your own TLS client\n");
        return WRONG_INPUT;
    }
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    problem = getaddrinfo(host, port, &hints, &server);
    if (problem)
        fprintf(stderr, "%s: %s\n", host, gai_strerror(problem));
    return problem ? NO_ANSWER : 0;
}

static int follow(astat_tracker *tracker)
{
    int exit_code = ALL_ANSWERED;

    for (;;) {
        astat_look *look = NULL;
        astat_ended *ended = NULL;
        astat_error *error = NULL;
        uint64_t sleep_ns = UINT64_MAX;
        int32_t what = ASTAT_STEP_SLEEP;
        int worse;
        size_t i = 0;

        while (i < AT_ONCE && exchanges[i].look)
            i++;
        /* A look must have a place to go to. */
        if (i < AT_ONCE && astat_tracker_step(tracker, &what, &sleep_ns, &look, &ended, &error) != ASTAT_OK)
            return report(error);
        switch (what) {
        case ASTAT_STEP_LOOK:
            worse = server ? 0 : find_server(astat_look_url(look).ptr);
            if (worse) {
                astat_look_free(look);
                return worse;
            }
            begin(&exchanges[i], look);
            break;
        case ASTAT_STEP_SLEEP: serve(sleep_ns); break;
        case ASTAT_STEP_ENDED:
            worse = show_end(ended);
            if (worse > exit_code)
                exit_code = worse;
            astat_ended_free(ended);
            break;
        case ASTAT_STEP_DONE: return exit_code;
        }
    }
}

int main(int argc, char **argv)
{
    astat_client *client = NULL;
    astat_tracker *tracker = NULL;
    astat_error *error = NULL;
    astat_code code;
    int exit_code, i;

    if (argc < 2) {
        fprintf(stderr, "usage: event_loop ID...\n");
        return WRONG_INPUT;
    }
    signal(SIGPIPE, SIG_IGN); /* a connection that broke is an answer of send */
    code = client_from_environment(&client, &error);
    if (code == ASTAT_OK)
        code = astat_tracker_new(client, NULL, &tracker, &error);
    for (i = 1; code == ASTAT_OK && i < argc; i++)
        code = astat_tracker_add(tracker, ASTAT_LIT("activity.create"), astat_cstr(argv[i]), ASTAT_NS_NONE,
                                 NULL, &error);
    exit_code = code == ASTAT_OK ? follow(tracker) : report(error);
    for (i = 0; i < AT_ONCE; i++) {
        astat_look_free(exchanges[i].look);
        if (exchanges[i].look)
            end(&exchanges[i]);
    }
    if (server)
        freeaddrinfo(server);
    astat_tracker_free(tracker);
    astat_client_free(client);
    return exit_code;
}
