/*
 * Asks COUNT times how jobs stand, from THREADS threads at once: quota COUNT THREADS [ID...]
 *
 * The account and the limiter are in the environment: see examples/c/environment.h. Without an ID it submits a job
 * of its own first. It prints each failure, and "N answered, N failed, N refused": the last counts for all who share
 * the limiter, as far as it knows. It ends with 0 if all were answered, 1 if not, 2 if it was called wrongly.
 */
#include "../../examples/c/environment.h"

#include <pthread.h>

#define OPERATION ASTAT_LIT("activity.create")

enum { MOST_THREADS = 256 };

static struct {
    pthread_mutex_t lock;
    unsigned long begun, count, answered, failed;
    const astat_client *client;
    char **ids;
    unsigned long id_count;
} work = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *ask(void *unused)
{
    (void)unused;
    for (;;) {
        astat_status *status = NULL;
        astat_error *error = NULL;
        astat_code code;
        unsigned long turn;

        pthread_mutex_lock(&work.lock);
        turn = work.begun;
        work.begun += turn < work.count;
        pthread_mutex_unlock(&work.lock);
        if (turn == work.count)
            return NULL;

        code = astat_client_status(work.client, OPERATION, astat_cstr(work.ids[turn % work.id_count]), NULL,
                                   &status, &error);
        if (code != ASTAT_OK)
            report(error);
        astat_status_free(status);

        pthread_mutex_lock(&work.lock);
        *(code == ASTAT_OK ? &work.answered : &work.failed) += 1;
        pthread_mutex_unlock(&work.lock);
    }
}

static int run(unsigned long threads)
{
    pthread_t running[MOST_THREADS];
    astat_snapshot quota = ASTAT_SNAPSHOT_INIT;
    astat_error *error = NULL;
    unsigned long i, started = 0;

    while (started < threads && pthread_create(&running[started], NULL, ask, NULL) == 0)
        started++;
    if (started == 0)
        ask(NULL);
    for (i = 0; i < started; i++)
        pthread_join(running[i], NULL);
    if (astat_client_snapshot(work.client, &quota, &error) != ASTAT_OK)
        report(error);
    printf("%lu answered, %lu failed, %ld refused\n", work.answered, work.failed, (long)quota.refused);
    return work.answered == work.count ? ALL_ANSWERED : SOME_FAILED;
}

int main(int argc, char **argv)
{
    const astat_str body = ASTAT_LIT("{\"RelatedProspectId\":\"a-lead\",\"ActivityEvent\":201}");
    astat_client *client = NULL;
    astat_submitted *submitted = NULL;
    astat_error *error = NULL;
    unsigned long threads;
    char *own_id;
    int exit_code;

    if (argc < 3 || (work.count = strtoul(argv[1], NULL, 10)) == 0
        || (threads = strtoul(argv[2], NULL, 10)) == 0 || threads > MOST_THREADS) {
        fprintf(stderr, "usage: quota COUNT THREADS [ID...], with 1 to %d threads\n", MOST_THREADS);
        return WRONG_INPUT;
    }
    if (client_from_environment(&client, &error) != ASTAT_OK)
        return report(error);
    work.client = client;
    work.ids = argv + 3;
    work.id_count = (unsigned long)argc - 3;
    if (work.id_count == 0
        && astat_client_submit(client, OPERATION, body, NULL, &submitted, &error) == ASTAT_OK) {
        own_id = (char *)astat_submitted_request_id(submitted).ptr;
        work.ids = &own_id;
        work.id_count = 1;
    }
    exit_code = work.id_count ? run(threads) : report(error);
    astat_submitted_free(submitted);
    astat_client_free(client);
    return exit_code;
}
