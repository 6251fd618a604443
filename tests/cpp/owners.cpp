// Who owns what: moves, copies, what is left behind, and the ways to the C library and back.
#include "checks.hpp"

#include <cstring>
#include <type_traits>

namespace {

template <class T> constexpr bool is_copied = std::is_copy_constructible_v<T> && std::is_copy_assignable_v<T>;
template <class T>
constexpr bool is_moved
    = std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> && !is_copied<T>;

static_assert(is_copied<Client> && is_copied<Status> && is_copied<Error> && is_copied<Metrics>);
static_assert(is_copied<CancelToken> && is_copied<BuiltinLimiter> && is_copied<VirtualClock>);
static_assert(is_moved<Config> && is_moved<WaitAll> && is_moved<Tracker> && is_moved<Look>);
static_assert(!is_moved<Reply> && !is_copied<Reply> && !is_copied<Request> && !is_copied<Event>);
static_assert(!std::is_convertible_v<astat_status *, Status> && !std::is_constructible_v<Status, astat_status *>);
static_assert(sizeof(Status) == sizeof(void *) && sizeof(Error) == sizeof(void *), "an owner is one pointer");

template <class T> void moves_to_itself(T &it)
{
    auto &same = it;
    it = std::move(same);
}

void what_is_moved()
{
    Config config = new_config();
    const auto handle = config.capi();
    Config other = std::move(config);
    CHECK(other.capi() == handle && config.capi() == nullptr);
    CHECK(fails(config.set("region", "in"), Code::argument, "config"));
    CHECK(fails(Client::create(config), Code::argument));
    moves_to_itself(other);
    CHECK(other.capi() == handle || other.capi() == nullptr);
    config = Config();
    CHECK(config.set("region", "in"));
    config = std::move(other);
    other = Config();
    CHECK(Client::create(config).has_value() == (config.capi() != nullptr));
}

void what_is_shared()
{
    const auto client = client_for(std::make_shared<Vendor>());
    auto status = client.status(operation, "job-1").value();
    const auto handle = status.capi();
    const Status copy = status;
    CHECK(copy.capi() == handle && status.capi() == handle);
    auto &same = status;
    status = same;
    CHECK(status.capi() == handle && status.request_id() == "job-1");
    const Status moved = std::move(status);
    CHECK(status.capi() == nullptr && moved.capi() == handle);
    // What holds nothing answers with nothing.
    CHECK(status.request_id().empty() && status.request_id().data() && !status.created_id());
    CHECK(static_cast<int>(status.outcome()) == 0 && status.outcome_name().empty() && status.json().empty());
    const Status copy_of_nothing = status;
    CHECK(copy_of_nothing.capi() == nullptr);
    status = copy;
    CHECK(status.request_id() == "job-1");

    // A copy of a client is the same client, and outlives the first.
    auto first = std::make_unique<Client>(client);
    const Client second = *first;
    CHECK(first->capi() == client.capi());
    first.reset();
    CHECK(second.status(operation, "job-1"));
}

void what_outlives_its_maker()
{
    auto config = config_for(std::make_shared<Vendor>());
    auto client = std::make_unique<Client>(Client::create(config).value());
    auto status = client->wait(operation, "job-1");
    auto error = client->status("no.such", "job-1");
    auto metrics = client->metrics(operation);
    auto waiting = client->wait_all({{operation, "job-2"}, {operation, "job-bad"}});
    auto tracker = client->tracker();
    client.reset();
    config = Config();
    CHECK(status && status->state() == "Success" && status->request_body() == "{}");
    CHECK(status->reason() == "because" && !status->current_step() && holds(status->raw(), "TaskStatus"));
    CHECK(fails(error, Code::config, "no.such"));
    CHECK(metrics && metrics->pending() == 7u && metrics->max_delay() == 3s && metrics->rate_per_minute() == 24.5);
    CHECK(holds(metrics->raw(), "PendingMessages"));
    CHECK(tracker && tracker->add({operation, "job-3"}).value());
    int ended = 0;
    for (auto &&[job, result] : waiting)
        ended += result && (result->outcome() == Outcome::failed) == (job.request_id == "job-bad");
    CHECK(ended == 2);
}

void to_c_and_back()
{
    const auto client = client_for(std::make_shared<Vendor>());
    auto status = client.status(operation, "job-1").value();
    // Lent.
    CHECK(status.request_id() == astat_status_request_id(status.capi()).ptr);
    // Given away, and taken back.
    astat_status *handle = status.release();
    CHECK(status.capi() == nullptr && astat_status_outcome(handle) == ASTAT_SUCCEEDED);
    const auto again = Status::from_capi(handle);
    CHECK(again.capi() == handle && again.outcome() == Outcome::succeeded);
    // What C made.
    astat_error *error = nullptr;
    CHECK(astat_config_set(nullptr, ASTAT_LIT("region"), ASTAT_LIT("in"), &error) == ASTAT_E_ARGUMENT);
    CHECK(Error::from_capi(error).code() == Code::argument);
    astat_client *raw = Client(client).release();
    CHECK(raw == client.capi());
    astat_client_free(raw);
    CHECK(client.snapshot());
}

void texts()
{
    const auto client = client_for(std::make_shared<Vendor>());
    const auto status = client.status(operation, "job-1").value();
    CHECK(status.raw().data()[status.raw().size()] == '\0');
    // A part of a text needs no NUL, no text is none, and an odd one is refused.
    const std::string_view longer = "job-1234";
    CHECK(client.status(operation, longer.substr(0, 5))->request_id() == "job-1");
    CHECK(fails(client.status(operation, {}), Code::config));
    CHECK(fails(client.status(operation, ""), Code::config));
    CHECK(fails(client.status(operation, "\xff"), Code::argument, "UTF-8"));
    CHECK(fails(client.status(operation, std::string_view("a\0b", 3)), Code::config));
    auto config = new_config();
    CHECK(config.set("region", {}) && fails(config.set("regoin", "in"), Code::config, "regoin"));
}

void numbers_of_a_newer_library()
{
    const auto code = static_cast<Code>(1999);
    CHECK(static_cast<int>(code) == 1999 && name(code).empty() && name(Code::in_doubt) == "in_doubt");
    CHECK(static_cast<int>(static_cast<Outcome>(17)) == 17);
}

void about_the_library()
{
    CHECK(version() == ASTAT_VERSION_STRING && version_number() == ASTAT_VERSION_NUMBER);
    CHECK(abi_version() == ASTAT_ABI_VERSION && check_version());
    CHECK(has_feature("limiter-file") && !has_feature("perpetual-motion"));
    const auto settings = Config::settings();
    CHECK(settings.size() > 10);
    Config config;
    for (const auto &[key, help] : settings) CHECK(config.set(key, "x") && !help.empty());
}

} // namespace

int main()
{
    what_is_moved();
    what_is_shared();
    what_outlives_its_maker();
    to_c_and_back();
    texts();
    numbers_of_a_newer_library();
    about_the_library();
    return ends();
}
