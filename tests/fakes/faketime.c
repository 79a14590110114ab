/* What libfaketime 0.9.10 misses or gets wrong of the calls that librdkafka and Python make; loaded before it. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* librdkafka's waits: not caught by libfaketime, so they would last until the machine's own clock shows the faked time. */
int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until) {
    int result = pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until);
    return result == 0 ? thrd_success : result == ETIMEDOUT ? thrd_timedout : thrd_error;
}

/* Python's time.sleep: libfaketime takes its monotonic time for one of the wall clock. Nothing here sleeps by the wall clock. */
int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wait, struct timespec *left) {
    return syscall(SYS_clock_nanosleep, clock, flags, wait, left) == 0 ? 0 : errno;
}
