/* Two static libraries in Rust in one program, and each catches a panic of its own. */
#include <activity_status.h>

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

int other_catches_a_panic(void);

static void work(void *context, uint32_t worker)
{
    *(int *)context = (int)worker + 1;
}

/* No room for the stack of one more thread: a panic in our library, and an error here. */
static astat_code without_room(astat_virtual_clock *clock, int *worked, astat_error **error)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    struct rlimit limit;
    rlim_t before;
    astat_code code;

    if (!file || fscanf(file, "%lu", &pages) != 1 || getrlimit(RLIMIT_AS, &limit) != 0)
        return ASTAT_OK;
    fclose(file);
    before = limit.rlim_cur;
    limit.rlim_cur = pages * (unsigned long)sysconf(_SC_PAGESIZE) + 512 * 1024;
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        return ASTAT_OK;
    code = astat_virtual_clock_run(clock, 1, work, worked, error);
    limit.rlim_cur = before;
    return setrlimit(RLIMIT_AS, &limit) == 0 ? code : ASTAT_OK;
}

int main(void)
{
    int worked = 0;
    astat_error *error = NULL;
    astat_virtual_clock *clock = astat_virtual_clock_new();
    astat_code code = without_room(clock, &worked, &error);

    printf("ours: %d, %s\n", (int)code, astat_error_message(error).ptr);
    if (code != ASTAT_E_PANIC || worked != 0 || !other_catches_a_panic())
        return 1;
    astat_error_free(error);
    astat_virtual_clock_free(clock);

    /* And both go on. */
    clock = astat_virtual_clock_new();
    code = astat_virtual_clock_run(clock, 1, work, &worked, &error);
    astat_virtual_clock_free(clock);
    return code == ASTAT_OK && worked == 1 && other_catches_a_panic() ? 0 : 1;
}
