// Parts of one's own: what they are asked, what they answer, what they throw, and that each ends once.
#include "checks.hpp"

#include <stdexcept>
#include <thread>
#include <vector>

namespace {

// How often the parts of a test were destroyed.
std::atomic<int> destroyed{0};

struct Counted {
    Counted() = default;
    Counted(const Counted &) = delete;
    Counted &operator=(const Counted &) = delete;
    ~Counted() { destroyed++; }
};

// What a part does in place of its work.
enum class Mood { works, fails, throws, throws_a_number };

// Fails in the way that it is told: a sentence, or by an exception.
std::optional<Failed> failing(Mood mood, const char *what)
{
    if (mood == Mood::fails) return Failed{what};
#if ACTIVITY_STATUS_EXCEPTIONS
    if (mood == Mood::throws) throw std::runtime_error(what);
    if (mood == Mood::throws_a_number) throw 7;
#endif
    return std::nullopt;
}

constexpr Mood moods[] = {
    Mood::fails,
#if ACTIVITY_STATUS_EXCEPTIONS
    Mood::throws,
    Mood::throws_a_number,
#endif
};

// What an error says of it.
std::string_view said(Mood mood, std::string_view what)
{
    return mood == Mood::throws_a_number ? std::string_view("no std::exception") : what;
}

// A client of a vendor who settles all at once, with one thing changed.
template <class Change> Client client_with(Change change)
{
    auto config = config_for(std::make_shared<Vendor>());
    CHECK(config.set("max_attempts", "1"));
    CHECK(change(config));
    return Client::create(config).value();
}

struct OwnTransport final : Transport, Counted {
    explicit OwnTransport(Mood given = Mood::works) : mood(given) {}
    Code send(const Request &, Reply &reply) override
    {
        reply.set_status(200);
        if (mood == Mood::fails) return reply.fail(Delivery::not_sent, Code::timed_out, "the wire is cut");
        failing(mood, "the wire is cut");
        reply.head_arrived();
        return reply.add_body(R"({"RequestId":"job-1","TaskStatus":{"Status":"Success"}})");
    }
    Mood mood;
};

struct OwnLimiter final : Limiter, Counted {
    Acquired try_acquire(CallClass call_class, std::chrono::nanoseconds now) override
    {
        last_class = call_class;
        last_now = now;
        acquired++;
        if (auto failed = failing(in_acquire, "the row is locked")) return *failed;
        if (wait > 0ns) return RetryAfter{wait};
        return Permit{0xfedcba9876543210};
    }
    void leave() override
    {
        left++;
        failing(in_leave, "dropped");
    }
    std::optional<Failed> settle(Permit permit, const Settlement &settlement, std::chrono::nanoseconds) override
    {
        settled++;
        last_permit = permit.number;
        last = settlement;
        return failing(in_settle, "the row is gone");
    }
    std::optional<Snapshot> snapshot(std::chrono::nanoseconds) override
    {
        failing(in_snapshot, "the row is unreadable");
        return seen;
    }

