// What the programs that check the C++ header have in common: each prints every check that failed and, at the end, how
// many passed; it ends with 0 if all did, 1 if not. None needs a server.
#pragma once

#include <activity_status.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <map>
#include <mutex>
#include <string>

using namespace activity_status;
using namespace std::chrono_literals;

inline std::atomic<int> passed{0}, failed{0};

inline bool check(bool ok, const char *what, const char *file, int line)
{
    ++(ok ? passed : failed);
    if (!ok) std::printf("%s:%d: %s\n", file, line, what);
    return ok;
}

#define CHECK(...) check((__VA_ARGS__) ? true : false, #__VA_ARGS__, __FILE__, __LINE__)

// Says how it went, and what the program must end with.
inline int ends()
{
    std::printf("%d passed, %d failed\n", passed.load(), failed.load());
    return failed ? 1 : 0;
}

inline bool holds(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

// A call failed with this code and says this; both overloads of Result have the same members.
template <class T> bool fails(const Result<T> &result, Code code, std::string_view part = {})
{
    const bool as_said = !result.has_value() && !result && result.error().code() == code
                         && result.error().kind() == name(code) && holds(result.error().message(), part);
    if (!as_said)
        std::printf("%.*s: %s\n", static_cast<int>(result.error().kind().size()), result.error().kind().data(),
                    result.error().message().data());
    return as_said;
}

constexpr auto operation = "activity.create";

// A vendor that is no server. It gives jobs the ids job-1, job-2 and so on; a job settles with the question after so many.
class Vendor : public Transport {
public:
    Code send(const Request &request, Reply &reply) override
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        const std::string url(request.url());
        if (request.method() == "POST") {
            submitted.emplace_back(request.body().value_or("none"));
            return answer(reply, R"({"RequestId":"job-)" + std::to_string(submitted.size()) + R"("})");
        }
        if (holds(url, "/metrics"))
            return answer(reply, R"({"PendingMessages":7,"MaxDelayInSeconds":3,"ProcessingRatePerMinute":24.5})");
        const auto id = url.substr(url.rfind('=') + 1);
        const bool is_settled = ++asked[id] > settles_after;
        const auto state = !is_settled ? "In-Queue" : holds(id, "bad") ? "FAILURE" : "Success";
        return answer(reply, R"({"RequestId":")" + id + R"(","TaskStatus":{"Status":")" + state
                                 + R"(","StatusReason":"because","RequestBody":"{}"}})");
    }

    int settles_after = 0; // settled at once
    std::map<std::string, int> asked;
    std::vector<std::string> submitted;

private:
    static Code answer(Reply &reply, const std::string &json)
    {
        reply.set_status(200);
        reply.add_header("content-type", "application/json");
        reply.head_arrived();
        return reply.add_body(json);
    }

    std::mutex mutex_;
};

// A configuration of an account that is nowhere.
inline Config new_config()
{
    Config config;
    CHECK(config.set("base_url", "http://127.0.0.1:9"));
    CHECK(config.set_keys("an-api-key", "an-access-key", "a-secret-key"));
    return config;
}

// A configuration in virtual time for this vendor, if there is one.
inline Config config_for(const std::shared_ptr<Transport> &vendor, const VirtualClock &clock = {})
{
    auto config = new_config();
    CHECK(config.use_virtual_clock(clock));
    if (vendor) CHECK(config.set_transport(vendor));
    return config;
}

inline Client client_for(const std::shared_ptr<Transport> &vendor, const VirtualClock &clock = {})
{
    return Client::create(config_for(vendor, clock)).value();
}
