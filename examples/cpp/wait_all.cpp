// Posts five activities, and tells of each as soon as it is settled.
//
//     c++ -std=c++17 wait_all.cpp -lactivity_status -o wait_all
//
// The keys are in the environment: see environment.hpp.
#include "environment.hpp"

#include <algorithm>
#include <chrono>
#include <iomanip>
#include <string>
#include <vector>

namespace {

constexpr auto activities = 5;

std::string activity(int number)
{
    return R"({"RelatedProspectId":"b8e49bf4-3b56-49e0-a339-4cc5832d0e34","ActivityEvent":380,)"
           R"("ActivityNote":"Posted by an example in C++, number )"
           + std::to_string(number) + R"("})";
}

void show(const activity_status::Progress &progress)
{
    std::cout << "    " << progress.total - progress.open << " of " << progress.total;
    if (progress.open && progress.eta)
        std::cout << ", the rest in about " << std::fixed << std::setprecision(1)
                  << std::chrono::duration<double>(progress.eta->remaining).count() << " s";
    std::cout << "\n";
}

} // namespace

int main()
try {
    using namespace std::chrono_literals;

    const auto client = client_from_environment();
    std::vector<activity_status::Job> jobs;
    for (int number = 1; number <= activities; number++) {
        jobs.push_back(client.submit("activity.create", activity(number)).value());
        std::cout << jobs.back().request_id << "  submitted\n";
    }
    activity_status::WaitOptions options;
    options.deadline = 2min;
    auto waiting = client.wait_all(jobs, options);
    auto exit_code = all_answered;
    for (auto &&[job, result] : waiting) {
        exit_code = std::max(exit_code, show(result));
        show(waiting.progress().value());
    }
    return exit_code;
} catch (const activity_status::Exception &failure) {
    return show(failure.error());
}
