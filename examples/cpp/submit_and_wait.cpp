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
    const auto job = client.submit("activity.create", body);
    if (!job) {
        // It may have arrived all the same: only "safe" says that it can be sent again without a duplicate.
        std::cerr << "sending it again is: " << job.error().resend_name() << "\n";
        return show(job.error());
    }
    std::cout << job->request_id << "  submitted\n";

    activity_status::WaitOptions options;
    options.deadline = 2min;
    return show(client.wait("activity.create", job->request_id, options));
} catch (const activity_status::Exception &failure) {
    return show(failure.error());
}
