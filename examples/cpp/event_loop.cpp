// Follows jobs in an event loop, without a thread, by sockets of its own: event_loop ID...
//
//     c++ -std=c++17 event_loop.cpp -lactivity_status -o event_loop
//
// It speaks plain HTTP by IPv4, as the sandbox does: for https:// let your own TLS client ask what a look asks.
// The keys are in the environment: see environment.hpp.
#include "environment.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr std::size_t at_once = 8, longest_answer = 256 * 1024;

using namespace activity_status;
using namespace std::chrono_literals;

struct FreeAddress {
    void operator()(addrinfo *address) const { ::freeaddrinfo(address); }
};

using Address = std::unique_ptr<addrinfo, FreeAddress>;

struct Head {
    std::size_t len = 0, body_len = 0;
    int http_status = 0;
    std::vector<Pair> headers; // in the answer
};

// The head of an answer that is HTTP and has a length.
std::optional<Head> read_head(std::string_view answer, std::size_t end)
{
    const auto number = [](std::string_view text, auto &into) {
        const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), into);
        return error == std::errc() && rest == text.data() + text.size();
    };
    Head head;
    head.len = end + 4;
    if (end < 12 || answer.substr(0, 7) != "HTTP/1." || !number(answer.substr(9, 3), head.http_status))
        return std::nullopt;
    bool has_length = false;
    for (auto line = answer.find("\r\n"); line < end;) {
        const auto next = answer.find("\r\n", line + 2);
        const auto text_of_line = answer.substr(line + 2, next - line - 2);
        const auto colon = text_of_line.find(':');
        if (colon == text_of_line.npos) return std::nullopt;
        const auto name = text_of_line.substr(0, colon);
        auto value = text_of_line.substr(colon + 1);
        value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
        if (name.size() == 14 && ::strncasecmp(name.data(), "content-length", 14) == 0)
            has_length = number(value, head.body_len);
        head.headers.push_back({name, value});
        line = next;
    }
    if (!has_length || head.body_len > longest_answer - std::min(head.len, longest_answer))
        return std::nullopt;
    return head;
}

// A question on its way.
class Exchange {
public:
    Exchange(Look look, const addrinfo &address)
        : look_(std::move(look)),
          socket_(::socket(address.ai_family, address.ai_socktype, address.ai_protocol))
    {
        write_request();
        answer_.reserve(longest_answer); // so that what points into it stays
        if (socket_ < 0 || ::fcntl(socket_, F_SETFL, O_NONBLOCK) != 0
            || (::connect(socket_, address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS
                && errno != EINTR))
            fail(Code::transport, std::strerror(errno));
    }

    ~Exchange()
    {
        if (socket_ >= 0) ::close(socket_);
    }
    Exchange(const Exchange &) = delete;
    Exchange &operator=(const Exchange &) = delete;

    bool is_over() const { return !look_; }
    std::chrono::nanoseconds time_left() const { return look_.time_left(); }
    pollfd wants() const
    {
        const bool listens = connected_ && sent_ == request_.size();
        return {socket_, static_cast<short>(listens ? POLLIN : POLLOUT), 0};
    }

    // No whole answer came. How much was sent decides what the limiter makes of it.
    void fail(Code why, const char *message)
    {
        const auto delivery = sent_ == 0                ? Delivery::not_sent
                              : sent_ < request_.size() ? Delivery::partly
                                                        : Delivery::in_doubt;
        look_.failed(delivery, why, message).value();
    }

    // The socket is ready, for whatever comes next.
    void go_on()
    {
        if (!connected_)
            connected();
        else if (sent_ < request_.size())
            send();
        else
            receive();
    }

private:
    // HTTP/1.0, so that nobody answers in chunks.
    void write_request()
    {
        const auto rest = look_.url().substr(std::strlen("http://"));
        const auto host = rest.substr(0, rest.find_first_of("/?"));
        request_.append("GET ").append(rest.substr(host.size())).append(" HTTP/1.0\r\nhost: ").append(host);
        for (const auto &[name, value] : look_.headers())
            request_.append("\r\n").append(name).append(": ").append(value);
        request_.append("\r\n\r\n");
    }

    void connected()
    {
        int problem = 0;
        socklen_t size = sizeof problem;
        ::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &problem, &size);
        if (problem)
            fail(Code::transport, std::strerror(problem));
        else
            connected_ = true;
    }

    void send()
    {
        const auto len = ::send(socket_, request_.data() + sent_, request_.size() - sent_, 0);
        if (len >= 0)
            sent_ += static_cast<std::size_t>(len);
        else
            broke();
    }

