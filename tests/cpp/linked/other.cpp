#include "calls.hpp"

std::string other::outcome_of(const activity_status::Client &client)
{
    try {
        return std::string(client.status("activity.create", "job-1").value().outcome_name());
    } catch (const activity_status::Exception &exception) {
        return std::string(exception.error().kind());
    }
}
