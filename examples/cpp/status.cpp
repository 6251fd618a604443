// Asks once how each job stands: status ID...
//
//     c++ -std=c++17 status.cpp -lactivity_status -o status
//     ACTIVITY_STATUS_REGION=in ACTIVITY_STATUS_API_KEY=... ./status 72003d66-aa5d-4533-9e13-73da598dedf4
#include "environment.hpp"

#include <algorithm>

namespace {

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
        std::cerr << "usage: status ID...\n";
        return wrong_input;
    }
    const auto client = client_from_environment();
    auto exit_code = all_answered;
    std::for_each(argv + 1, argv + argc,
                  [&](const char *id) { exit_code = std::max(exit_code, ask(client, id)); });
    return exit_code;
} catch (const Failure &failure) {
    std::cerr << failure.what() << "\n";
    return failure.exit_code();
}
