// Posts five activities, and tells of each as soon as it is settled.
//
//     c++ -std=c++17 wait_all.cpp -lactivity_status -o wait_all
//
// The keys are in the environment: see environment.hpp.
#include "environment.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iomanip>
#include <string>

namespace {

constexpr auto activities = 5;
constexpr auto operation = std::string_view("activity.create");

std::string activity(int number)
{
    return R"({"RelatedProspectId":"b8e49bf4-3b56-49e0-a339-4cc5832d0e34","ActivityEvent":380,)"
           R"("ActivityNote":"Posted by an example in C++, number )"
           + std::to_string(number) + R"("})";
}

void submit(const Client &client, const Batch &batch, const std::string &body)
{
    const astat_submit_options *none = nullptr;
    const auto submitted =
        call<Submitted>(astat_client_submit, client.get(), text(operation), text(body), none);
    const auto id = astat_submitted_request_id(submitted.get());
    std::cout << view(id) << "  submitted\n";
    astat_error *error = nullptr;
    if (astat_batch_add(batch.get(), text(operation), id, ASTAT_NS_NONE, nullptr, &error) != ASTAT_OK)
        throw Failure(Error(error));
}

// The next job that ends; none if all have.
Ended next(const Batch &batch)
{
    std::int32_t what = 0;
    return call<Ended>(astat_batch_next, batch.get(), ASTAT_NS_NONE, &what);
}

void show_progress(const Batch &batch)
{
    astat_progress progress = ASTAT_PROGRESS_INIT;
    if (astat_batch_progress(batch.get(), &progress, nullptr) != ASTAT_OK) return;
    std::cout << "    " << progress.total - progress.open << " of " << progress.total;
    if (progress.open && progress.remaining_ns != ASTAT_NS_NONE)
        std::cout << ", the rest in about " << std::fixed << std::setprecision(1)
                  << static_cast<double>(progress.remaining_ns) / 1e9 << " s";
    std::cout << "\n";
}

} // namespace

int main()
try {
    using namespace std::chrono_literals;

    astat_wait_options options = ASTAT_WAIT_OPTIONS_INIT;
    options.deadline_ns = std::chrono::nanoseconds(2min).count();
    const astat_wait_options *const given = &options;

    const auto client = client_from_environment();
    const auto batch = call<Batch>(astat_batch_new, client.get(), given);
    for (int number = 1; number <= activities; number++)
        submit(client, batch, activity(number));
    auto exit_code = all_answered;
    while (const auto ended = next(batch)) {
        exit_code = std::max(exit_code, show(ended));
        show_progress(batch);
    }
    return exit_code;
} catch (const Failure &failure) {
    std::cerr << failure.what() << "\n";
    return failure.exit_code();
}
