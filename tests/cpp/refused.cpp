// cases: 16
//
// What must not compile, each by its number; with CASE=0 all else must.
#include <activity_status.hpp>

using namespace activity_status;

Client new_client();
Status new_status();
Error new_error();
Look new_look();

void uses(const Client &client, Config &config, Look &look)
{
    const auto status = client.status("activity.create", "1");
    static_cast<void>(status->request_id());
    static_cast<void>(new_status().outcome_name()); // it lives as long as the program
    static_cast<void>(new_status().outcome());
#if CASE == 1 // a text of a temporary
    static_cast<void>(new_status().request_id());
#elif CASE == 2
    static_cast<void>(new_status().created_id());
#elif CASE == 3
    static_cast<void>(client.status("activity.create", "1").value().reason());
#elif CASE == 4
    static_cast<void>(new_error().message());
#elif CASE == 5
    static_cast<void>(new_error().causes());
#elif CASE == 6
    static_cast<void>(client.status("activity.create", "1").error().message());
#elif CASE == 7
    static_cast<void>(new_look().headers());
#elif CASE == 8 // a failure that nobody looks at
    config.set("region", "in");
#elif CASE == 9
    client.submit("activity.create", "{}");
#elif CASE == 10
    look.send();
#elif CASE == 11 // a handle that nobody has
    new_status().release();
#elif CASE == 12 // two owners of what has one
    Config copy = config;
#elif CASE == 13
    Look copy = look;
#elif CASE == 14 // a handle taken over by the way
    astat_status *handle = nullptr;
    Status taken = handle;
#elif CASE == 15 // a number for a word
    if (status->outcome() == 2) return;
#elif CASE == 16 // a transport that answers nothing
    static_cast<void>(config.set_transport([](const Request &, Reply &) {}));
#endif
    static_cast<void>(look);
    static_cast<void>(config);
}
