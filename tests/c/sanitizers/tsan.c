/*
 * Rust's standard library comes without ThreadSanitizer in it, which so does not see the locks that are taken in there:
 * most are taken in code that is compiled anew with the library, those with a queue are not. The linker leads them
 * through here (--wrap), with their names given by -D, and here they are told.
 */
void __tsan_acquire(void *lock);
void __tsan_release(void *lock);

/* Six words are all that these functions are given, and more than any of them takes. */
#define WORDS void *a, void *b, void *c, void *d, void *e, void *f
#define TOLD(name, symbol, before, after)                      \
    void *real_##name(WORDS) __asm__("__real_" symbol);        \
    void *wrapped_##name(WORDS) __asm__("__wrap_" symbol);     \
    void *wrapped_##name(WORDS)                                \
    {                                                          \
        void *result;                                          \
        before;                                                \
        result = real_##name(a, b, c, d, e, f);                \
        after;                                                 \
        return result;                                         \
    }

#ifdef MUTEX_LOCK
TOLD(lock, MUTEX_LOCK, (void)0, __tsan_acquire(a))
#endif
#ifdef RWLOCK_READ
TOLD(read, RWLOCK_READ, (void)0, __tsan_acquire(a))
#endif
#ifdef RWLOCK_WRITE
TOLD(write, RWLOCK_WRITE, (void)0, __tsan_acquire(a))
#endif
/* A condition's lock is the second word. */
#ifdef CONDVAR_WAIT
TOLD(wait, CONDVAR_WAIT, __tsan_release(b), __tsan_acquire(b))
#endif
#ifdef CONDVAR_WAIT_TIMEOUT
TOLD(wait_timeout, CONDVAR_WAIT_TIMEOUT, __tsan_release(b), __tsan_acquire(b))
#endif
#ifdef ONCE_CALL
TOLD(call, ONCE_CALL, (void)0, (__tsan_acquire(a), __tsan_release(a)))
#endif
/* A thread of a scope has ended: the count of them is one of the first words. */
#ifdef SCOPE_LEFT
TOLD(left, SCOPE_LEFT, (__tsan_release(a), __tsan_release((char *)a + sizeof a)), (void)0)
#endif
