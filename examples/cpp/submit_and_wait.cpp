// Posts an activity and waits until it is settled: submit_and_wait [FILE]
//
//     c++ -std=c++17 submit_and_wait.cpp -lactivity_status -o submit_and_wait
//
// FILE holds the activity as JSON. The keys are in the environment: see environment.hpp.
#include "environment.hpp"

#include <chrono>
#include <fstream>
#include <iterator>
#include <string>

namespace {

constexpr auto example = R"({"RelatedProspectId":"b8e49bf4-3b56-49e0-a339-4cc5832d0e34",)"
                         R"("ActivityEvent":380,"ActivityNote":"Posted by an example in C++"})";

Submitted submit(const Client &client, const std::string &body)
try {
    const astat_submit_options *none = nullptr;
    return call<Submitted>(astat_client_submit, client.get(), ASTAT_LIT("activity.create"), text(body), none);
} catch (const Failure &failure) {
    // It may have arrived all the same: only "safe" says that it can be sent again without a duplicate.
    std::cerr << "sending it again is: " << failure.resend << "\n";
    throw;
}

} // namespace

int main(int argc, char **argv)
try {
    using namespace std::chrono_literals;

    std::string body = example;
    if (argc > 2) {
        std::cerr << "usage: submit_and_wait [FILE]\n";
        return wrong_input;
    }
    if (argc == 2) {
        std::ifstream file(argv[1], std::ios::binary);
        if (!file) {
            std::cerr << argv[1] << ": cannot be read\n";
            return wrong_input;
        }
        body.assign(std::istreambuf_iterator<char>(file), {});
    }
    const auto client = client_from_environment();
    const auto submitted = submit(client, body);
    const auto id = astat_submitted_request_id(submitted.get());
    std::cout << view(id) << "  submitted\n";

    astat_wait_options options = ASTAT_WAIT_OPTIONS_INIT;
    options.deadline_ns = std::chrono::nanoseconds(2min).count();
    const astat_wait_options *const given = &options;
    return show(call<Status>(astat_client_wait, client.get(), ASTAT_LIT("activity.create"), id, given));
} catch (const Failure &failure) {
    std::cerr << failure.what() << "\n";
    return failure.exit_code();
}
