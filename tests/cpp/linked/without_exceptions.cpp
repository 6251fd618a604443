#include "calls.hpp"

extern "C" int outcome_without_exceptions(astat_client *client)
{
    const auto mine = activity_status::Client::from_capi(client);
    const auto status = mine.status("activity.create", "job-1");
    return status ? static_cast<int>(status->outcome()) : 0;
}
