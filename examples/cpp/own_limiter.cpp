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
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace activity_status;
using Time = std::chrono::nanoseconds;

class SlotLimiter final : public Limiter {
public:
    SlotLimiter(std::size_t calls, Time window) : window_(window), slots_(calls) {}

    Acquired try_acquire(CallClass, Time now) override
    {
        const std::lock_guard lock(mutex_);
        const auto late = [&](const Waiter &waiter) { return waiter.comes_at + patience < now; };
        waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(), late), waiting_.end());
        auto me = mine();
        const auto free_at = soonest(me - waiting_.begin(), now);
        if (free_at > now) {
            if (me == waiting_.end()) me = waiting_.insert(me, {std::this_thread::get_id(), free_at});
            me->comes_at = free_at;
            return RetryAfter{free_at - now};
        }
        if (me != waiting_.end()) waiting_.erase(me);
        const auto is_free = [&](const Slot &slot) { return slot.ends <= now; };
        auto &slot = *std::find_if(slots_.begin(), slots_.end(), is_free);
        // If its caller dies, it ends by itself.
        slot = {Permit{++last_permit_}, now + longest_call + window_};
        return *slot.in_flight;
    }

    void leave() override
    {
        const std::lock_guard lock(mutex_);
        if (const auto me = mine(); me != waiting_.end()) waiting_.erase(me);
    }

    std::optional<Failed> settle(Permit permit, const Settlement &settlement, Time now) override
    {
        const std::lock_guard lock(mutex_);
        const auto held = window_ + guard;
        for (auto &slot : slots_) {
            if (!slot.in_flight || slot.in_flight->number != permit.number) continue;
            slot.in_flight.reset();
            switch (settlement.how) {
            case Settled::not_sent: slot.ends = now; break;
            case Settled::in_doubt: slot.ends = now + 2 * held; break;
            default: slot.ends = now + held;
            }
        }
        if (settlement.how == Settled::refused) {
            const auto advice = settlement.retry_after.value_or(held);
            paused_until_ = std::max(paused_until_, now + std::min<Time>(advice, 1min));
        }
        return std::nullopt;
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

// The checks open a limiter of the same number several times, and mean the same quota.
void check_limiter()
{
    std::map<std::uint32_t, std::shared_ptr<SlotLimiter>> opened;
    const auto open = [&](std::uint32_t number, std::uint32_t calls, Time window) {
        auto &limiter = opened[number];
        if (!limiter) limiter = std::make_shared<SlotLimiter>(calls, window);
        return limiter;
    };
    conform_limiter(open, SlotLimiter::longest_call).value();
}

Client client_with_own_limiter()
{
    auto config = config_from_environment();
    config.set_limiter(std::make_unique<SlotLimiter>(25, 5s)).value();
    return Client::create(config).value();
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
    for (auto id = argv + 1; id < argv + argc; id++)
        exit_code = std::max(exit_code, show(client.status("activity.create", *id)));
    return exit_code;
} catch (const Exception &failure) {
    return show(failure.error());
}
