// Asks how jobs stand, with libcurl as the transport: own_transport ID...
//
//     c++ -std=c++17 own_transport.cpp -lactivity_status -lcurl -o own_transport
//
// The library still keeps the quota, repeats what is harmless, and reads the answers. conform_transport has nothing to say
// against this one.
// The keys are in the environment: see environment.hpp.
#include "environment.hpp"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <memory>
#include <string>

#include <curl/curl.h>

namespace {

using namespace activity_status;
using namespace std::chrono_literals;

struct FreeCurl {
    void operator()(CURL *curl) const { ::curl_easy_cleanup(curl); }
    void operator()(curl_slist *list) const { ::curl_slist_free_all(list); }
};

using Curl = std::unique_ptr<CURL, FreeCurl>;

// Sends each request on a connection of its own: on one that was kept, libcurl sends what got no answer once more.
class CurlTransport final : public Transport {
public:
    Code send(const Request &request, Reply &reply) override
    {
        if (request.is_cancelled()) return reply.fail(Delivery::not_sent, Code::interrupted, "cancelled");
        if (request.time_left() <= 0s) return reply.fail(Delivery::not_sent, Code::timed_out, "no time is left");
        const Curl handle(::curl_easy_init());
        if (!handle) return reply.fail(Delivery::not_sent, Code::transport, "libcurl cannot be used");
        return Exchange(handle.get(), request, reply).perform();
    }

private:
    struct Exchange {
        Exchange(CURL *handle, const Request &what, Reply &into) : curl(handle), request(what), reply(into)
        {
            set(CURLOPT_URL, std::string(request.url()).c_str());
            set(CURLOPT_PROTOCOLS_STR, "http,https");
            for (const char *not_given : {"accept:", "content-type:", "expect:"}) // or libcurl adds its own
                add_header(not_given);
            for (const auto &[name, value] : request.headers())
                add_header(std::string(name).append(": ").append(value));
            set(CURLOPT_HTTPHEADER, headers.get());
            if (const auto body = request.body()) {
                set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body->size()));
                set(CURLOPT_POSTFIELDS, body->data());
            }
            set(CURLOPT_CUSTOMREQUEST, std::string(request.method()).c_str());
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(request.time_left());
            set(CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
            set(CURLOPT_FOLLOWLOCATION, 0L); // it would carry the keys to another host
            set(CURLOPT_PROXY, "");
            set(CURLOPT_NOSIGNAL, 1L);
            set(CURLOPT_NOPROGRESS, 0L);
            set(CURLOPT_XFERINFOFUNCTION, +is_cancelled);
            set(CURLOPT_XFERINFODATA, this);
            set(CURLOPT_HEADERFUNCTION, +header_line);
            set(CURLOPT_HEADERDATA, this);
            set(CURLOPT_WRITEFUNCTION, +body_part);
            set(CURLOPT_WRITEDATA, this);
        }

        Code perform()
        {
            const auto done = ::curl_easy_perform(curl);
            if (too_large) return Code::malformed;
            if (done == CURLE_OK) return Code::ok;
            curl_off_t sent_after = 0; // 0 if it never came to sending
            ::curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T, &sent_after);
            return reply.fail(sent_after ? Delivery::in_doubt : Delivery::not_sent, meaning(done),
                              ::curl_easy_strerror(done));
        }

    private:
        static Code meaning(CURLcode code)
        {
            switch (code) {
            case CURLE_URL_MALFORMAT: return Code::config;
            case CURLE_OPERATION_TIMEDOUT: return Code::timed_out;
            case CURLE_ABORTED_BY_CALLBACK: return Code::interrupted;
            case CURLE_UNSUPPORTED_PROTOCOL:
            case CURLE_WEIRD_SERVER_REPLY:
            case CURLE_PARTIAL_FILE: return Code::malformed;
            default: return Code::transport;
            }
        }

        template <class Value> void set(CURLoption option, Value value)
        {
            ::curl_easy_setopt(curl, option, value);
        }

        void add_header(const std::string &line)
        {
            if (const auto longer = ::curl_slist_append(headers.get(), line.c_str())) {
                static_cast<void>(headers.release());
                headers.reset(longer);
            }
        }

        static int is_cancelled(void *self, curl_off_t, curl_off_t, curl_off_t, curl_off_t)
        {
            return static_cast<Exchange *>(self)->request.is_cancelled();
        }

        // One line of a head: its first one has the status, and an empty one ends it.
        static std::size_t header_line(char *bytes, std::size_t, std::size_t len, void *self)
        {
            static_cast<Exchange *>(self)->heard({bytes, len});
            return len;
        }

        static std::size_t body_part(char *bytes, std::size_t, std::size_t len, void *self)
        {
            auto &it = *static_cast<Exchange *>(self);
            it.too_large = it.reply.add_body({bytes, len}) != Code::ok;
            return it.too_large ? 0 : len; // fewer than there are ends the exchange
        }

        void heard(std::string_view line)
        {
            const auto trimmed = [](std::string_view text) {
                while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())))
                    text.remove_prefix(1);
                while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
                    text.remove_suffix(1);
                return text;
            };
            line = trimmed(line);
            const auto colon = line.find(':');
            if (line.substr(0, 5) == "HTTP/") {
                reply.set_status(static_cast<int>(info(CURLINFO_RESPONSE_CODE)));
            } else if (line.empty()) {
                if (info(CURLINFO_RESPONSE_CODE) < 200) return; // another head follows
                reply.new_connection();
                reply.head_arrived();
            } else if (colon != line.npos) {
                reply.add_header(line.substr(0, colon), trimmed(line.substr(colon + 1)));
            }
        }

        long info(CURLINFO what) const
        {
            long value = 0;
            ::curl_easy_getinfo(curl, what, &value);
            return value;
        }

        CURL *curl;
        const Request &request;
        Reply &reply;
        std::unique_ptr<curl_slist, FreeCurl> headers;
        bool too_large = false;
    };
};

} // namespace

int main(int argc, char **argv)
try {
    if (argc < 2) {
        std::cerr << "usage: own_transport ID...\n";
        return wrong_input;
    }
    ::curl_global_init(CURL_GLOBAL_DEFAULT);
    auto config = config_from_environment();
    config.set_transport(std::make_unique<CurlTransport>()).value();
    const auto client = Client::create(config).value();
    auto exit_code = all_answered;
    for (auto id = argv + 1; id < argv + argc; id++)
        exit_code = std::max(exit_code, show(client.status("activity.create", *id)));
    return exit_code;
} catch (const activity_status::Exception &failure) {
    return show(failure.error());
}