    Mood in_acquire = Mood::works, in_leave = Mood::works, in_settle = Mood::works, in_snapshot = Mood::works;
    std::chrono::nanoseconds wait{0}, last_now{-1};
    int acquired = 0, left = 0, settled = 0;
    std::uint64_t last_permit = 0;
    CallClass last_class{};
    Settlement last{};
    std::optional<Snapshot> seen = Snapshot{3, 22, 5ms, 1, 5};
};

struct OwnClock final : Clock, Counted {
    std::chrono::nanoseconds now() noexcept override { return std::chrono::nanoseconds(time); }
    std::chrono::system_clock::time_point wall() noexcept override
    {
        return std::chrono::system_clock::time_point(
            std::chrono::duration_cast<std::chrono::system_clock::duration>(now()));
    }
    bool sleep(std::chrono::nanoseconds how_long) override
    {
        slept++;
        if (failing(mood, "interrupted")) return false;
        time += how_long.count();
        return true;
    }
    bool spawn(std::function<void()> work) override // at once, or the time would overtake a thread
    {
        work();
        return true;
    }
    Mood mood = Mood::works;
    std::atomic<std::int64_t> time{std::chrono::nanoseconds(1h).count()};
    std::atomic<int> slept{0};
};

struct OwnObserver final : Observer, Counted {
    explicit OwnObserver(Mood given = Mood::works) : mood(given) {}
    void on_event(const Event &event) override
    {
        kinds.push_back(event.kind());
        CHECK(!event.message().empty() && !event.name().empty() && !holds(event.message(), "an-api-key"));
        if (event.kind() == EventKind::status) last_status = event.status();
        if (event.kind() == EventKind::answered) {
            CHECK(event.http_status() == 200 && event.time() && event.call_class() == CallClass::poll);
            CHECK(event.operation() == operation && event.request_id() == "job-1" && event.code() == Code::ok);
        }
        if (event.kind() == EventKind::sending) CHECK(event.attempt() == 1 && event.level() == Level::debug);
        failing(mood, "nobody hears this");
    }
    Mood mood;
    std::vector<EventKind> kinds;
    std::optional<Status> last_status;
};

struct OwnProvider final : CredentialsProvider, Counted {
    std::optional<Failed> get(Credentials &credentials) override
    {
        asked++;
        if (asked > fails_after)
            if (auto failed = failing(mood, "the vault is closed")) return failed;
        credentials.set("a-rotated-key", "an-access-key", "a-secret-key");
        return std::nullopt;
    }
    void refused(int http_status) override
    {
        last_refused = http_status;
        failing(mood, "dropped");
    }
    Mood mood = Mood::works;
    std::atomic<int> asked{0}, fails_after{0}, last_refused{0};
};

void a_transport_that_fails()
{
    for (const auto mood : moods) {
        const auto client
            = client_with([&](Config &config) { return config.set_transport(std::make_unique<OwnTransport>(mood)); });
        const auto status = client.status(operation, "job-1");
        CHECK(fails(status, mood == Mood::fails ? Code::timed_out : Code::transport, said(mood, "the wire is cut")));
        // What was thrown leaves it in doubt whether the job arrived; what says that nothing was sent does not.
        const auto job = client.submit(operation, "{}");
        CHECK(!job && job.error().resend() == (mood == Mood::fails ? Resend::safe : Resend::may_duplicate));
    }
}

void what_a_transport_is_given()
{
    struct Looks final : Transport {
        Code send(const Request &request, Reply &reply) override
        {
            CHECK(request.method() == "POST" && holds(request.url(), "leadId=b8%2Fe4"));
            CHECK(request.body() == R"([{"Attribute":"City"}])" && request.time_left() > 0s && !request.is_cancelled());
            int keys = 0;
            for (const auto &[header, value] : request.headers()) {
                keys += value == "an-api-key" || value == "an-access-key" || value == "a-secret-key";
                CHECK(holds(value, "key") == (holds(header, "key")));
            }
            CHECK(keys == 3);
            reply.new_connection();
            reply.set_status(100);
            reply.add_header("retry-after", "7");
            reply.set_status(200);
            reply.head_arrived();
            CHECK(reply.add_body(R"({"Request)") == Code::ok && reply.add_body(R"(Id":"job-1"})") == Code::ok);
            return Code::ok;
        }
    };
    auto client = client_with([](Config &config) { return config.set_transport(std::make_unique<Looks>()); });
    SubmitOptions options;
    options.query = {{"leadId", "b8/e4"}};
    const auto job = client.submit("lead.update", R"([{"Attribute":"City"}])", options);
    CHECK(job && job->operation == "lead.update" && job->request_id == "job-1" && !job->submitted_at);

    // More than any answer is.
    client = client_with([](Config &config) {
        return config.set_transport([](const Request &, Reply &reply) {
            reply.set_status(200);
            const std::string much(1 << 20, 'x');
            auto code = Code::ok;
            for (int i = 0; i < 64 && code == Code::ok; i++) code = reply.add_body(much);
            CHECK(code == Code::malformed);
            return code;
        });
    });
    CHECK(fails(client.status(operation, "job-1"), Code::malformed));
}

void a_limiter()
{
    const auto limiter = std::make_shared<OwnLimiter>();
    const auto client = client_with([&](Config &config) { return config.set_limiter(limiter); });
    CHECK(client.status(operation, "job-1"));
    CHECK(limiter->last_class == CallClass::poll && limiter->last_permit == 0xfedcba9876543210);
    CHECK(limiter->last.how == Settled::answered && !limiter->last.retry_after && limiter->last_now >= 0ns);
    CHECK(limiter->acquired == 1 && limiter->settled == 1);
    const auto quota = client.snapshot().value();
    CHECK(quota.used == 3u && quota.free == 22u && quota.next_free_in == 5ms && quota.waiting == 1u
          && quota.refused == 5u);
    CHECK(client.submit(operation, "{}") && limiter->last_class == CallClass::submit);
    CHECK(client.metrics(operation) && limiter->last_class == CallClass::other);

    // It waits as long as it is told, and gives up in the end.
    limiter->wait = 10s;
    CallOptions soon;
    soon.deadline = 25s;
    limiter->acquired = 0;
    CHECK(fails(client.status(operation, "job-1", soon), Code::deadline) && limiter->left == 1);
    CHECK(limiter->acquired > 0 && limiter->acquired < 5);
    for (const auto mood : moods) {
        limiter->in_leave = mood;
        CHECK(fails(client.status(operation, "job-1", soon), Code::deadline));
    }
    limiter->wait = 0s;

    for (const auto mood : moods) {
        limiter->in_settle = mood;
        CHECK(client.status(operation, "job-1")); // the call goes on
        limiter->in_settle = Mood::works;
        limiter->in_acquire = mood;
        CHECK(fails(client.status(operation, "job-1"), Code::limiter, said(mood, "the row is locked")));
        limiter->in_acquire = Mood::works;
        limiter->in_snapshot = mood;
        if (mood != Mood::fails)
            CHECK(fails(client.snapshot(), Code::limiter, said(mood, "the row is unreadable")));
        limiter->in_snapshot = Mood::works;
    }
}

void a_limiter_that_does_not_say()
{
    struct Silent final : Limiter {
        Acquired try_acquire(CallClass, std::chrono::nanoseconds) override { return Permit{1}; }
        std::optional<Failed> settle(Permit, const Settlement &, std::chrono::nanoseconds) override { return {}; }
    };
    const auto client = client_with([](Config &config) { return config.set_limiter(std::make_unique<Silent>()); });
    CHECK(client.status(operation, "job-1"));
    const auto quota = client.snapshot().value();
    CHECK(!quota.used && !quota.free && !quota.next_free_in && !quota.waiting && !quota.refused);
}

void a_refusal()
{
    const auto limiter = std::make_shared<OwnLimiter>();
    const auto client = client_with([&](Config &config) {
        CHECK(config.set_limiter(limiter));
        return config.set_transport([](const Request &, Reply &reply) {
            reply.set_status(429);
            reply.add_header("Retry-After", "3");
            reply.head_arrived();
            return Code::ok;
        });
    });
    CHECK(fails(client.status(operation, "job-1"), Code::refused));
    CHECK(limiter->last.how == Settled::refused && limiter->last.retry_after == 3s);
}

void a_clock()
{
    const auto clock = std::make_shared<OwnClock>();
    const auto limiter = std::make_shared<OwnLimiter>();
    const auto client = client_with([&](Config &config) {
        CHECK(config.set_limiter(limiter));
        return config.set_clock(clock);
    });
    CHECK(client.status(operation, "job-1") && limiter->last_now == 1h && clock->slept == 0);
    limiter->wait = 10s;
    CHECK(fails(client.status(operation, "job-1"), Code::deadline) && clock->slept > 0);
    for (const auto mood : moods) {
        clock->mood = mood;
        CHECK(fails(client.status(operation, "job-1"), Code::interrupted));
    }
}

// A wait for many asks on threads that the clock makes.
void the_threads_of_a_clock()
{
    struct Spawns final : Clock {
        std::chrono::nanoseconds now() noexcept override
        {
            return std::chrono::steady_clock::now().time_since_epoch();
        }
        std::chrono::system_clock::time_point wall() noexcept override { return std::chrono::system_clock::now(); }
        bool sleep(std::chrono::nanoseconds time) override
        {
            std::this_thread::sleep_for(time);
            return true;
        }
        bool spawn(std::function<void()> work) override
        {
            spawned++;
            if (failing(mood, "no thread")) return false;
            return by_default ? Clock::spawn(std::move(work)) : (work(), true);
        }
        std::atomic<int> spawned{0};
        Mood mood = Mood::works;
        bool by_default = false;
    };
    const auto clock = std::make_shared<Spawns>();
    const auto client = client_with([&](Config &config) { return config.set_clock(clock); });
    const auto all_end = [&] {
        int ended = 0;
        for (auto &&[job, result] : client.wait_all({{operation, "job-1"}, {operation, "job-2"}}))
            ended += result && job.operation == operation;
        return ended == 2;
    };
    CHECK(all_end());
    clock->by_default = true;
    CHECK(all_end());
    for (const auto mood : moods) {
        clock->mood = mood;
        CHECK(all_end()); // on the waiting thread, one after another
    }
}

void an_observer()
{
    for (const auto mood : {Mood::works, moods[0], moods[sizeof moods / sizeof *moods - 1]}) {
        const auto observer = std::make_shared<OwnObserver>(mood);
        const auto client = client_with([&](Config &config) { return config.set_observer(observer); });
        CHECK(client.status(operation, "job-1"));
        CHECK(observer->kinds == std::vector{EventKind::sending, EventKind::answered, EventKind::status});
        // The status outlives the event.
        CHECK(observer->last_status && observer->last_status->outcome() == Outcome::succeeded);
    }
}

void a_provider()
{
    for (const auto mood : moods) {
        const auto provider = std::make_shared<OwnProvider>();
        std::string key;
        Config config;
        CHECK(config.set("base_url", "http://127.0.0.1:9") && config.set("max_attempts", "1"));
        CHECK(config.use_virtual_clock(VirtualClock()));
        CHECK(config.set_credentials(provider));
        CHECK(config.set_transport([&](const Request &request, Reply &reply) {
            for (const auto &[header, value] : request.headers())
                if (header == "x-api-key") key = value;
            reply.set_status(401);
            reply.head_arrived();
            return Code::ok;
        }));
        const auto client = Client::create(config).value();
        CHECK(fails(client.status(operation, "job-1"), Code::unauthorized));
        CHECK(key == "a-rotated-key" && provider->last_refused == 401);
        provider->mood = mood;
        const auto result = client.status(operation, "job-1");
        CHECK(!result && holds(result.error().message(), said(mood, "the vault is closed")));
        provider->fails_after = 1000;
        CHECK(fails(client.status(operation, "job-1"), Code::unauthorized)); // refused() fails, and nobody minds
        CHECK(!Client::create(new_config()).has_value() || provider->asked > 0);
    }
}

void functions_as_parts()
{
    auto answers = std::make_unique<int>(0); // so that the function can only be moved
    int *count = answers.get(), events = 0, asked = 0;
    Config config;
    CHECK(config.set("base_url", "http://127.0.0.1:9"));
    CHECK(config.set_transport([mine = std::move(answers)](const Request &, Reply &reply) {
        ++*mine;
        reply.set_status(200);
        reply.head_arrived();
        return reply.add_body(R"({"RequestId":"job-1","TaskStatus":{"Status":"Success"}})");
    }));
    CHECK(config.set_observer([&](const Event &) { events++; }));
    CHECK(config.set_credentials([&](Credentials &credentials) {
        asked++;
        credentials.set("an-api-key");
    }));
    const auto client = Client::create(config).value();
    CHECK(client.status(operation, "job-1") && *count == 1 && events == 3 && asked > 0);

    Config closed;
    CHECK(closed.set("base_url", "http://127.0.0.1:9"));
    CHECK(closed.set_credentials([](Credentials &) { return std::optional(Failed{"the vault is closed"}); }));
    CHECK(fails(Client::create(closed), Code::config, "the vault is closed"));
}

// A part ends once, whoever has it last and whatever fails.
template <class Part, class Set> void ends_once(Set set)
{
    const auto ended = [before = destroyed.load()] { return destroyed - before; };
    {
        Config config;
        CHECK(set(config, std::make_shared<Part>()) && ended() == 0);
    }
    CHECK(ended() == 1); // with its configuration
    {
        auto config = new_config();
        CHECK(set(config, std::make_unique<Part>()));
        CHECK(set(config, std::make_unique<Part>()) && ended() == 2); // replaced by another one
        std::optional<Client> client;
        if constexpr (!std::is_same_v<Part, OwnProvider>) client = Client::create(config).value();
        config = Config();
        CHECK(ended() == (client ? 2 : 3));
        const auto copy = client;
        client.reset();
        CHECK(ended() == (copy ? 2 : 3));
    }
    CHECK(ended() == 3); // with the last client
    {
        Config config, other = std::move(config);
        CHECK(fails(set(config, std::make_unique<Part>()), Code::argument) && ended() == 4); // nobody to have it
        CHECK(fails(set(other, std::shared_ptr<Part>()), Code::argument) && ended() == 4);   // nothing to have
        const auto mine = std::make_shared<Part>();
        CHECK(fails(set(config, mine), Code::argument) && set(other, mine) && mine.use_count() == 2);
        other = Config();
        CHECK(mine.use_count() == 1 && ended() == 4); // ours still
    }
    CHECK(ended() == 5);
}

void each_ends_once()
{
    ends_once<OwnTransport>([](Config &config, auto part) { return config.set_transport(std::move(part)); });
    ends_once<OwnLimiter>([](Config &config, auto part) { return config.set_limiter(std::move(part)); });
    ends_once<OwnClock>([](Config &config, auto part) { return config.set_clock(std::move(part)); });
    ends_once<OwnObserver>([](Config &config, auto part) { return config.set_observer(std::move(part)); });
    ends_once<OwnProvider>([](Config &config, auto part) { return config.set_credentials(std::move(part)); });
    const auto before = destroyed.load();
    Config config;
    CHECK(config.set_observer([part = std::make_unique<Counted>()](const Event &) {}));
    CHECK(destroyed == before);
    config = Config();
    CHECK(destroyed == before + 1);
}

void what_would_wait_for_itself()
{
    const Client *client = nullptr;
    const auto made = client_with([&](Config &config) {
        return config.set_observer([&](const Event &) {
            CHECK(fails(client->status(operation, "job-1"), Code::reentrant));
            CHECK(fails(client->wait_all({}).next(), Code::reentrant) && fails(client->tracker(), Code::reentrant));
        });
    });
    client = &made;
    CHECK(made.status(operation, "job-1"));
}

void a_built_in_limiter()
{
    auto config = config_for(std::make_shared<Vendor>());
    CHECK(config.set("quota", "2/5s") && config.set("strict", "true"));
    const auto limiter = BuiltinLimiter::create(config).value();
    const auto first = limiter.try_acquire(CallClass::poll).value();
    CHECK(std::holds_alternative<Permit>(first) && limiter.snapshot()->used == 1u && limiter.snapshot()->free == 1u);
    CHECK(limiter.settle(std::get<Permit>(first), {Settled::not_sent}) && limiter.snapshot()->used == 0u);
    for (int i = 0; i < 2; i++) {
        const auto permit = limiter.try_acquire(CallClass::other).value();
        CHECK(std::holds_alternative<Permit>(permit)
              && limiter.settle(std::get<Permit>(permit), {Settled::answered}));
    }
    const auto later = limiter.try_acquire(CallClass::submit).value();
    CHECK(std::holds_alternative<RetryAfter>(later) && std::get<RetryAfter>(later).time > 1s);
    CHECK(limiter.snapshot()->waiting == 1u);
    limiter.leave();
    CHECK(limiter.snapshot()->waiting == 0u);

    // Two clients draw on it.
    auto one = new_config(), two = new_config();
    CHECK(one.use_limiter(limiter) && two.use_limiter(limiter));
    CHECK(Client::create(one)->snapshot()->used == 2u && Client::create(two)->snapshot()->used == 2u);
    config = Config();
    CHECK(fails(BuiltinLimiter::create(Config::from_capi(nullptr)), Code::argument));
}

void conformance()
{
    struct LetsAllThrough final : Limiter, Counted {
        Acquired try_acquire(CallClass, std::chrono::nanoseconds) override { return Permit{1}; }
        std::optional<Failed> settle(Permit, const Settlement &, std::chrono::nanoseconds) override { return {}; }
    };
    int opened = 0;
    const auto before = destroyed.load();
    const auto open = [&](std::uint32_t, std::uint32_t calls, std::chrono::nanoseconds window) {
        CHECK(calls > 0 && window > 0s);
        opened++;
        return std::make_unique<LetsAllThrough>();
    };
    CHECK(fails(conform_limiter(open), Code::limiter) && opened > 0 && destroyed == before + opened);
    const auto none = [](std::uint32_t, std::uint32_t, std::chrono::nanoseconds) { return std::shared_ptr<Limiter>(); };
    CHECK(fails(conform_limiter(none, 1min), Code::limiter));

    CHECK(conform_clock(std::make_unique<OwnClock>()));
    struct GoesBack final : Clock, Counted {
        std::chrono::nanoseconds now() noexcept override { return std::chrono::nanoseconds(1h) - 1s * ++asked; }
        std::chrono::system_clock::time_point wall() noexcept override { return {}; }
        bool sleep(std::chrono::nanoseconds) override { return true; }
        std::atomic<int> asked{0};
    };
    auto ended = destroyed.load();
    CHECK(fails(conform_clock(std::make_unique<GoesBack>()), Code::config) && destroyed == ended + 1);
    CHECK(fails(conform_clock(nullptr), Code::argument));
    ended = destroyed;
    CHECK(fails(conform_transport(std::make_unique<OwnTransport>()), Code::transport) && destroyed == ended + 1);
#if ACTIVITY_STATUS_EXCEPTIONS
    const auto throws = [](std::uint32_t number, std::uint32_t, std::chrono::nanoseconds) {
        if (number != UINT32_MAX) throw std::runtime_error("no row for it");
        return std::shared_ptr<Limiter>();
    };
    try {
        static_cast<void>(conform_limiter(throws));
        CHECK(!"it must throw");
    } catch (const std::runtime_error &error) {
        CHECK(std::string_view(error.what()) == "no row for it");
    }
#endif
}

} // namespace

int main()
{
    a_transport_that_fails();
    what_a_transport_is_given();
    a_limiter();
    a_limiter_that_does_not_say();
    a_refusal();
    a_clock();
    the_threads_of_a_clock();
    an_observer();
    a_provider();
    functions_as_parts();
    each_ends_once();
    what_would_wait_for_itself();
    a_built_in_limiter();
    conformance();
    return ends();
}
