// What the files of one program know of each other.
#pragma once

#include <activity_status.hpp>
#include <activity_status.hpp> // once more is no harm

namespace one {
activity_status::Client client();
}

namespace other {
std::string outcome_of(const activity_status::Client &client);
}

// For those who throw nothing, the C library is the border: their classes are others.
extern "C" int outcome_without_exceptions(astat_client *client);
