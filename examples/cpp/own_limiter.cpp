// Asks how jobs stand, at the pace of a limiter that is written here: own_limiter ID...
//
//     c++ -std=c++17 own_limiter.cpp -lactivity_status -lpthread -o own_limiter
//
// A call takes a slot when it is sent, and holds it until a window after its answer. Whoever waits is told when a
// slot can be free for it, in the order of coming. Before it is used, the limiter goes through the library's checks.
#include "environment.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>
#include <vector>

namespace {

using namespace std::chrono_literals;
using Time = std::chrono::nanoseconds;

struct Permit {
    std::uint64_t number;
};

class Limiter {
public:
    Limiter(std::size_t calls, Time window) : window_(window), slots_(calls) {}

    // A permit, or how long to wait.
    std::variant<Permit, Time> try_acquire(Time now)
    {
        const std::lock_guard lock(mutex_);
        const auto late = [&](const Waiter &waiter) { return waiter.comes_at + patience < now; };
        waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(), late), waiting_.end());
        auto me = mine();
        const auto free_at = soonest(me - waiting_.begin(), now);
        if (free_at > now) {
            if (me == waiting_.end()) me = waiting_.insert(me, {std::this_thread::get_id(), free_at});
            me->comes_at = free_at;
            return free_at - now;
        }
        if (me != waiting_.end()) waiting_.erase(me);
        const auto is_free = [&](const Slot &slot) { return slot.ends <= now; };
        auto &slot = *std::find_if(slots_.begin(), slots_.end(), is_free);
        // If its caller dies, it ends by itself.
        slot = {Permit{++last_permit_}, now + longest_call + window_};
        return *slot.in_flight;
    }

    void leave()
    {
        const std::lock_guard lock(mutex_);
        if (const auto me = mine(); me != waiting_.end()) waiting_.erase(me);
    }

    void settle(Permit permit, int how, std::optional<Time> retry_after, Time now)
    {
        const std::lock_guard lock(mutex_);
        const auto held = window_ + guard;
        for (auto &slot : slots_) {
            if (!slot.in_flight || slot.in_flight->number != permit.number) continue;
            slot.in_flight.reset();
            switch (how) {
            case ASTAT_SETTLED_NOT_SENT: slot.ends = now; break;
            case ASTAT_SETTLED_IN_DOUBT: slot.ends = now + 2 * held; break;
            default: slot.ends = now + held;
            }
        }
        if (how == ASTAT_SETTLED_REFUSED)
            paused_until_ = std::max(paused_until_, now + std::min<Time>(retry_after.value_or(held), 1min));
    }

    static constexpr Time longest_call = 60s; // the call_deadline: after it, a caller has died

private:
    static constexpr Time guard = 1ms;   // so much longer than a window a slot is held
    static constexpr Time patience = 1s; // who comes so much too late has lost its place

    struct Slot {
        std::optional<Permit> in_flight;
        Time ends{};
    };

    struct Waiter {
        std::thread::id thread;
        Time comes_at;
    };

    // The place of the calling thread in the queue: the end of it if it does not wait yet.
    std::deque<Waiter>::iterator mine()
    {
        const auto is_me = [me = std::this_thread::get_id()](const Waiter &it) { return it.thread == me; };
        return std::find_if(waiting_.begin(), waiting_.end(), is_me);
    }

    // When a slot can be free at the soonest, if so many callers before take one each.
    Time soonest(std::size_t before, Time now) const
    {
        std::vector<Time> ends;
        // What is in flight may be answered at once, and never later than its end.
        for (const auto &slot : slots_)
            ends.push_back(slot.in_flight ? std::min(slot.ends, now + window_ + guard) : slot.ends);
        std::sort(ends.begin(), ends.end());
        return std::max(paused_until_, ends[before % ends.size()]) + before / ends.size() * window_;
    }

    const Time window_;
    std::mutex mutex_;
    std::vector<Slot> slots_;
    std::deque<Waiter> waiting_;
    std::uint64_t last_permit_ = 0;
    Time paused_until_{};
};

