// What the examples share: handles that free themselves, failures as exceptions, a client from the environment.
#pragma once

#include <activity_status.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string_view>

template <auto Free> struct Freed {
    template <class Handle> void operator()(Handle *handle) const noexcept { Free(handle); }
};

using Config = std::unique_ptr<astat_config, Freed<astat_config_free>>;
using Client = std::unique_ptr<astat_client, Freed<astat_client_free>>;
using Submitted = std::unique_ptr<astat_submitted, Freed<astat_submitted_free>>;
using Status = std::unique_ptr<astat_status, Freed<astat_status_free>>;
using Error = std::unique_ptr<astat_error, Freed<astat_error_free>>;
using Ended = std::unique_ptr<astat_ended, Freed<astat_ended_free>>;
using Batch = std::unique_ptr<astat_batch, Freed<astat_batch_free>>;
using Tracker = std::unique_ptr<astat_tracker, Freed<astat_tracker_free>>;
using Look = std::unique_ptr<astat_look, Freed<astat_look_free>>;

// The exit codes are those of the command line.
enum ExitCode { all_answered = 0, some_failed = 1, wrong_input = 2, too_late = 3, no_answer = 4 };

inline ExitCode exit_code_of(astat_code code)
{
    switch (code) {
    case ASTAT_E_CONFIG:
    case ASTAT_E_ARGUMENT: return wrong_input;
    case ASTAT_E_DEADLINE: return too_late;
    default: return no_answer;
    }
}

inline std::string_view view(astat_str text) { return {text.ptr ? text.ptr : "", text.len}; }

inline astat_str text(std::string_view text) { return astat_text(text.data(), text.size()); }

struct Failure : std::runtime_error {
    explicit Failure(Error error)
        : std::runtime_error(astat_error_message(error.get()).ptr), code(astat_error_code(error.get())),
          resend(view(astat_error_resend_name(error.get())))
    {
    }

    ExitCode exit_code() const { return exit_code_of(code); }

    astat_code code;
    std::string_view resend; // a text that lives as long as the program
};

// Calls a function whose last two parameters are its result and its error: returns the one, throws the other.
template <class Handle, class Function, class... Arguments>
Handle call(Function function, Arguments... arguments)
{
    typename Handle::pointer result = nullptr;
    astat_error *error = nullptr;
    if (function(arguments..., &result, &error) != ASTAT_OK) throw Failure(Error(error));
    return Handle(result);
}

// A configuration for the account, and the limiter, that the ACTIVITY_STATUS_* variables name.
inline Config config_from_environment()
{
    Config config(astat_config_new());
    astat_error *error = nullptr;
    const auto keys = astat_config_set_keys(config.get(), astat_cstr(std::getenv("ACTIVITY_STATUS_API_KEY")),
                                            astat_cstr(std::getenv("ACTIVITY_STATUS_ACCESS_KEY")),
                                            astat_cstr(std::getenv("ACTIVITY_STATUS_SECRET_KEY")), &error);
    if (keys != ASTAT_OK) throw Failure(Error(error));
    const auto setting = [&](astat_str name, const char *variable) {
        const char *value = std::getenv(variable);
        if (value && astat_config_set(config.get(), name, astat_cstr(value), &error) != ASTAT_OK)
            throw Failure(Error(error));
    };
    setting(ASTAT_LIT("region"), "ACTIVITY_STATUS_REGION");
    setting(ASTAT_LIT("base_url"), "ACTIVITY_STATUS_BASE_URL");
    setting(ASTAT_LIT("limiter"), "ACTIVITY_STATUS_LIMITER");
    return config;
}

// A client for them.
inline Client client_from_environment()
{
    return call<Client>(astat_client_new, config_from_environment().get());
}

// Prints a status as one line, and returns the exit code for it.
inline ExitCode show(const astat_status *status)
{
    std::cout << view(astat_status_request_id(status)) << "  "
              << view(astat_status_outcome_name(status)) << "  "
              << view(astat_status_state(status)) << ": " << view(astat_status_reason(status))
              << "\n";
    if (const auto created = astat_status_created_id(status); created.ptr)
        std::cout << "    created " << view(created) << "\n";
    return astat_status_outcome(status) == ASTAT_FAILED ? some_failed : all_answered;
}

inline ExitCode show(const Status &status) { return show(status.get()); }

// Prints how one of many jobs ended, and returns the exit code for it.
inline ExitCode show(const Ended &ended)
{
    const auto error = astat_ended_error(ended.get());
    if (!error) return show(astat_ended_status(ended.get()));
    std::cerr << view(astat_error_message(error)) << "\n";
    return exit_code_of(astat_error_code(error));
}