    void receive()
    {
        char bytes[16 * 1024];
        const auto room = std::min(sizeof bytes, longest_answer - answer_.size());
        const auto len = ::recv(socket_, bytes, room, 0);
        if (len < 0) return broke();
        if (len == 0) return fail(Code::transport, "the answer is cut off");
        answer_.append(bytes, static_cast<std::size_t>(len));
        hear();
    }

    // Takes in what has come.
    void hear()
    {
        const auto end = answer_.find("\r\n\r\n");
        if (!head_ && end != answer_.npos) {
            head_ = read_head(answer_, end);
            if (!head_) return fail(Code::malformed, "the answer is not HTTP with a length");
            look_.head_arrived(head_->http_status, head_->headers).value();
        }
        if (head_ && answer_.size() >= head_->len + head_->body_len)
            look_.answered(head_->http_status, head_->headers,
                           std::string_view(answer_).substr(head_->len, head_->body_len))
                .value();
        else if (answer_.size() == longest_answer)
            fail(Code::malformed, "the answer is too long");
    }

    void broke()
    {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            fail(Code::transport, std::strerror(errno));
    }

    Look look_; // none once it is over
    int socket_;
    bool connected_ = false;
    std::string request_, answer_;
    std::size_t sent_ = 0;
    std::optional<Head> head_;
};

// Looks the server's name up, once, as all questions go to one.
Address find_server(std::string_view url)
{
    constexpr std::string_view http = "http://";
    if (url.substr(0, http.size()) != http)
        throw std::invalid_argument("this example speaks http:// alone; for https:// use your own TLS client");
    url.remove_prefix(http.size());
    const auto authority = url.substr(0, url.find_first_of("/?"));
    const std::string host(authority.substr(0, authority.find(':')));
    const std::string port(host.size() < authority.size() ? authority.substr(host.size() + 1) : "80");
    addrinfo hints{}, *found = nullptr;
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    if (const int problem = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found))
        throw std::runtime_error(host + ": " + ::gai_strerror(problem));
    return Address(found);
}

// Waits for so long, or until a socket is ready or a question's time is over.
void serve(std::list<Exchange> &exchanges, std::chrono::nanoseconds wait)
{
    std::vector<pollfd> fds;
    for (const auto &it : exchanges) {
        fds.push_back(it.wants());
        wait = std::min(wait, it.time_left());
    }
    // A signal, or to wake too early, is no harm.
    const auto timeout = std::chrono::ceil<std::chrono::milliseconds>(std::min<std::chrono::nanoseconds>(wait, 1min));
    ::poll(fds.data(), fds.size(), static_cast<int>(timeout.count()));
    auto fd = fds.begin();
    for (auto &it : exchanges) {
        if (fd++->revents) it.go_on();
        if (!it.is_over() && it.time_left() == 0ns) it.fail(Code::timed_out, "no answer in time");
    }
    exchanges.remove_if([](const Exchange &it) { return it.is_over(); });
}

ExitCode follow(Tracker tracker)
{
    Address server;
    std::list<Exchange> exchanges;
    auto exit_code = all_answered;
    for (;;) {
        if (exchanges.size() == at_once) { // a look must have a place to go to
            serve(exchanges, 1min);
            continue;
        }
        auto step = tracker.step().value();
        if (const auto look = std::get_if<Look>(&step)) {
            if (!server) server = find_server(look->url());
            exchanges.emplace_back(std::move(*look), *server);
            if (exchanges.back().is_over()) exchanges.pop_back(); // it failed at once
        } else if (const auto sleep = std::get_if<Sleep>(&step)) {
            serve(exchanges, sleep->time);
        } else if (const auto ended = std::get_if<Ended>(&step)) {
            exit_code = std::max(exit_code, show(ended->result));
        } else {
            return exit_code;
        }
    }
}

} // namespace

int main(int argc, char **argv)
try {
    if (argc < 2) {
        std::cerr << "usage: event_loop ID...\n";
        return wrong_input;
    }
    std::signal(SIGPIPE, SIG_IGN); // a connection that broke is an answer of send
    auto tracker = client_from_environment().tracker().value();
    for (auto id = argv + 1; id < argv + argc; id++)
        tracker.add({"activity.create", *id}).value();
    return follow(std::move(tracker));
} catch (const Exception &failure) {
    return show(failure.error());
} catch (const std::invalid_argument &problem) {
    std::cerr << problem.what() << "\n";
    return wrong_input;
} catch (const std::exception &problem) {
    std::cerr << problem.what() << "\n";
    return no_answer;
}
