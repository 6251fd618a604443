// Results: what is given, what is thrown, and what happens where nothing may be thrown.
#include "checks.hpp"

#include <csignal>
#include <cstring>
#include <memory>
#include <type_traits>

#include <sys/wait.h>
#include <unistd.h>

namespace {

Result<int> seven() { return 7; }
Result<std::unique_ptr<int>> owned() { return std::make_unique<int>(7); }
Result<std::string> text() { return std::string("a text that is too long to be kept in place"); }
Result<int> fails_with_config() { return Config().set("regoin", "in").error(); }

static_assert(std::is_same_v<decltype(text().value()), std::string>, "not a reference into a temporary");
static_assert(std::is_same_v<decltype(*text()), std::string>);
static_assert(std::is_same_v<decltype(std::declval<const Result<int> &>().value()), const int &>);
static_assert(!std::is_convertible_v<Result<int>, bool>, "only where a condition is expected");
static_assert(std::is_nothrow_move_constructible_v<Result<void>>);

void what_worked()
{
    auto result = seven();
    CHECK(result && result.has_value() && result.value() == 7 && *result == 7 && seven().value() == 7);
    result.value() = 8;
    CHECK(*result == 8 && result.value_or(9) == 8);
    CHECK(result.error().code() == Code::ok && result.error().message().empty() && !result.error().capi());
    CHECK(text()->size() > 40 && text().value() == *text());
    // What can only be moved is moved.
    CHECK(*owned().value() == 7);
    auto kept = owned();
    const auto taken = std::move(kept).value();
    CHECK(taken && *taken == 7);
    // What a temporary gave may be looped over.
    int letters = 0;
    for (const char letter : text().value()) letters += letter != '\0';
    CHECK(letters == 43);
    // A failure as what was asked for is no failure of the question.
    const Result<std::optional<Error>> trouble = std::optional(fails_with_config().error());
    CHECK(trouble && trouble->has_value() && (*trouble)->code() == Code::config);
    CHECK(Result<void>().has_value() && Result<void>());
    Result<void>().value();
}

void what_failed()
{
    const auto result = fails_with_config();
    CHECK(fails(result, Code::config, "regoin") && result.value_or(9) == 9 && fails_with_config().value_or(9) == 9);
    const Error error = fails_with_config().error();
    CHECK(error.resend() == Resend::pointless && error.resend_name() == "pointless" && error.attempts() == 0);
    CHECK(!error.http_status() && !error.request_id() && !error.exception_type() && !error.last_status());
    CHECK(holds(error.json(), R"("kind":"config")"));
    const Result<void> nothing = error;
    CHECK(!nothing && nothing.error().capi() == error.capi());
}

void an_error_of_the_vendor()
{
    auto config = new_config();
    CHECK(config.set_transport([](const Request &, Reply &reply) {
        reply.set_status(401);
        reply.head_arrived();
        return reply.add_body(R"({"ExceptionType":"MXInvalid","ExceptionMessage":"an-api-key is wrong"})");
    }));
    const auto client = Client::create(config).value();
    const auto result = client.status(operation, "job-1");
    CHECK(fails(result, Code::unauthorized));
    const auto &error = result.error();
    CHECK(error.http_status() == 401 && error.request_id() == "job-1" && error.operation() == operation);
    CHECK(error.attempts() == 1 && error.exception_type() == "MXInvalid");
    CHECK(error.exception_message() && !holds(*error.exception_message(), "an-api-key"));
    CHECK(error.body() && holds(*error.body(), "MXInvalid") && !holds(*error.body(), "an-api-key"));
    CHECK(!holds(error.message(), "an-api-key") && !holds(error.json(), "an-api-key"));
    const auto causes = error.causes();
    for (const auto cause : causes) CHECK(!cause.empty() && !holds(cause, "an-api-key"));
}

#ifdef __cpp_lib_expected
void as_the_standard_library_says_it()
{
    const std::expected<int, Error> good = seven(), bad = fails_with_config();
    CHECK(good == 7 && !bad && bad.error().code() == Code::config);
    const auto kept = seven();
    const std::expected<int, Error> copied = kept;
    CHECK(copied.value() == 7 && kept.value() == 7);
    std::expected<std::unique_ptr<int>, Error> moved = owned();
    CHECK(moved && **moved == 7);
    const std::expected<void, Error> nothing = Config().set("regoin", "in"), done = Result<void>();
    CHECK(!nothing && nothing.error().code() == Code::config && done);
}
#endif

#if ACTIVITY_STATUS_EXCEPTIONS

template <class Function> void throws_config(Function function)
{
    try {
        function();
        CHECK(!"it must throw");
    } catch (const Exception &exception) {
        CHECK(exception.error().code() == Code::config && holds(exception.what(), "regoin"));
        CHECK(exception.what() == exception.error().message());
    }
}

void what_is_thrown()
{
    throws_config([] { static_cast<void>(fails_with_config().value()); });
    throws_config([] { static_cast<void>(*fails_with_config()); });
    throws_config([] {
        auto result = fails_with_config();
        static_cast<void>(result.value());
    });
    throws_config([] {
        const auto result = fails_with_config();
        static_cast<void>(*result);
    });
    throws_config([] { static_cast<void>(Result<std::string>(fails_with_config().error())->size()); });
    throws_config([] { Config().set("regoin", "in").value(); });
    // It is a std::exception, and outlives what failed.
    std::exception_ptr kept;
    try {
        Config().set("regoin", "in").value();
    } catch (const std::exception &exception) {
        CHECK(std::strlen(exception.what()) > 0);
        kept = std::current_exception();
    }
    throws_config([&] { std::rethrow_exception(kept); });
    CHECK(*Exception(Error()).what() == '\0');
}

#else

// The program ends, and says why.
void what_ends_the_program()
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    const auto child = fork();
    if (child == 0) {
        dup2(ends[1], 2);
        Config().set("regoin", "in").value();
        _exit(0);
    }
    close(ends[1]);
    char said[1024] = {};
    CHECK(read(ends[0], said, sizeof said - 1) > 0 && holds(said, "regoin"));
    close(ends[0]);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

#endif

} // namespace

int main()
{
    what_worked();
    what_failed();
    an_error_of_the_vendor();
#ifdef __cpp_lib_expected
    as_the_standard_library_says_it();
#endif
#if ACTIVITY_STATUS_EXCEPTIONS
    what_is_thrown();
#else
    what_ends_the_program();
#endif
    return ends();
}
