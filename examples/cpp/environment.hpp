// What the examples share: a client from the environment, and how it went as a line and an exit code.
#pragma once

#include <activity_status.hpp>

#include <cstdlib>
#include <iostream>

// The exit codes are those of the command line.
enum ExitCode { all_answered = 0, some_failed = 1, wrong_input = 2, too_late = 3, no_answer = 4 };

// Says what went wrong, and returns the exit code for it.
inline ExitCode show(const activity_status::Error &error)
{
    std::cerr << error.message() << "\n";
    switch (error.code()) {
    case activity_status::Code::config:
    case activity_status::Code::argument: return wrong_input;
    case activity_status::Code::deadline: return too_late;
    default: return no_answer;
    }
}

// Prints how a job stands, and returns the exit code for it.
inline ExitCode show(const activity_status::Result<activity_status::Status> &result)
{
    if (!result) return show(result.error());
    const auto &status = *result;
    std::cout << status.request_id() << "  " << status.outcome_name() << "  " << status.state() << ": "
              << status.reason() << "\n";
    if (const auto created = status.created_id()) std::cout << "    created " << *created << "\n";
    return status.outcome() == activity_status::Outcome::failed ? some_failed : all_answered;
}

// A configuration for the account, and the limiter, that the ACTIVITY_STATUS_* variables name.
inline activity_status::Config config_from_environment()
{
    const auto variable = [](const char *name) {
        const char *value = std::getenv(name);
        return value ? std::string_view(value) : std::string_view(); // no text leaves a setting as it is
    };
    activity_status::Config config;
    config.set_keys(variable("ACTIVITY_STATUS_API_KEY"), variable("ACTIVITY_STATUS_ACCESS_KEY"),
                    variable("ACTIVITY_STATUS_SECRET_KEY"))
        .value();
    config.set("region", variable("ACTIVITY_STATUS_REGION")).value();
    config.set("base_url", variable("ACTIVITY_STATUS_BASE_URL")).value();
    config.set("limiter", variable("ACTIVITY_STATUS_LIMITER")).value();
    return config;
}

// A client for them.
inline activity_status::Client client_from_environment()
{
    return activity_status::Client::create(config_from_environment()).value();
}
