// Waits: for one job, for many in a loop, in steps; deadlines, cancelling, and virtual time.
#include "checks.hpp"

#include <algorithm>
#include <list>
#include <thread>
#include <vector>
#if __cplusplus >= 202002L
#include <ranges>
#endif

namespace {

std::vector<Job> jobs_of(int count)
{
    std::vector<Job> jobs;
    for (int i = 1; i <= count; i++) jobs.push_back({operation, "job-" + std::to_string(i)});
    return jobs;
}

static_assert(std::is_same_v<std::iterator_traits<WaitAll::iterator>::iterator_category, std::input_iterator_tag>);
static_assert(std::is_same_v<std::iterator_traits<WaitAll::iterator>::value_type, Ended>);
#if defined(__cpp_lib_ranges)
static_assert(std::ranges::input_range<WaitAll> && !std::ranges::forward_range<WaitAll>);
static_assert(std::ranges::common_range<WaitAll>);
#endif

void one_job()
{
    const auto vendor = std::make_shared<Vendor>();
    const VirtualClock clock;
    const auto client = client_for(vendor, clock);
    vendor->settles_after = 3;
    const auto status = client.wait(operation, "job-1");
    CHECK(status && status->outcome() == Outcome::succeeded && vendor->asked["job-1"] == 4 && clock.now() > 0s);
    const auto bad = client.wait(operation, "job-bad");
    CHECK(bad && bad->outcome() == Outcome::failed && bad->outcome_name() == "failed" && bad->state() == "FAILURE");

    vendor->settles_after = 1'000'000;
    const auto before = clock.now();
    WaitOptions options;
    options.deadline = 10min;
    const auto late = client.wait(operation, "job-2", options);
    CHECK(fails(late, Code::deadline) && clock.now() - before >= 10min && clock.now() - before < 11min);
    const auto last = late.error().last_status();
    CHECK(last && last->outcome() == Outcome::pending && last->request_id() == "job-2");
}

void submitted_and_waited_for()
{
    const auto vendor = std::make_shared<Vendor>();
    const auto client = client_for(vendor);
    vendor->settles_after = 2;
    std::vector<Job> jobs;
    for (int i = 0; i < 5; i++) jobs.push_back(client.submit(operation, "{}").value());
    CHECK(vendor->submitted.size() == 5 && jobs.back().request_id == "job-5" && jobs.back().operation == operation);
    std::vector<std::string> ended;
    for (auto &&[job, result] : client.wait_all(jobs)) {
        CHECK(result && result->request_id() == job.request_id && job.operation == operation);
        ended.push_back(job.request_id);
    }
    std::sort(ended.begin(), ended.end());
    CHECK(ended == std::vector<std::string>{"job-1", "job-2", "job-3", "job-4", "job-5"});
}

void ways_to_loop()
{
    const auto client = client_for(std::make_shared<Vendor>());
    int count = 0;
    for (const auto &ended : client.wait_all(jobs_of(3))) count += ended.result.has_value();
    CHECK(count == 3);
    const std::list<Job> list{{operation, "job-1"}, {operation, "job-bad"}};
    auto waiting = client.wait_all(list);
    CHECK(std::count_if(waiting.begin(), waiting.end(), [](const Ended &it) { return it.result.has_value(); }) == 2);
    CHECK(waiting.begin() == waiting.end() && !waiting.error()); // each is given once
    for (auto &&ended : client.wait_all(std::vector<Job>())) CHECK(!ended.result && false);

    // A loop that was left goes on.
    waiting = client.wait_all(jobs_of(4));
    count = 0;
    for (auto &&ended : waiting) {
        count += ended.result.has_value();
        if (count == 2) break;
    }
    CHECK(count == 2 && waiting.progress()->settled == 2 && waiting.progress()->open == 2);
    auto moved = std::move(waiting);
    for (auto it = moved.begin(); it != moved.end(); it++) count += !it->job.request_id.empty();
    CHECK(count == 4 && fails(waiting.next(), Code::argument));

    // What a loop gives may be kept.
    std::vector<Ended> kept;
    auto others = client.wait_all({{operation, "job-1"}, {operation, "job-bad"}});
    std::move(others.begin(), others.end(), std::back_inserter(kept));
    CHECK(kept.size() == 2 && kept[0].result && kept[1].result && !kept[1].job.request_id.empty());
#if defined(__cpp_lib_ranges) && !defined(__clang__) // clang 14 cannot read these views
    auto all = client.wait_all({{operation, "job-1"}, {operation, "job-bad"}, {operation, "job-3"}});
    auto failed_ones = all | std::views::filter([](const Ended &it) { return it.result->outcome() == Outcome::failed; })
                       | std::views::transform([](const Ended &it) { return it.job.request_id; });
    CHECK(std::ranges::equal(failed_ones, std::vector<std::string>{"job-bad"}));
#endif
}

void step_by_step()
{
    const auto vendor = std::make_shared<Vendor>();
    const VirtualClock clock;
    const auto client = client_for(vendor, clock);
    vendor->settles_after = 1;
    auto waiting = client.wait_all({});
    CHECK(std::holds_alternative<Done>(waiting.next_within(0s).value()) && !waiting.next().value());
    const Job job{operation, "job-1", std::chrono::system_clock::time_point(0s)}, other{operation, "job-2"};
    CHECK(waiting.add(job).value() && !waiting.add(job).value() && waiting.add(other).value());
    CHECK(fails(waiting.add({operation, "a b"}), Code::config) && fails(waiting.add({"no.such", "job-1"}), Code::config));
    CHECK(waiting.open()->size() == 2 && (*waiting.open())[0].request_id == "job-1" && waiting.overdue()->empty());
    CHECK(!waiting.last_status(job).value() && !waiting.last_trouble(job).value());
    auto progress = waiting.progress().value();
    CHECK(progress.total == 2 && progress.open == 2 && progress.settled == 0 && progress.rate == 0.0);
    vendor->settles_after = 1'000'000;
    const auto before = clock.now();
    CHECK(std::holds_alternative<NotYet>(waiting.next_within(30s).value()) && clock.now() - before >= 30s);
    const auto seen = waiting.last_status(job).value();
    CHECK(seen && seen->state() == "In-Queue" && seen->request_id() == "job-1");
    CHECK(waiting.eta_of(job));
    vendor->settles_after = 0;
    auto next = waiting.next_within(1h).value();
    const auto ended = std::get_if<Ended>(&next);
    CHECK(ended && ended->result && waiting.next().value().has_value() && !waiting.next().value().has_value());
    progress = waiting.progress().value();
    CHECK(progress.settled == 2 && progress.open == 0 && progress.failed == 0 && progress.errors == 0);
    CHECK(!waiting.last_status(job).value());
}

void jobs_that_cannot_be_followed()
{
    const auto client = client_for(std::make_shared<Vendor>());
    // What is wrong with the wait itself is told by whatever is asked first.
    auto waiting = client.wait_all({{operation, "job-1"}, {operation, "a b"}});
    CHECK(fails(waiting.next(), Code::config, "a b") && fails(waiting.next_within(0s), Code::config, "a b"));
#if ACTIVITY_STATUS_EXCEPTIONS
    try {
        for (auto &&ended : waiting) CHECK(!ended.result && false);
        CHECK(!"it must throw");
    } catch (const Exception &exception) {
        CHECK(exception.error().code() == Code::config && holds(exception.what(), "a b"));
    }
#else
    for (auto &&ended : waiting) CHECK(!ended.result && false);
#endif
    CHECK(waiting.error() && waiting.error()->code() == Code::config);

    // What is wrong with one job ends that one alone.
    auto config = config_for(nullptr);
    CHECK(config.set_transport([](const Request &request, Reply &reply) {
        const bool is_missing = holds(request.url(), "job-1");
        reply.set_status(is_missing ? 404 : 200);
        reply.head_arrived();
        return reply.add_body(is_missing ? "{}" : R"({"RequestId":"job-2","TaskStatus":{"Status":"Success"}})");
    }));
    int good = 0, missing = 0;
    for (auto &&[job, result] : Client::create(config)->wait_all(jobs_of(2))) {
        good += result && job.request_id == "job-2";
        missing += job.request_id == "job-1" && fails(result, Code::not_found) && result.error().http_status() == 404;
    }
    CHECK(good == 1 && missing == 1);
}

void trouble_on_the_way()
{
    std::atomic<bool> is_down{true};
    auto config = config_for(nullptr);
    CHECK(config.set("max_attempts", "1"));
    CHECK(config.set_transport([&](const Request &, Reply &reply) {
        if (is_down) return reply.fail(Delivery::not_sent, Code::transport, "the wire is cut");
        reply.set_status(200);
        return reply.add_body(R"({"RequestId":"job-1","TaskStatus":{"Status":"Success"}})");
    }));
    const auto client = Client::create(config).value();
    const Job job{operation, "job-1"};
    auto waiting = client.wait_all({job});
    CHECK(std::holds_alternative<NotYet>(waiting.next_within(1s).value()));
    const auto trouble = waiting.last_trouble(job).value();
    CHECK(trouble && trouble->code() == Code::transport && holds(trouble->message(), "the wire is cut"));
    is_down = false;
    CHECK(waiting.next().value()->result.has_value());
}

void the_deadline_of_many()
{
    const auto vendor = std::make_shared<Vendor>();
    vendor->settles_after = 1'000'000;
    const VirtualClock clock;
    const auto client = client_for(vendor, clock);
    WaitOptions options;
    options.deadline = 2min;
    options.price = 100ms;
    options.order = Order::unknown;
    int late = 0;
    for (auto &&[job, result] : client.wait_all(jobs_of(3), options))
        late += fails(result, Code::deadline) && result.error().last_status()
                && result.error().request_id() == job.request_id;
    CHECK(late == 3 && clock.now() >= 2min && clock.now() < 3min);
    options.order = static_cast<Order>(9);
    CHECK(fails(client.wait_all({}, options).next(), Code::argument));
    options.order = Order::submitted;
    // Dearer calls are fewer.
    const auto calls_for = [&](std::optional<std::chrono::nanoseconds> price) {
        vendor->asked.clear();
        options.price = price;
        CHECK(fails(client.wait(operation, "job-1", options), Code::deadline));
        return vendor->asked["job-1"];
    };
    const int many = calls_for(std::nullopt), few = calls_for(10s);
    CHECK(few > 0 && few < many);
    // A time that has passed already is over at once; one that is longer than can be said is none.
    CallOptions call;
    call.deadline = -5s;
    CHECK(fails(client.status(operation, "job-1", call), Code::deadline));
    call.deadline = std::chrono::nanoseconds::max();
    CHECK(client.status(operation, "job-1", call));
}

// Cancels from within the first question that is asked.
void cancelled()
{
    const CancelToken stop, same = stop;
    CHECK(!stop.is_triggered() && !same.is_triggered());
    CallOptions call;
    call.cancel = stop;
    SubmitOptions submit;
    submit.cancel = stop;
    WaitOptions wait;
    wait.cancel = stop;

    auto config = config_for(nullptr);
    int asked = 0;
    CHECK(config.set_transport([&](const Request &request, Reply &reply) {
        asked++;
        CHECK(!request.is_cancelled());
        same.trigger();
        CHECK(request.is_cancelled());
        return reply.fail(Delivery::in_doubt, Code::interrupted, "given up");
    }));
    const auto client = Client::create(config).value();
    CHECK(fails(client.wait(operation, "job-1", wait), Code::interrupted) && asked == 1);
    CHECK(stop.is_triggered() && same.is_triggered());
    // There is no way back, and nothing more is sent.
    CHECK(fails(client.status(operation, "job-1", call), Code::interrupted));
    CHECK(fails(client.metrics(operation, call), Code::interrupted));
    CHECK(fails(client.submit(operation, "{}", submit), Code::interrupted));
    auto waiting = client.wait_all(jobs_of(3), wait);
    CHECK(fails(waiting.next(), Code::interrupted) && waiting.open()->size() == 3 && asked == 1);
#if ACTIVITY_STATUS_EXCEPTIONS
    try {
        for (auto &&ended : waiting) CHECK(!ended.result && false);
        CHECK(!"it must throw");
    } catch (const Exception &exception) {
        CHECK(exception.error().code() == Code::interrupted);
    }
#else
    for (auto &&ended : waiting) CHECK(!ended.result && false);
#endif
    CHECK(waiting.error() && waiting.error()->code() == Code::interrupted);
    const CancelToken other;
    CHECK(!other.is_triggered());
}

// A wait in the time of the machine ends when another thread says so.
void cancelled_by_another_thread()
{
    const auto vendor = std::make_shared<Vendor>();
    vendor->settles_after = 1'000'000;
    auto config = new_config();
    CHECK(config.set_transport(vendor));
    const auto client = Client::create(config).value();
    const CancelToken stop;
    WaitOptions options;
    options.cancel = stop;
    std::thread trigger([&] { stop.trigger(); });
    CHECK(fails(client.wait(operation, "job-1", options), Code::interrupted));
    trigger.join();

    auto waiting = client.wait_all(jobs_of(2));
    std::thread canceller([&] { waiting.cancel(); });
    Result<std::optional<Ended>> next = waiting.next();
    canceller.join();
    CHECK(fails(next, Code::interrupted) && waiting.open()->size() == 2);
}

void a_tracker()
{
    const auto vendor = std::make_shared<Vendor>();
    const VirtualClock clock;
    const auto client = client_for(vendor, clock);
    vendor->settles_after = 1;
    auto tracker = client.tracker().value();
    CHECK(std::holds_alternative<Done>(tracker.step().value()));
    CHECK(tracker.add({operation, "job-1"}).value() && tracker.add({operation, "job-2"}).value());
    int sent = 0, slept = 0, ended = 0;
    for (bool done = false; !done;) {
        auto step = tracker.step().value();
        if (const auto look = std::get_if<Look>(&step)) {
            CHECK(*look && look->time_left() > 0s && holds(look->url(), "RequestID=" + std::string(*look->request_id())));
            bool has_key = false;
            for (const auto &[header, value] : look->headers()) has_key |= header == "x-api-key" && value == "an-api-key";
            CHECK(has_key);
            const std::string id(*look->request_id());
            switch (sent++) {
            case 0: CHECK(look->send()); break;
            case 1: CHECK(look->failed(Delivery::not_sent, Code::transport, "no way")); break;
            case 2: { const Look dropped = std::move(*look); } break;
            case 3: CHECK(fails(look->failed(Delivery::not_sent, Code::panic, "no way"), Code::argument)); break;
            default:
                CHECK(look->head_arrived(200, {{"content-type", "application/json"}}));
                CHECK(look->answered(200, {}, R"({"RequestId":")" + id + R"(","TaskStatus":{"Status":"Success"}})"));
            }
            CHECK(!*look && look->capi() == nullptr && look->url().empty());
            CHECK(fails(look->send(), Code::argument));
        } else if (const auto sleep = std::get_if<Sleep>(&step)) {
            CHECK(sleep->time > 0s);
            slept++;
            clock.sleep(sleep->time);
        } else if (const auto end = std::get_if<Ended>(&step)) {
            CHECK(end->result && end->result->outcome() == Outcome::succeeded);
            ended++;
        } else {
            done = true;
        }
    }
    CHECK(sent > 4 && slept > 0 && ended == 2 && tracker.progress()->settled == 2 && tracker.open()->empty());
    CHECK(tracker.overdue()->empty() && !tracker.eta_of({operation, "job-1"}).value());
    CHECK(!tracker.last_status({operation, "job-1"}).value() && !tracker.last_trouble({operation, "job-1"}).value());
}

void virtual_time()
{
    const VirtualClock clock, same = clock;
    CHECK(clock.now() == 0s);
    clock.sleep(3h);
    CHECK(same.now() == 3h);
    clock.sleep(-1s);
    CHECK(same.now() == 3h);
    std::atomic<int> ran{0}, sum{0};
    CHECK(clock.run(4, [&](std::uint32_t worker) {
        clock.sleep(1min);
        ran++;
        sum += static_cast<int>(worker);
    }));
    CHECK(ran == 4 && sum == 6 && clock.now() == 3h + 1min);
    CHECK(fails(clock.run(100'000, [](std::uint32_t) {}), Code::argument));
#if ACTIVITY_STATUS_EXCEPTIONS
    try {
        static_cast<void>(clock.run(4, [&](std::uint32_t worker) {
            if (worker == 2) throw worker;
            ran++;
        }));
        CHECK(!"it must throw");
    } catch (const std::uint32_t worker) {
        CHECK(worker == 2 && ran == 7);
    }
#endif
    // Four threads on one client.
    const auto client = client_for(std::make_shared<Vendor>(), clock);
    std::atomic<int> answered{0};
    CHECK(clock.run(4, [&](std::uint32_t) {
        for (int i = 0; i < 20; i++) answered += client.status(operation, "job-1").has_value();
    }));
    CHECK(answered == 80);
}

} // namespace

int main()
{
    one_job();
    submitted_and_waited_for();
    ways_to_loop();
    step_by_step();
    jobs_that_cannot_be_followed();
    trouble_on_the_way();
    the_deadline_of_many();
    cancelled();
    cancelled_by_another_thread();
    a_tracker();
    virtual_time();
    return ends();
}