// No exception may cross into the library: it becomes a failure with its text.
template <class Body> std::int32_t guarded(astat_trouble *trouble, Body body) noexcept
try {
    return body();
} catch (const std::exception &error) {
    astat_trouble_say(trouble, astat_cstr(error.what()));
    return -1;
}

// The limiter as the library calls it. Its context is a shared_ptr on the heap: many can own one limiter.
using Shared = std::shared_ptr<Limiter>;

Limiter &limiter(void *context) { return **static_cast<Shared *>(context); }

extern "C" {

void destroy(void *context) { delete static_cast<Shared *>(context); }

std::int32_t try_acquire(void *context, std::int32_t, std::uint64_t now, std::uint64_t *permit,
                         std::uint64_t *wait, astat_trouble *trouble)
{
    return guarded(trouble, [&] {
        const auto answer = limiter(context).try_acquire(Time(now));
        if (const auto granted = std::get_if<Permit>(&answer)) {
            *permit = granted->number;
            return ASTAT_GRANTED;
        }
        *wait = std::get<Time>(answer).count();
        return ASTAT_RETRY_AFTER;
    });
}

void leave(void *context)
{
    guarded(nullptr, [&] {
        limiter(context).leave();
        return ASTAT_OK;
    });
}

std::int32_t settle(void *context, std::uint64_t permit, std::int32_t how, std::uint64_t retry_after,
                    std::uint64_t now, astat_trouble *trouble)
{
    return guarded(trouble, [&] {
        const auto advice = retry_after == ASTAT_NS_NONE ? std::nullopt : std::optional(Time(retry_after));
        limiter(context).settle(Permit{permit}, how, advice, Time(now));
        return ASTAT_OK;
    });
}

} // extern "C"

// Without a snapshot.
constexpr astat_limiter_ops ops = {sizeof ops, destroy, try_acquire, leave, settle, nullptr};

using Opened = std::map<std::uint32_t, Shared>;

// The checks open a limiter of the same number several times, and mean the same quota.
extern "C" const astat_limiter_ops *open_for_checks(void *user, std::uint32_t number, std::uint32_t calls,
                                                    std::uint64_t window, void **context)
try {
    auto &shared = (*static_cast<Opened *>(user))[number];
    if (!shared) shared = std::make_shared<Limiter>(calls, Time(window));
    *context = new Shared(shared);
    return &ops;
} catch (const std::exception &) {
    return nullptr;
}

void check_limiter()
{
    Opened opened;
    astat_error *error = nullptr;
    const auto longest_call = static_cast<std::uint64_t>(Limiter::longest_call.count());
    if (astat_conform_limiter(open_for_checks, &opened, longest_call, &error) != ASTAT_OK)
        throw Failure(Error(error));
}

Client client_with_own_limiter()
{
    const auto config = config_from_environment();
    auto context = std::make_unique<Shared>(std::make_shared<Limiter>(25, 5s));
    astat_error *error = nullptr;
    // From here on, the library destroys the context, whatever happens.
    if (astat_config_set_limiter(config.get(), &ops, context.release(), &error) != ASTAT_OK)
        throw Failure(Error(error));
    return call<Client>(astat_client_new, config.get());
}

ExitCode ask(const Client &client, const char *id)
try {
    return show(
        call<Status>(astat_client_status, client.get(), ASTAT_LIT("activity.create"), astat_cstr(id)));
} catch (const Failure &failure) {
    std::cerr << failure.what() << "\n";
    return failure.exit_code();
}

} // namespace

int main(int argc, char **argv)
try {
    if (argc < 2) {
        std::cerr << "usage: own_limiter ID...\n";
        return wrong_input;
    }
    check_limiter();
    const auto client = client_with_own_limiter();
    auto exit_code = all_answered;
    std::for_each(argv + 1, argv + argc,
                  [&](const char *id) { exit_code = std::max(exit_code, ask(client, id)); });
    return exit_code;
} catch (const Failure &failure) {
    std::cerr << failure.what() << "\n";
    return failure.exit_code();
}
