/*
 * fork: before the library was used, and while it is. A child makes a client of its own, and the parent goes on.
 */
#include "waits.h"

#include <sys/wait.h>
#include <unistd.h>

static void one_job(const astat_client *client)
{
    astat_submitted *submitted = submit(client, BODY);
    astat_status *status = STALE(astat_status);
    astat_error *error = STALE(astat_error);
    CHECK(astat_client_wait(client, ACTIVITY, astat_submitted_request_id(submitted), NULL, &status, &error)
              == ASTAT_OK
          && !error);
    CHECK(astat_status_outcome(status) == ASTAT_SUCCEEDED);
    astat_status_free(status);
    astat_submitted_free(submitted);
}

/* Does one job in a child, which must end by itself: an alarm ends one that hangs. */
static pid_t child(void)
{
    const pid_t pid = fork();
    if (pid == 0) {
        astat_client *client;
        alarm(120);
        failed = 0;
        client = quick_client();
        one_job(client);
        astat_client_free(client);
        fflush(stdout);
        /* As another program: for a checker of leaks, what the parent's other threads hold is lost in here. */
        execlp(failed ? "false" : "true", "the end of a child", (char *)NULL);
        _exit(1);
    }
    CHECK(pid > 0);
    return pid;
}

static void ended_well(pid_t pid)
{
    int how = -1;
    CHECK(waitpid(pid, &how, 0) == pid);
    CHECK(WIFEXITED(how) && WEXITSTATUS(how) == 0);
}

static void *waits(void *argument)
{
    astat_ended *ended;
    CHECK(next((astat_batch *)argument, ASTAT_NS_NONE, &ended) == ASTAT_NEXT_ENDED);
    CHECK(astat_status_outcome(astat_ended_status(ended)) == ASTAT_SUCCEEDED);
    astat_ended_free(ended);
    return NULL;
}

/* A child is made while one thread waits and a question is on its way. */
static void while_in_use(void)
{
    astat_client *client = quick_client();
    astat_submitted *submitted = submit(client, BODY);
    astat_batch *batch = new_batch(client, NULL);
    pthread_t waiting;
    pid_t pid;

    CHECK(add(batch, astat_submitted_request_id(submitted)) == 1);
    CHECK(pthread_create(&waiting, NULL, waits, batch) == 0);
    pid = child();
    one_job(client);
    ended_well(pid);
    CHECK(pthread_join(waiting, NULL) == 0);
    one_job(client);
    astat_batch_free(batch);
    astat_submitted_free(submitted);
    astat_client_free(client);
}

int main(int argc, char **argv)
{
    int i;
    if (!begins(argc, argv))
        return 2;
    ended_well(child());
    for (i = 0; i < 3; i++)
        while_in_use();
    return ends();
}
