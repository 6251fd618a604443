// Asks once how each job stands: status ID...
//
//     c++ -std=c++17 status.cpp -lactivity_status -o status
//     ACTIVITY_STATUS_REGION=in ACTIVITY_STATUS_API_KEY=... ./status 72003d66-aa5d-4533-9e13-73da598dedf4
#include "environment.hpp"

#include <algorithm>

int main(int argc, char **argv)
try {
    if (argc < 2) {
        std::cerr << "usage: status ID...\n";
        return wrong_input;
    }
    const auto client = client_from_environment();
    auto exit_code = all_answered;
    for (auto id = argv + 1; id < argv + argc; id++)
        exit_code = std::max(exit_code, show(client.status("activity.create", *id)));
    return exit_code;
} catch (const activity_status::Exception &failure) {
    return show(failure.error());
}
