/**
 * @file
 * activity_status.hpp: the C library of activity_status.h for C++17 and later, in one header without dependencies.
 *
 *     #include <activity_status.hpp>
 *     using namespace activity_status;
 *
 *     Config config;
 *     config.set("region", "in").value();
 *     config.set_keys(key).value();
 *     const Client client = Client::create(config).value();
 *     const Status status = client.status("activity.create", id).value();
 *     std::cout << status.outcome_name() << ": " << status.reason() << "\n";
 *
 * What holds for all of it:
 *
 * Failures. A function that can fail gives a Result: value() is what it gave, or throws an Exception; has_value() and
 * error() need no exceptions. Without them (-fno-exceptions, -fno-rtti) value() ends the program with a message.
 *
 * Owners. Each class owns a handle and frees it once. Those that never change, and clients, are copied by sharing one
 * handle; the others are moved only. One that was moved from holds nothing: it may be destroyed, assigned to, and
 * asked, to which it answers with nothing. capi() lends the handle to a function of activity_status.h, release() gives
 * it away, from_capi() takes one over.
 *
 * Threads. A const member function may be called by any number of threads at once, the others by one at a time.
 *
 * Texts. A std::string_view that comes out is UTF-8, belongs to the object that it was asked of, lives as long, and has
 * a NUL behind it; it cannot be asked of a temporary. One that goes in is copied; std::string_view() is no text at all,
 * which is not the same as an empty one.
 *
 * Numbers. A number of an enum that this header has no name for comes from a newer library; it passes through as it is.
 *
 * Plug-ins. The library owns them from when they are given to it, and destroys each once. What one of their functions
 * throws stays on this side: it becomes the failure of the call, with the text of what().
 */
#ifndef ACTIVITY_STATUS_HPP
#define ACTIVITY_STATUS_HPP

#include "activity_status.h"

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>
#if defined(__has_include) && __cplusplus > 202002L
#if __has_include(<expected>)
#include <expected>
#endif
#endif

/// 1 if what fails may throw, 0 if the compiler was told that nothing does.
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define ACTIVITY_STATUS_EXCEPTIONS 1
#else
#define ACTIVITY_STATUS_EXCEPTIONS 0
#endif

/// A client for LeadSquared's Async API.
namespace activity_status {

// Both kinds of code may be linked together, and their functions must not be taken for each other.
#if ACTIVITY_STATUS_EXCEPTIONS
inline namespace v0 {
#else
inline namespace v0_without_exceptions {
#endif

/// How a call ended.
enum class Code : std::int32_t {
    ok = ASTAT_OK,                         ///< It did what was asked. A job that failed is an answer too.
    config = ASTAT_E_CONFIG,               ///< Bad input or settings. Nothing was sent.
    argument = ASTAT_E_ARGUMENT,           ///< Not UTF-8, no handle, or two threads used what is for one at a time.
    reentrant = ASTAT_E_REENTRANT,         ///< A function of a plug-in called one that blocks. Nothing was sent.
    transport = ASTAT_E_TRANSPORT,         ///< No connection, or it broke.
    timed_out = ASTAT_E_TIMED_OUT,         ///< No answer within the time-out.
    malformed = ASTAT_E_MALFORMED,         ///< What came is not an answer.
    in_doubt = ASTAT_E_IN_DOUBT,           ///< A submit was sent and its answer was lost: the job may exist, or not.
    unauthorized = ASTAT_E_UNAUTHORIZED,   ///< 401 or 403: the keys were not accepted.
    bad_request = ASTAT_E_BAD_REQUEST,     ///< 400, or another 4xx: the vendor did not accept the request.
    not_found = ASTAT_E_NOT_FOUND,         ///< 404: the path, or the job, does not exist.
    refused = ASTAT_E_REFUSED,             ///< 429: more calls than the quota.
    server = ASTAT_E_SERVER,               ///< 5xx: the vendor failed.
    limiter = ASTAT_E_LIMITER,             ///< The limiter could not tell whether a call may be sent, so it was not.
    ledger = ASTAT_E_LEDGER,               ///< The ledger could not be written, so nothing was sent.
    deadline = ASTAT_E_DEADLINE,           ///< The deadline passed first.
    interrupted = ASTAT_E_INTERRUPTED,     ///< It was cancelled, or interrupted by its clock.
    panic = ASTAT_E_PANIC,                 ///< A bug in the library, caught at its border. The client stays usable.
};

/// How a job stands.
enum class Outcome : std::int32_t {
    pending = ASTAT_PENDING,     ///< Not settled: it may still change.
    succeeded = ASTAT_SUCCEEDED, ///< Settled: it was carried out.
    failed = ASTAT_FAILED,       ///< Settled: it was not.
};

/// May the same call be made again?
enum class Resend : std::int32_t {
    safe = ASTAT_RESEND_SAFE,                   ///< It never arrived, was refused, or is harmless to repeat.
    may_duplicate = ASTAT_RESEND_MAY_DUPLICATE, ///< It may have been carried out: a second one may create a duplicate.
    pointless = ASTAT_RESEND_POINTLESS,         ///< It would fail again.
};

/// What a call is for.
enum class CallClass : std::int32_t {
    submit = ASTAT_CLASS_SUBMIT, ///< It sends a job.
    poll = ASTAT_CLASS_POLL,     ///< It asks how a job went.
    other = ASTAT_CLASS_OTHER,   ///< It asks anything else, such as how long the queue is.
};

/// What the order of jobs means.
enum class Order : std::int32_t {
    submitted = ASTAT_ORDER_SUBMITTED, ///< They were submitted in this order, more or less.
    unknown = ASTAT_ORDER_UNKNOWN,     ///< Nobody knows: each is asked about in its turn.
};

/// Can a question of which no answer came have arrived?
enum class Delivery : std::int32_t {
    not_sent = ASTAT_DELIVERY_NOT_SENT, ///< Certainly not: no byte was handed to the network. It does not count.
    partly = ASTAT_DELIVERY_PARTLY,     ///< Not all of it: it may have been counted by its beginning.
    in_doubt = ASTAT_DELIVERY_IN_DOUBT, ///< It may have.
};

/// What became of a call that had a permit.
enum class Settled : std::int32_t {
    answered = ASTAT_SETTLED_ANSWERED, ///< The head of an answer has just arrived.
    refused = ASTAT_SETTLED_REFUSED,   ///< The answer was a refusal (429).
    not_sent = ASTAT_SETTLED_NOT_SENT, ///< It certainly never left: it does not count.
    in_doubt = ASTAT_SETTLED_IN_DOUBT, ///< No answer came; it may still arrive.
};

/// What an observer is told of.
enum class EventKind : std::int32_t {
    waiting = ASTAT_EVENT_WAITING,             ///< A call waits for the quota.
    sending = ASTAT_EVENT_SENDING,             ///< A call is sent.
    answered = ASTAT_EVENT_ANSWERED,           ///< An answer has come.
    refused = ASTAT_EVENT_REFUSED,             ///< The vendor refused a call (429).
    retrying = ASTAT_EVENT_RETRYING,           ///< A call is tried again.
    settle_failed = ASTAT_EVENT_SETTLE_FAILED, ///< The limiter could not be told what became of a call.
    status = ASTAT_EVENT_STATUS,               ///< The status of a job was read.
};

/// How much an event matters.
enum class Level : std::int32_t {
    warning = ASTAT_LEVEL_WARNING, ///< Somebody should look.
    info = ASTAT_LEVEL_INFO,       ///< Worth a line in a log.
    debug = ASTAT_LEVEL_DEBUG,     ///< For those who look for a fault.
};

class Reply;
class Error;

namespace detail {

template <auto Free> struct Freed {
    template <class T> void operator()(T *handle) const noexcept { Free(handle); }
};

inline astat_str text(std::string_view text) noexcept { return astat_text(text.data(), text.size()); }

inline std::string_view view(astat_str text) noexcept
{
    return text.ptr ? std::string_view(text.ptr, text.len) : std::string_view("");
}

inline std::optional<std::string_view> view_if_any(astat_str text) noexcept
{
    return text.ptr ? std::optional(view(text)) : std::nullopt;
}

inline std::uint64_t ns(std::chrono::nanoseconds time) noexcept
{
    return time.count() < 0 ? 0 : static_cast<std::uint64_t>(time.count());
}

inline std::uint64_t ns(const std::optional<std::chrono::nanoseconds> &time) noexcept
{
    return time ? ns(*time) : ASTAT_NS_NONE;
}

/// As long as chrono can say, 292 years, if it is longer.
inline std::chrono::nanoseconds time(std::uint64_t ns) noexcept
{
    return std::chrono::nanoseconds(ns > INT64_MAX ? INT64_MAX : static_cast<std::int64_t>(ns));
}

inline std::optional<std::chrono::nanoseconds> time_if_any(std::uint64_t ns) noexcept
{
    return ns == ASTAT_NS_NONE ? std::nullopt : std::optional(time(ns));
}

inline std::optional<std::uint64_t> number_if_any(std::uint64_t number) noexcept
{
    return number == ASTAT_NONE ? std::nullopt : std::optional(number);
}

inline std::uint64_t unix_ns(std::chrono::system_clock::time_point time) noexcept
{
    return ns(std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()));
}

/// Owns one handle of the C library.
template <class Self, class T, auto Free> class Owner {
public:
    using capi_type = T; ///< What the C library calls it.

    /// Takes over a handle that the C library gave.
    [[nodiscard]] static Self from_capi(T *handle) noexcept { return Self(handle); }
    /// Lends the handle. It belongs to this object: do not free it.
    T *capi() const noexcept { return handle_.get(); }
    /// Gives the handle away: free it. This object then holds nothing.
    [[nodiscard]] T *release() noexcept { return handle_.release(); }

protected:
    explicit Owner(T *handle) noexcept : handle_(handle) {}
    template <class Get> std::string_view text_of(Get get) const noexcept { return view(get(capi())); }
    template <class Get> auto text_if_any(Get get) const noexcept { return view_if_any(get(capi())); }

private:
    std::unique_ptr<T, Freed<Free>> handle_;
};

/// Owns a handle together with all of its copies.
template <class Self, class T, auto Free, auto Ref> class Shared : public Owner<Self, T, Free> {
public:
    Shared(const Shared &other) noexcept : Shared(Ref(other.capi())) {}
    Shared(Shared &&) noexcept = default;
    Shared &operator=(const Shared &other) noexcept { return *this = Shared(other); }
    Shared &operator=(Shared &&) noexcept = default;

protected:
    using Owner<Self, T, Free>::Owner;
};

/// Borrows one handle of the C library, as long as the one call in which it was given.
template <class T> class Borrowed {
public:
    explicit Borrowed(T *handle) noexcept : handle_(handle) {}
    Borrowed(const Borrowed &) = delete;
    Borrowed &operator=(const Borrowed &) = delete;
    /// Lends the handle.
    T *capi() const noexcept { return handle_; }

protected:
    template <class Get> std::string_view text_of(Get get) const noexcept { return view(get(capi())); }
    template <class Get> auto text_if_any(Get get) const noexcept { return view_if_any(get(capi())); }

private:
    T *handle_;
};

} // namespace detail

/// A name and a value: a header, or a parameter of a query string. It borrows both.
struct Pair {
    std::string_view name;  ///< The name.
    std::string_view value; ///< The value.
};

/// A code as one lower-case word, the same in every language. Empty for a number that is no code.
inline std::string_view name(Code code) noexcept
{
    return detail::view(astat_code_name(static_cast<astat_code>(code)));
}

/// All that the vendor said of one job. It never changes.
class Status : public detail::Shared<Status, astat_status, astat_status_free, astat_status_ref> {
    using Shared::Shared;

public:
    /// The job.
    std::string_view request_id() const & noexcept { return text_of(astat_status_request_id); }
    void request_id() const && = delete;
    /// How the job stands.
    Outcome outcome() const noexcept { return static_cast<Outcome>(astat_status_outcome(capi())); }
    /// The same as one word: "pending", "succeeded" or "failed". It lives as long as the program.
    std::string_view outcome_name() const noexcept { return text_of(astat_status_outcome_name); }
    /// The vendor's word for how it stands, exactly as it came.
    std::string_view state() const & noexcept { return text_of(astat_status_state); }
    void state() const && = delete;
    /// What kind of task it is, such as "Activity Create". Empty if the vendor did not say.
    std::string_view task_type() const & noexcept { return text_of(astat_status_task_type); }
    void task_type() const && = delete;
    /// Why, in the vendor's words. Empty if it did not say.
    std::string_view reason() const & noexcept { return text_of(astat_status_reason); }
    void reason() const && = delete;
    /// The step that it is in. None once it is over.
    std::optional<std::string_view> current_step() const & noexcept { return text_if_any(astat_status_current_step); }
    void current_step() const && = delete;
    /// The step that it was in before, if there is one.
    std::optional<std::string_view> last_step() const & noexcept { return text_if_any(astat_status_last_step); }
    void last_step() const && = delete;
    /// The body that was submitted, character for character, if the vendor gave it.
    std::optional<std::string_view> request_body() const & noexcept { return text_if_any(astat_status_request_body); }
    void request_body() const && = delete;
    /// What the original call answered, as JSON. None unless it succeeded.
    std::optional<std::string_view> message() const & noexcept { return text_if_any(astat_status_message); }
    void message() const && = delete;
    /// The id of what was created, such as the new activity's, if there is one.
    std::optional<std::string_view> created_id() const & noexcept { return text_if_any(astat_status_created_id); }
    void created_id() const && = delete;
    /// The id that it belongs to, such as the lead's, if there is one.
    std::optional<std::string_view> related_id() const & noexcept { return text_if_any(astat_status_related_id); }
    void related_id() const && = delete;
    /// The whole answer, as it came, with all that this version of the library does not know.
    std::string_view raw() const & noexcept { return text_of(astat_status_raw); }
    void raw() const && = delete;
    /// The status as one line of JSON, the same in every language and on the command line.
    std::string_view json() const & noexcept { return text_of(astat_status_json); }
    void json() const && = delete;
};

/// Why something failed. It never changes. No key is in any of its texts.
class Error : public detail::Shared<Error, astat_error, astat_error_free, astat_error_ref> {
    using Shared::Shared;

public:
    /// No error: its code is ok, and its texts are empty.
    Error() noexcept : Shared(nullptr) {}

    /// What went wrong.
    Code code() const noexcept { return static_cast<Code>(astat_error_code(capi())); }
    /// The code as one word, such as "in_doubt".
    std::string_view kind() const & noexcept { return text_of(astat_error_kind); }
    void kind() const && = delete;
    /// What happened, to which job, after how many attempts, and what to do next: one line for people.
    std::string_view message() const & noexcept { return text_of(astat_error_message); }
    void message() const && = delete;
    /// The HTTP status of the answer, such as 401, if there was one.
    std::optional<int> http_status() const noexcept
    {
        const auto status = astat_error_http_status(capi());
        return status ? std::optional<int>(status) : std::nullopt;
    }

    /// May the same call be made again?
    Resend resend() const noexcept { return static_cast<Resend>(astat_error_resend(capi())); }
    /// The same advice as one word: "safe", "may_duplicate" or "pointless". It lives as long as the program.
    std::string_view resend_name() const noexcept { return text_of(astat_error_resend_name); }
    /// How many HTTP calls were tried. 0 if nothing was sent.
    std::uint32_t attempts() const noexcept { return astat_error_attempts(capi()); }
    /// The job that was asked about, if there is one.
    std::optional<std::string_view> request_id() const & noexcept { return text_if_any(astat_error_request_id); }
    void request_id() const && = delete;
    /// The operation, such as "activity.create", if one was begun.
    std::optional<std::string_view> operation() const & noexcept { return text_if_any(astat_error_operation); }
    void operation() const && = delete;
    /// The vendor's ExceptionType, if it gave one.
    std::optional<std::string_view> exception_type() const & noexcept
    {
        return text_if_any(astat_error_exception_type);
    }
    void exception_type() const && = delete;
    /// The vendor's ExceptionMessage, if it gave one, with the keys masked.
    std::optional<std::string_view> exception_message() const & noexcept
    {
        return text_if_any(astat_error_exception_message);
    }
    void exception_message() const && = delete;
    /// The beginning of the answer's body, if there was one, with the keys masked.
    std::optional<std::string_view> body() const & noexcept { return text_if_any(astat_error_body); }
    void body() const && = delete;
    /// What caused it, the outermost first.
    std::vector<std::string_view> causes() const &
    {
        std::vector<std::string_view> causes(astat_error_cause_count(capi()));
        for (std::size_t i = 0; i < causes.size(); i++)
            causes[i] = detail::view(astat_error_cause(capi(), i));
        return causes;
    }
    void causes() const && = delete;
    /// The last thing the vendor said of the job, if a wait ended before its outcome.
    std::optional<Status> last_status() const noexcept
    {
        const auto status = astat_error_last_status(capi());
        return status ? std::optional(Status::from_capi(astat_status_ref(status))) : std::nullopt;
    }

    /// The error as one line of JSON, the same in every language and on the command line.
    std::string_view json() const & noexcept { return text_of(astat_error_json); }
    void json() const && = delete;
};

/// What Result::value() throws.
class Exception : public std::exception {
public:
    /// Carries an error.
    explicit Exception(Error error) noexcept : error_(std::move(error)) {}

    /// The error's message. It lives as long as the exception.
    const char *what() const noexcept override { return error_.message().data(); }
    /// The error.
    const Error &error() const noexcept { return error_; }

private:
    Error error_;
};

namespace detail {

[[noreturn]] inline void raise(const Error &error)
{
#if ACTIVITY_STATUS_EXCEPTIONS
    throw Exception(error);
#else
    std::fprintf(stderr, "%s\n", error.message().data());
    std::abort();
#endif
}

} // namespace detail

/// What a call gave, or why it failed.
template <class T> class [[nodiscard]] Result {
public:
    /// It worked.
    Result(T value) : value_(std::move(value)) {}

    /// It failed.
    Result(Error error) noexcept : error_(std::move(error)) {}

    /// Did it work?
    bool has_value() const noexcept { return value_.has_value(); }
    /// Did it work?
    explicit operator bool() const noexcept { return has_value(); }
    /// What it gave. Throws an Exception if it failed; without exceptions, it ends the program.
    T &value() &
    {
        expect();
        return *value_;
    }

    /// What it gave, as above.
    const T &value() const &
    {
        expect();
        return *value_;
    }

    /// What it gave, as above, moved out: so that nothing refers to a temporary.
    T value() &&
    {
        expect();
        return *std::move(value_);
    }

    /// The same as value().
    T &operator*() & { return value(); }
    /// The same as value().
    const T &operator*() const & { return value(); }
    /// The same as value().
    T operator*() && { return std::move(*this).value(); }
    /// The same as value().
    T *operator->() { return &value(); }
    /// The same as value().
    const T *operator->() const { return &value(); }
    /// What it gave, or this if it failed.
    template <class U> T value_or(U &&other) const &
    {
        return has_value() ? *value_ : static_cast<T>(std::forward<U>(other));
    }

    /// What it gave, or this if it failed.
    template <class U> T value_or(U &&other) &&
    {
        return has_value() ? *std::move(value_) : static_cast<T>(std::forward<U>(other));
    }

    /// Why it failed; no error if it did not.
    const Error &error() const & noexcept { return error_; }
    /// Why it failed; no error if it did not.
    Error error() && noexcept { return std::move(error_); }

#ifdef __cpp_lib_expected
    /// The same as the standard library says it.
    operator std::expected<T, Error>() const &
    {
        if (has_value()) return *value_;
        return std::unexpected(error_);
    }
    /// The same as the standard library says it.
    operator std::expected<T, Error>() &&
    {
        if (has_value()) return *std::move(value_);
        return std::unexpected(std::move(error_));
    }
#endif

private:
    void expect() const
    {
        if (!has_value()) detail::raise(error_);
    }

    std::optional<T> value_;
    Error error_;
};

/// That a call worked, or why it failed.
template <> class [[nodiscard]] Result<void> {
public:
    /// It worked.
    Result() noexcept = default;

    /// It failed.
    Result(Error error) noexcept : error_(std::move(error)) {}

    /// Did it work?
    bool has_value() const noexcept { return !error_.capi(); }
    /// Did it work?
    explicit operator bool() const noexcept { return has_value(); }
    /// Throws an Exception if it failed; without exceptions, it ends the program.
    void value() const
    {
        if (!has_value()) detail::raise(error_);
    }

    /// Why it failed; no error if it did not.
    const Error &error() const & noexcept { return error_; }
    /// Why it failed; no error if it did not.
    Error error() && noexcept { return std::move(error_); }

#ifdef __cpp_lib_expected
    /// The same as the standard library says it.
    operator std::expected<void, Error>() const
    {
        if (has_value()) return {};
        return std::unexpected(error_);
    }
#endif

private:
    Error error_;
};

namespace detail {

/// Calls a function whose last parameter is its error.
template <class Function, class... Arguments>
Result<void> check(Function function, Arguments... arguments)
{
    astat_error *error = nullptr;
    if (function(arguments..., &error) != ASTAT_OK) return Error::from_capi(error);
    return {};
}

/// Calls a function whose last parameters are its result, a handle, and its error.
template <class T, class Function, class... Arguments>
Result<T> make(Function function, Arguments... arguments)
{
    typename T::capi_type *out = nullptr;
    astat_error *error = nullptr;
    if (function(arguments..., &out, &error) != ASTAT_OK) return Error::from_capi(error);
    return T::from_capi(out);
}

/// The same for a handle that there may not be.
template <class T, class Function, class... Arguments>
Result<std::optional<T>> make_if_any(Function function, Arguments... arguments)
{
    typename T::capi_type *out = nullptr;
    astat_error *error = nullptr;
    if (function(arguments..., &out, &error) != ASTAT_OK) return Error::from_capi(error);
    return out ? std::optional(T::from_capi(out)) : std::nullopt;
}

/// Runs a function for C, which must not be thrown into: `caught` makes an answer of the text of what was thrown.
template <class Function, class Caught> auto guarded(Function function, Caught caught) noexcept
{
#if ACTIVITY_STATUS_EXCEPTIONS
    try {
        return function();
    } catch (const std::exception &error) {
        return caught(std::string_view(error.what()));
    } catch (...) {
        return caught(std::string_view("it threw something that is no std::exception"));
    }
#else
    static_cast<void>(caught);
    return function();
#endif
}

/// The first that was thrown on any thread while C was in between, to be thrown again after it.
class Thrown {
public:
    template <class Function> void catch_of(Function function) noexcept
    {
        guarded(function, [this](std::string_view) {
            const std::lock_guard<std::mutex> lock(mutex_);
            if (!first_) first_ = std::current_exception();
        });
    }

    void throw_again() const
    {
        if (first_) std::rethrow_exception(first_);
    }

private:
    std::mutex mutex_;
    std::exception_ptr first_;
};

} // namespace detail

/// Ends calls and waits from outside: one for any number of them, and no way back. All copies are the same token.
class CancelToken : public detail::Shared<CancelToken, astat_cancel, astat_cancel_free, astat_cancel_ref> {
    using Shared::Shared;

public:
    /// A new one, not triggered.
    CancelToken() : Shared(astat_cancel_new()) {}

    /// Ends all calls that have it, now and later. Any thread may call it at any time, and a signal handler too.
    void trigger() const noexcept { astat_cancel_trigger(capi()); }
    /// Has it been triggered?
    bool is_triggered() const noexcept { return astat_cancel_is_triggered(capi()) != 0; }
};

/// What one call may be given.
struct CallOptions {
    /// How long it may take. None: as long as the call_deadline setting says.
    std::optional<std::chrono::nanoseconds> deadline = std::nullopt;
    /// What ends it from outside.
    std::optional<CancelToken> cancel = std::nullopt;
};

/// What a submit may be given.
struct SubmitOptions {
    /// Parameters of the query string, such as the leadId of "lead.update". The library escapes them.
    std::vector<Pair> query = {};
    /// A last segment of the path: the key of the connector for "telephony.logcall". It is treated as a secret.
    std::string_view path_tail = {};
    /// How long it may take. None: as long as the call_deadline setting says.
    std::optional<std::chrono::nanoseconds> deadline = std::nullopt;
    /// What ends it from outside.
    std::optional<CancelToken> cancel = std::nullopt;
};

/// What a wait may be given.
struct WaitOptions {
    /// How long the whole wait may take. None: an hour.
    std::optional<std::chrono::nanoseconds> deadline = std::nullopt;
    /// How much waiting one call must be expected to end: more is fewer calls and later news. None: 5 ms.
    std::optional<std::chrono::nanoseconds> price = std::nullopt;
    /// What the order of the jobs means.
    Order order = Order::submitted;
    /// What ends it from outside.
    std::optional<CancelToken> cancel = std::nullopt;
};

/// A job: all that is needed to ask about it, from any program.
struct Job {
    /// What was submitted, such as "activity.create".
    std::string operation;
    /// The id that the vendor gave it.
    std::string request_id;
    /// When it was submitted: worth telling a wait for a job that was submitted a moment ago.
    std::optional<std::chrono::system_clock::time_point> submitted_at = std::nullopt;
};

/// A job that nothing more will be asked about: `auto &&[job, result] = ended`.
struct Ended {
    /// The job.
    Job job;
    /// The status in which it is settled; or why it cannot be followed any further, Code::deadline if the time ran out.
    Result<Status> result;
};

/// When something will be known.
struct Eta {
    std::chrono::nanoseconds remaining;   ///< The likely time from now.
    std::chrono::nanoseconds uncertainty; ///< One standard deviation of it.
};

/// How far a wait for many jobs is.
struct Progress {
    std::uint64_t total = 0;   ///< Jobs that were added.
    std::uint64_t settled = 0; ///< Of these, the ones that are settled: succeeded or failed.
    std::uint64_t failed = 0;  ///< Of the settled ones, those that failed.
    std::uint64_t errors = 0;  ///< Jobs that ended with an error in place of a status.
    std::uint64_t open = 0;    ///< Jobs that have not ended.
    double rate = 0;           ///< Jobs that settled in a second of late; 0 as long as fewer than two have.
    std::optional<Eta> eta = std::nullopt; ///< When all will be known. None if nothing tells.
};

/// How a quota stands, for all who share it. A number is none if the limiter does not say.
struct Snapshot {
    std::optional<std::uint64_t> used = std::nullopt; ///< Slots of calls that count at this moment.
    std::optional<std::uint64_t> free = std::nullopt; ///< Slots that are free. Some may be kept for those who wait.
    std::optional<std::chrono::nanoseconds> next_free_in = std::nullopt; ///< The least that a call would wait now.
    std::optional<std::uint64_t> waiting = std::nullopt;                 ///< How many callers wait.
    std::optional<std::uint64_t> refused = std::nullopt; ///< How many calls the vendor has refused (429) so far.
};

/// Leave to send a call now, under a number of the limiter's own; settle it afterwards.
struct Permit {
    std::uint64_t number; ///< The limiter's own number for this call.
};

/// Not before this time has passed; ask again then.
struct RetryAfter {
    std::chrono::nanoseconds time; ///< More than 0.
};

/// Why a function of a plug-in has no answer, for those that do not throw: a sentence without a full stop, for people.
struct Failed {
    std::string message; ///< The sentence. No key may be in it.
};

/// What became of a permit.
struct Settlement {
    /// What became of it.
    Settled how;
    /// The server's advice when to come back, if it refused the call and gave any.
    std::optional<std::chrono::nanoseconds> retry_after = std::nullopt;
};

namespace detail {

inline const astat_cancel *cancel_of(const std::optional<CancelToken> &token) noexcept
{
    return token ? token->capi() : nullptr;
}

inline astat_call_options options_of(const CallOptions &options) noexcept
{
    astat_call_options given = ASTAT_CALL_OPTIONS_INIT;
    given.deadline_ns = ns(options.deadline);
    given.cancel = cancel_of(options.cancel);
    return given;
}

inline astat_wait_options options_of(const WaitOptions &options) noexcept
{
    astat_wait_options given = ASTAT_WAIT_OPTIONS_INIT;
    given.deadline_ns = ns(options.deadline);
    given.price_ns = ns(options.price);
    given.order = static_cast<std::int32_t>(options.order);
    given.cancel = cancel_of(options.cancel);
    return given;
}

inline std::vector<astat_pair> pairs_of(const std::vector<Pair> &pairs)
{
    std::vector<astat_pair> given;
    given.reserve(pairs.size());
    for (const auto &pair : pairs) given.push_back({text(pair.name), text(pair.value)});
    return given;
}

/// Asks for all pairs of something by their number.
template <class Handle, class Name, class Value>
std::vector<Pair> pairs_from(const Handle *handle, std::size_t count, Name name, Value value)
{
    std::vector<Pair> pairs(count);
    for (std::size_t i = 0; i < count; i++) pairs[i] = {view(name(handle, i)), view(value(handle, i))};
    return pairs;
}

inline Ended ended_of(astat_ended *handle)
{
    const std::unique_ptr<astat_ended, Freed<astat_ended_free>> ended(handle);
    Job job{std::string(view(astat_ended_operation(handle))), std::string(view(astat_ended_request_id(handle)))};
    if (const auto status = astat_ended_status(handle))
        return {std::move(job), Status::from_capi(astat_status_ref(status))};
    return {std::move(job), Error::from_capi(astat_error_ref(astat_ended_error(handle)))};
}

template <class Function, class Handle> Result<std::vector<Job>> jobs_of(Function function, Handle *handle)
{
    astat_jobs *out = nullptr;
    astat_error *error = nullptr;
    if (function(handle, &out, &error) != ASTAT_OK) return Error::from_capi(error);
    const std::unique_ptr<astat_jobs, Freed<astat_jobs_free>> list(out);
    std::vector<Job> jobs(astat_jobs_count(out));
    for (std::size_t i = 0; i < jobs.size(); i++) {
        jobs[i].operation = view(astat_jobs_operation(out, i));
        jobs[i].request_id = view(astat_jobs_request_id(out, i));
    }
    return jobs;
}

template <class Function, class Handle> Result<Snapshot> snapshot_of(Function function, const Handle *handle)
{
    astat_snapshot seen = ASTAT_SNAPSHOT_INIT;
    astat_error *error = nullptr;
    if (function(handle, &seen, &error) != ASTAT_OK) return Error::from_capi(error);
    return Snapshot{number_if_any(seen.used), number_if_any(seen.free), time_if_any(seen.next_free_in_ns),
                    number_if_any(seen.waiting), number_if_any(seen.refused)};
}

inline std::optional<Eta> eta_of(std::uint64_t remaining_ns, std::uint64_t uncertainty_ns) noexcept
{
    if (remaining_ns == ASTAT_NS_NONE) return std::nullopt;
    return Eta{time(remaining_ns), time(uncertainty_ns)};
}

/// What a batch and a tracker have in common; Api names the functions of the one or the other.
template <class Self, class Api> class Following : public Owner<Self, typename Api::handle, Api::free> {
public:
    /// One more job; false if it is followed already. Add jobs in the order in which they were submitted, or say
    /// Order::unknown. Nothing is sent. Code::config for an operation or an id that cannot be one.
    Result<bool> add(const Job &job)
    {
        const auto submitted_at = job.submitted_at ? unix_ns(*job.submitted_at) : ASTAT_NS_NONE;
        std::int32_t added = 0;
        const auto done = check(Api::add, this->capi(), text(job.operation), text(job.request_id), submitted_at,
                                &added);
        if (!done) return done.error();
        return added != 0;
    }

    /// How far it is. It does not block.
    Result<Progress> progress()
    {
        astat_progress seen = ASTAT_PROGRESS_INIT;
        const auto done = check(Api::progress, this->capi(), &seen);
        if (!done) return done.error();
        return Progress{seen.total, seen.settled, seen.failed, seen.errors, seen.open, seen.rate,
                        detail::eta_of(seen.remaining_ns, seen.uncertainty_ns)};
    }

    /// The jobs that have not ended, in the order in which they were added. It does not block.
    Result<std::vector<Job>> open() { return jobs_of(Api::open, this->capi()); }
    /// The open jobs that the vendor has probably lost. They are still asked about now and then, until the deadline.
    Result<std::vector<Job>> overdue() { return jobs_of(Api::overdue, this->capi()); }
    /// When one job will be known. None if nothing tells, or it has ended. It does not block.
    Result<std::optional<Eta>> eta_of(const Job &job)
    {
        std::uint64_t remaining_ns = 0, uncertainty_ns = 0;
        const auto done = check(Api::eta, this->capi(), text(job.operation), text(job.request_id), &remaining_ns,
                                &uncertainty_ns);
        if (!done) return done.error();
        return detail::eta_of(remaining_ns, uncertainty_ns);
    }

    /// What the vendor said last of an open job, if it said anything.
    Result<std::optional<Status>> last_status(const Job &job)
    {
        return make_if_any<Status>(Api::last_status, this->capi(), text(job.operation), text(job.request_id));
    }

    /// Why the last question about an open job failed, if it did.
    Result<std::optional<Error>> last_trouble(const Job &job)
    {
        return make_if_any<Error>(Api::last_trouble, this->capi(), text(job.operation), text(job.request_id));
    }

protected:
    using Owner<Self, typename Api::handle, Api::free>::Owner;
};

struct BatchApi {
    using handle = astat_batch;
    static constexpr auto free = astat_batch_free;
    static constexpr auto add = astat_batch_add;
    static constexpr auto progress = astat_batch_progress;
    static constexpr auto open = astat_batch_open;
    static constexpr auto overdue = astat_batch_overdue;
    static constexpr auto eta = astat_batch_eta;
    static constexpr auto last_status = astat_batch_last_status;
    static constexpr auto last_trouble = astat_batch_last_trouble;
};

struct TrackerApi {
    using handle = astat_tracker;
    static constexpr auto free = astat_tracker_free;
    static constexpr auto add = astat_tracker_add;
    static constexpr auto progress = astat_tracker_progress;
    static constexpr auto open = astat_tracker_open;
    static constexpr auto overdue = astat_tracker_overdue;
    static constexpr auto eta = astat_tracker_eta;
    static constexpr auto last_status = astat_tracker_last_status;
    static constexpr auto last_trouble = astat_tracker_last_trouble;
};

} // namespace detail

/// How long the vendor's queue was. It never changes.
class Metrics : public detail::Shared<Metrics, astat_metrics, astat_metrics_free, astat_metrics_ref> {
    using Shared::Shared;

public:
    /// About how many jobs are queued, if the vendor said so.
    std::optional<std::uint64_t> pending() const noexcept
    {
        return detail::number_if_any(astat_metrics_pending(capi()));
    }

    /// The longest that it takes to process all of the queue, if the vendor said so.
    std::optional<std::chrono::nanoseconds> max_delay() const noexcept
    {
        return detail::time_if_any(astat_metrics_max_delay_ns(capi()));
    }

    /// Jobs a minute over the last ten minutes, if the vendor said so.
    std::optional<double> rate_per_minute() const noexcept
    {
        const auto rate = astat_metrics_rate_per_minute(capi());
        return std::isnan(rate) ? std::nullopt : std::optional(rate);
    }

    /// The whole answer, as it came.
    std::string_view raw() const & noexcept { return text_of(astat_metrics_raw); }
    void raw() const && = delete;
};

/// No job has ended within the time. Ask again soon, for all goes on only while somebody waits.
struct NotYet {};

/// Every job has ended, and was given.
struct Done {};

/// What WaitAll::next_within gives.
using Next = std::variant<Ended, NotYet, Done>;

/// Jobs that are waited for over the client's one quota, each given once as soon as it ends:
///
///     for (auto &&[job, result] : client.wait_all(jobs)) ...
///
/// All goes on only while somebody waits in it. One thread at a time; cancel() alone may be called by any. A further
/// loop over the same object goes on where the last one stopped. Its end leaves the jobs alone: they go on at the
/// vendor's.
class WaitAll : public detail::Following<WaitAll, detail::BatchApi> {
    using Following::Following;

public:
    /// An input iterator over the jobs as they end; a range's end is one that points nowhere.
    class iterator {
    public:
        using iterator_category = std::input_iterator_tag; ///< Each job is given once.
        using value_type = Ended;                          ///< A job that has ended.
        using difference_type = std::ptrdiff_t;            ///< As every iterator has it.
        using pointer = Ended *;                           ///< As every iterator has it.
        using reference = Ended &;                         ///< It belongs to the wait, until the next one.

        /// The end.
        iterator() noexcept = default;

        /// The job that ended.
        reference operator*() const noexcept { return *waiting_->current_; }
        /// The job that ended.
        pointer operator->() const noexcept { return &*waiting_->current_; }

        /// Waits for the next job that ends. What fails in the wait itself throws an Exception.
        iterator &operator++()
        {
            if (!waiting_->advance()) waiting_ = nullptr;
            return *this;
        }
        /// As above.
        void operator++(int) { ++*this; }

        /// Are both at the end, or in the same wait?
        friend bool operator==(const iterator &one, const iterator &other) noexcept
        {
            return one.waiting_ == other.waiting_;
        }
        /// Is one of them at the end?
        friend bool operator!=(const iterator &one, const iterator &other) noexcept { return !(one == other); }

    private:
        friend WaitAll;
        explicit iterator(WaitAll *waiting) noexcept : waiting_(waiting) {}

        WaitAll *waiting_ = nullptr;
    };

    /// Waits for the first of the jobs that have not been given yet.
    ///
    /// What fails in the wait itself throws an Exception: Code::interrupted if it was cancelled, Code::config for a job
    /// that cannot be one. Without exceptions the loop ends, and error() tells.
    iterator begin() { return iterator(advance() ? this : nullptr); }
    /// Where every job has been given.
    iterator end() noexcept { return iterator(); }
    /// Why the last loop ended before all jobs did, if it has: the same that it threw.
    std::optional<Error> error() const { return failure_.capi() ? std::optional(failure_) : std::nullopt; }
    /// Waits for the next job that ends; none if all have been given.
    Result<std::optional<Ended>> next()
    {
        auto found = take(ASTAT_NS_NONE);
        if (!found) return std::move(found).error();
        if (const auto ended = std::get_if<Ended>(&*found)) return std::optional(std::move(*ended));
        return std::optional<Ended>();
    }

    /// The same, but for this long at the most.
    Result<Next> next_within(std::chrono::nanoseconds timeout) { return take(detail::ns(timeout)); }
    /// Ends the wait, in whichever thread it waits, now and from now on. open() has the jobs that were not given.
    ///
    /// Any thread may call it while another one waits; not a signal handler, for which there is a CancelToken.
    void cancel() const noexcept { astat_batch_cancel(capi()); }

private:
    friend class Client;
    explicit WaitAll(Error failure) noexcept : Following(nullptr), beginning_(std::move(failure)) {}

    Result<Next> take(std::uint64_t timeout_ns)
    {
        if (beginning_.capi()) return beginning_;
        std::int32_t what = 0;
        astat_ended *ended = nullptr;
        astat_error *error = nullptr;
        if (astat_batch_next(capi(), timeout_ns, &what, &ended, &error) != ASTAT_OK) return Error::from_capi(error);
        if (ended) return Next(detail::ended_of(ended));
        return what == ASTAT_NEXT_DONE ? Next(Done()) : Next(NotYet());
    }

    bool advance()
    {
        auto found = next();
        failure_ = found.error();
        current_.reset();
#if ACTIVITY_STATUS_EXCEPTIONS
        found.value();
#endif
        if (found) current_ = std::move(found).value();
        return current_.has_value();
    }

    Error beginning_; // why it never began
    Error failure_;   // why the last loop ended
    std::optional<Ended> current_;
};

/// One question that a tracker wants asked, with the limiter's leave to ask it now.
///
/// Either let the client send it, on a thread that may block; or ask with a client of your own: a GET of url() with
/// every header, and answered() or failed() in the end. Both use it up. One that is dropped has failed: it may have
/// been sent, for all the limiter knows. One thread at a time, and any thread.
class Look : public detail::Owner<Look, astat_look, astat_look_free> {
    using Owner::Owner;

public:
    /// The job that is asked about. None if the question is how long the operation's queue is.
    std::optional<std::string_view> request_id() const & noexcept { return text_if_any(astat_look_request_id); }
    void request_id() const && = delete;
    /// The URL to get. It holds no key.
    std::string_view url() const & noexcept { return text_of(astat_look_url); }
    void url() const && = delete;
    /// Every header to send, the API key among them: print them nowhere, and follow no redirect.
    std::vector<Pair> headers() const &
    {
        return detail::pairs_from(capi(), astat_look_header_count(capi()), astat_look_header_name,
                                  astat_look_header_value);
    }
    void headers() const && = delete;
    /// How long the exchange may take from now at the most. 0 if its time is over: it has failed then.
    std::chrono::nanoseconds time_left() const noexcept { return detail::time(astat_look_time_left_ns(capi())); }
    /// Has it not been used up?
    explicit operator bool() const noexcept { return capi() != nullptr; }
    /// Asks by the client's own transport, and tells the tracker. It blocks, and does not fail by what is answered.
    Result<void> send()
    {
        const auto handle = release();
        return detail::check(astat_look_send, handle);
    }

    /// The head of the answer has just arrived. Optional: the quota's slot is free the sooner for it.
    Result<void> head_arrived(int http_status, const std::vector<Pair> &headers)
    {
        const auto pairs = detail::pairs_of(headers);
        return detail::check(astat_look_head_arrived, capi(), http_status, pairs.data(), pairs.size());
    }

    /// The whole answer has arrived, whatever its status; its body is without a transfer coding.
    Result<void> answered(int http_status, const std::vector<Pair> &headers, std::string_view body)
    {
        const auto pairs = detail::pairs_of(headers);
        const auto handle = release();
        return detail::check(astat_look_answered, handle, http_status, pairs.data(), pairs.size(), body.data(),
                             body.size());
    }

    /// No whole answer came. `why` is Code::transport, timed_out or malformed; no URL and no key may be in the message.
    Result<void> failed(Delivery delivery, Code why, std::string_view message)
    {
        const auto handle = release();
        return detail::check(astat_look_failed, handle, static_cast<std::int32_t>(delivery),
                             static_cast<astat_code>(why), detail::text(message));
    }
};

/// Do nothing for so long, unless an answer comes sooner or a job is added.
struct Sleep {
    std::chrono::nanoseconds time; ///< More than 0.
};

/// What Tracker::step gives: ask this; do nothing; a job that has ended; or every job has.
using Step = std::variant<Look, Sleep, Ended, Done>;

/// Follows jobs in steps, so that an event loop can drive it: it has no thread, and no step blocks.
///
/// One thread at a time; its looks may go to any threads. Its end leaves the jobs alone.
class Tracker : public detail::Following<Tracker, detail::TrackerApi> {
    using Following::Following;

public:
    /// What to do now. Answers that have come are taken in first. Each job is given once.
    Result<Step> step()
    {
        std::int32_t what = 0;
        std::uint64_t sleep_ns = 0;
        astat_look *look = nullptr;
        astat_ended *ended = nullptr;
        const auto done = detail::check(astat_tracker_step, capi(), &what, &sleep_ns, &look, &ended);
        if (!done) return done.error();
        if (look) return Step(Look::from_capi(look));
        if (ended) return Step(detail::ended_of(ended));
        return what == ASTAT_STEP_DONE ? Step(Done()) : Step(Sleep{detail::time(sleep_ns)});
    }
};

/// What a transport is to send. It lives as long as the one call.
class Request : public detail::Borrowed<const astat_request> {
    using Borrowed::Borrowed;

public:
    /// "GET" or "POST".
    std::string_view method() const noexcept { return text_of(astat_request_method); }
    /// Where to. It holds no key unless the key_placement setting says so.
    std::string_view url() const noexcept { return text_of(astat_request_url); }
    /// Every header to send, its name in lower case; the keys are among them. Redirects must not be followed.
    std::vector<Pair> headers() const
    {
        return detail::pairs_from(capi(), astat_request_header_count(capi()), astat_request_header_name,
                                  astat_request_header_value);
    }

    /// The body to send, if there is one.
    std::optional<std::string_view> body() const noexcept { return text_if_any(astat_request_body); }
    /// How long the exchange may take from now at the most.
    std::chrono::nanoseconds time_left() const noexcept
    {
        return detail::time(astat_request_time_left_ns(capi()));
    }

    /// Has its caller cancelled it? Any thread may ask.
    bool is_cancelled() const noexcept { return astat_request_is_cancelled(capi()) != 0; }
};

/// Where a transport says what came back. It lives as long as the one call.
class Reply : public detail::Borrowed<astat_reply> {
    using Borrowed::Borrowed;

public:
    /// A connection was made for this call; say it before head_arrived.
    void new_connection() noexcept { astat_reply_new_connection(capi()); }
    /// Begins a head; a later one (after 100 Continue) replaces it and its headers.
    void set_status(int http_status) noexcept { astat_reply_set_status(capi(), http_status); }
    /// One header of it.
    void add_header(std::string_view name, std::string_view value) noexcept
    {
        astat_reply_add_header(capi(), detail::text(name), detail::text(value));
    }

    /// The head is complete: say it at that moment, for the quota's slot is counted from then.
    void head_arrived() noexcept { astat_reply_head_arrived(capi()); }
    /// More of the body. Code::malformed once it is larger than the library takes.
    Code add_body(std::string_view bytes) noexcept
    {
        return static_cast<Code>(astat_reply_add_body(capi(), bytes.data(), bytes.size()));
    }

    /// No whole answer came, for a reason that holds no URL and no key: `return reply.fail(...)`. It gives `why`.
    Code fail(Delivery delivery, Code why, std::string_view message) noexcept
    {
        return static_cast<Code>(astat_reply_fail(capi(), static_cast<std::int32_t>(delivery),
                                                  static_cast<astat_code>(why), detail::text(message)));
    }
};

/// Something that happened in a call. It lives as long as the one call of an observer, and no key is in it.
class Event : public detail::Borrowed<const astat_event> {
    using Borrowed::Borrowed;

public:
    /// What happened.
    EventKind kind() const noexcept { return static_cast<EventKind>(astat_event_kind(capi())); }
    /// The same as one word, such as "retrying".
    std::string_view name() const noexcept { return text_of(astat_event_name); }
    /// How much it matters.
    Level level() const noexcept { return static_cast<Level>(astat_event_level(capi())); }
    /// One line for a log.
    std::string_view message() const noexcept { return text_of(astat_event_message); }
    /// The operation, such as "activity.create".
    std::optional<std::string_view> operation() const noexcept { return text_if_any(astat_event_operation); }
    /// The job, if it is known.
    std::optional<std::string_view> request_id() const noexcept { return text_if_any(astat_event_request_id); }
    /// What the call is for.
    CallClass call_class() const noexcept { return static_cast<CallClass>(astat_event_class(capi())); }
    /// Which attempt it is, from 1; 0 if it is none.
    std::uint32_t attempt() const noexcept { return astat_event_attempt(capi()); }
    /// The HTTP status of an answer.
    std::optional<int> http_status() const noexcept
    {
        const auto status = astat_event_http_status(capi());
        return status ? std::optional<int>(status) : std::nullopt;
    }

    /// How long the wait will be, or what the call took.
    std::optional<std::chrono::nanoseconds> time() const noexcept
    {
        return detail::time_if_any(astat_event_time_ns(capi()));
    }

    /// Why it is tried again; ok if it is not.
    Code code() const noexcept { return static_cast<Code>(astat_event_code(capi())); }
    /// The status that was read, if one was.
    std::optional<Status> status() const noexcept
    {
        const auto status = astat_event_status(capi());
        return status ? std::optional(Status::from_capi(astat_status_ref(status))) : std::nullopt;
    }
};

/// Where a provider says which keys to use. It lives as long as the one call.
class Credentials : public detail::Borrowed<astat_credentials> {
    using Borrowed::Borrowed;

public:
    /// The keys: copied, and wiped when they are no longer needed. Asking needs the API key alone, a submit all three.
    void set(std::string_view api_key, std::string_view access_key = {}, std::string_view secret_key = {}) noexcept
    {
        astat_credentials_set(capi(), detail::text(api_key), detail::text(access_key),
                              detail::text(secret_key));
    }
};

/// What sends HTTP requests. Any thread may call it at any time, several at once.
class Transport {
public:
    virtual ~Transport() = default;

    /// Sends a request and fills the reply: Code::ok if a whole answer came, whatever its HTTP status.
    ///
    /// Else `return reply.fail(...)` with Code::transport, timed_out, malformed, config or interrupted. Another code,
    /// or an exception, is a failure in doubt: the request may have arrived.
    virtual Code send(const Request &request, Reply &reply) = 0;
};

/// What a limiter answers: send now, wait, or why it cannot tell.
using Acquired = std::variant<Permit, RetryAfter, Failed>;

/// What decides when a call may be sent. It only computes, and the library sleeps; conform_limiter checks it.
///
/// `now` is of one clock for all clients of a process, and never set back. Any thread may call any of these functions
/// at any time, several at once; a thread waits for one call at a time, so the calling thread tells who waits. If a
/// caller dies, settle never comes: let its permit end by itself, a window after the longest that a call may take.
class Limiter {
public:
    virtual ~Limiter() = default;

    /// May a call of this class be sent now? Failed, or an exception: it is not sent, and fails with Code::limiter.
    virtual Acquired try_acquire(CallClass call_class, std::chrono::nanoseconds now) = 0;

    /// The calling thread was told to wait, and has given up. What it throws is dropped.
    virtual void leave() {}

    /// What became of a permit, at the moment it is known; once for each. Whatever fails here, the call goes on.
    virtual std::optional<Failed> settle(Permit permit, const Settlement &settlement,
                                         std::chrono::nanoseconds now)
        = 0;

    /// How the quota stands; none if you do not say, which is found out by asking once, with 0, when it is handed over.
    virtual std::optional<Snapshot> snapshot(std::chrono::nanoseconds now)
    {
        static_cast<void>(now);
        return std::nullopt;
    }
};

/// The time by which a client goes. Any thread may call it at any time, several at once.
class Clock {
public:
    virtual ~Clock() = default;

    /// The time since a fixed, arbitrary moment. It never goes back.
    virtual std::chrono::nanoseconds now() noexcept = 0;

    /// The time of day.
    virtual std::chrono::system_clock::time_point wall() noexcept = 0;

    /// Sleeps for so long; false, or an exception: it was interrupted, and the call ends with Code::interrupted.
    virtual bool sleep(std::chrono::nanoseconds time) = 0;

    /// Does the work once, on a thread that lives in this time; a clock whose time jumps does it at once. False, or an
    /// exception: it will not be done.
    virtual bool spawn(std::function<void()> work)
    {
        std::thread(std::move(work)).detach();
        return true;
    }
};

/// What is told of all that happens: for metrics and for a log. Any thread may call it at any time, several at once.
class Observer {
public:
    virtual ~Observer() = default;

    /// Something happened. What it throws is dropped, for nobody waits for an answer.
    virtual void on_event(const Event &event) = 0;
};

/// Where the keys come from, so that they can change while a client lives. Any thread may call it, several at once.
class CredentialsProvider {
public:
    virtual ~CredentialsProvider() = default;

    /// Says which keys to use now. Failed, or an exception: the call is not sent, and fails.
    virtual std::optional<Failed> get(Credentials &credentials) = 0;

    /// The vendor did not accept the keys (401 or 403). What it throws is dropped.
    virtual void refused(int http_status) { static_cast<void>(http_status); }
};

namespace detail {

// A plug-in's context is a shared_ptr on the heap: it ends when the library says so, and once.
template <class Plugin> Plugin &plugin(void *context) noexcept
{
    return **static_cast<std::shared_ptr<Plugin> *>(context);
}

template <class Plugin> void destroy(void *context) noexcept
{
    delete static_cast<std::shared_ptr<Plugin> *>(context);
}

/// Calls a function that takes a table and its context over, which it destroys once whatever happens.
template <class Plugin, class Ops, class Function, class... Before>
Result<void> hand_over(std::shared_ptr<Plugin> plugin, const Ops &ops, Function function, Before... before)
{
    if (!plugin) return check(function, before..., static_cast<const Ops *>(nullptr), static_cast<void *>(nullptr));
    void *const context = new std::shared_ptr<Plugin>(std::move(plugin));
    return check(function, before..., &ops, context);
}

inline std::int32_t say(astat_trouble *trouble, std::string_view message) noexcept
{
    astat_trouble_say(trouble, text(message));
    return ASTAT_E_LIMITER;
}

inline std::int32_t say(astat_trouble *trouble, const std::optional<Failed> &failed) noexcept
{
    return failed ? say(trouble, failed->message) : ASTAT_OK;
}

inline void drop(std::string_view) noexcept {}

inline std::int32_t transport_send(void *context, const astat_request *request, astat_reply *reply) noexcept
{
    return guarded(
        [&] {
            const Request given(request);
            Reply filled(reply);
            return static_cast<std::int32_t>(plugin<Transport>(context).send(given, filled));
        },
        [&](std::string_view message) {
            return astat_reply_fail(reply, ASTAT_DELIVERY_IN_DOUBT, ASTAT_E_TRANSPORT, text(message));
        });
}

inline std::int32_t limiter_try_acquire(void *context, std::int32_t call_class, std::uint64_t now,
                                        std::uint64_t *permit, std::uint64_t *wait,
                                        astat_trouble *trouble) noexcept
{
    return guarded(
        [&]() -> std::int32_t {
            const auto answer = plugin<Limiter>(context).try_acquire(static_cast<CallClass>(call_class), time(now));
            if (const auto failed = std::get_if<Failed>(&answer)) return say(trouble, failed->message);
            if (const auto later = std::get_if<RetryAfter>(&answer)) {
                *wait = ns(later->time);
                return ASTAT_RETRY_AFTER;
            }
            *permit = std::get_if<Permit>(&answer)->number;
            return ASTAT_GRANTED;
        },
        [&](std::string_view message) { return say(trouble, message); });
}

inline void limiter_leave(void *context) noexcept
{
    guarded([&] { plugin<Limiter>(context).leave(); }, drop);
}

inline std::int32_t limiter_settle(void *context, std::uint64_t permit, std::int32_t how, std::uint64_t retry_after,
                                   std::uint64_t now, astat_trouble *trouble) noexcept
{
    return guarded(
        [&] {
            const Settlement settlement{static_cast<Settled>(how), time_if_any(retry_after)};
            return say(trouble, plugin<Limiter>(context).settle(Permit{permit}, settlement, time(now)));
        },
        [&](std::string_view message) { return say(trouble, message); });
}

inline std::int32_t limiter_snapshot(void *context, std::uint64_t now, astat_snapshot *out,
                                     astat_trouble *trouble) noexcept
{
    return guarded(
        [&]() -> std::int32_t {
            const auto seen = plugin<Limiter>(context).snapshot(time(now));
            if (!seen) return say(trouble, "it does not say how its quota stands");
            out->used = seen->used.value_or(0);
            out->free = seen->free.value_or(0);
            out->next_free_in_ns = ns(seen->next_free_in.value_or(std::chrono::nanoseconds(0)));
            out->waiting = seen->waiting.value_or(0);
            out->refused = seen->refused.value_or(0);
            return ASTAT_OK;
        },
        [&](std::string_view message) { return say(trouble, message); });
}

inline std::uint64_t clock_now(void *context) noexcept { return ns(plugin<Clock>(context).now()); }

inline std::uint64_t clock_wall(void *context) noexcept { return unix_ns(plugin<Clock>(context).wall()); }

inline std::int32_t clock_sleep(void *context, std::uint64_t sleep_ns) noexcept
{
    const std::int32_t interrupted = ASTAT_E_INTERRUPTED;
    return guarded([&] { return plugin<Clock>(context).sleep(time(sleep_ns)) ? ASTAT_OK : interrupted; },
                   [&](std::string_view) { return interrupted; });
}

inline std::int32_t clock_spawn(void *context, void (*work)(void *what), void *what) noexcept
{
    const std::int32_t failed = ASTAT_E_TRANSPORT;
    return guarded([&] { return plugin<Clock>(context).spawn([=] { work(what); }) ? ASTAT_OK : failed; },
                   [&](std::string_view) { return failed; });
}

inline void observer_on_event(void *context, const astat_event *event) noexcept
{
    guarded([&] { plugin<Observer>(context).on_event(Event(event)); }, drop);
}

inline std::int32_t credentials_get(void *context, astat_credentials *out, astat_trouble *trouble) noexcept
{
    return guarded(
        [&] {
            Credentials credentials(out);
            return say(trouble, plugin<CredentialsProvider>(context).get(credentials));
        },
        [&](std::string_view message) { return say(trouble, message); });
}

inline void credentials_refused(void *context, std::int32_t http_status) noexcept
{
    guarded([&] { plugin<CredentialsProvider>(context).refused(http_status); }, drop);
}

inline constexpr astat_transport_ops transport_ops
    = {sizeof transport_ops, destroy<Transport>, transport_send};
inline constexpr astat_limiter_ops limiter_ops
    = {sizeof limiter_ops, destroy<Limiter>, limiter_try_acquire, limiter_leave, limiter_settle, limiter_snapshot};
inline constexpr astat_limiter_ops silent_limiter_ops
    = {sizeof limiter_ops, destroy<Limiter>, limiter_try_acquire, limiter_leave, limiter_settle, nullptr};
inline constexpr astat_clock_ops clock_ops
    = {sizeof clock_ops, destroy<Clock>, clock_now, clock_wall, clock_sleep, clock_spawn};
inline constexpr astat_observer_ops observer_ops
    = {sizeof observer_ops, destroy<Observer>, observer_on_event};
inline constexpr astat_credentials_ops credentials_ops
    = {sizeof credentials_ops, destroy<CredentialsProvider>, credentials_get, credentials_refused};

inline const astat_limiter_ops &ops_of(const std::shared_ptr<Limiter> &limiter) noexcept
{
    const auto says = [&] { return limiter && limiter->snapshot(std::chrono::nanoseconds(0)).has_value(); };
    return guarded(says, [](std::string_view) { return true; }) ? limiter_ops : silent_limiter_ops;
}

// Plug-ins of one function.

template <class Function> struct FunctionTransport final : Transport {
    explicit FunctionTransport(Function given) : function(std::move(given)) {}
    Code send(const Request &request, Reply &reply) override { return function(request, reply); }
    Function function;
};

template <class Function> struct FunctionObserver final : Observer {
    explicit FunctionObserver(Function given) : function(std::move(given)) {}
    void on_event(const Event &event) override { function(event); }
    Function function;
};

template <class Function> struct FunctionProvider final : CredentialsProvider {
    explicit FunctionProvider(Function given) : function(std::move(given)) {}
    std::optional<Failed> get(Credentials &credentials) override
    {
        if constexpr (std::is_void_v<std::invoke_result_t<Function &, Credentials &>>) {
            function(credentials);
            return std::nullopt;
        } else {
            return function(credentials);
        }
    }
    Function function;
};

} // namespace detail

class BuiltinLimiter;
class VirtualClock;

/// A name that Config::set takes, and what it means. Both texts live as long as the program.
struct Setting {
    std::string_view key;  ///< The name.
    std::string_view help; ///< What it means, and what it is if it is not given.
};

/// The settings of a client to be: a region or a base_url, and an API key must be given. One thread at a time.
class Config : public detail::Owner<Config, astat_config, astat_config_free> {
    using Owner::Owner;

public:
    /// No setting yet.
    Config() : Owner(astat_config_new()) {}

    /// Every setting that there is.
    static std::vector<Setting> settings()
    {
        std::vector<Setting> settings(astat_config_key_count());
        for (std::size_t i = 0; i < settings.size(); i++)
            settings[i] = {detail::view(astat_config_key(i)), detail::view(astat_config_key_help(i))};
        return settings;
    }

    /// Gives one setting; a later value replaces an earlier one. Times are seconds, or end in ms, s, m or h.
    ///
    /// Code::config for a name that is none. Values are checked together, by Client::create.
    Result<void> set(std::string_view key, std::string_view value)
    {
        return detail::check(astat_config_set, capi(), detail::text(key), detail::text(value));
    }

    /// Gives the account's keys: copied, wiped when they are no longer needed, and in no text that the library gives.
    ///
    /// Asking needs the API key alone, a submit all three: std::string_view() leaves one as it was.
    Result<void> set_keys(std::string_view api_key, std::string_view access_key = {},
                          std::string_view secret_key = {})
    {
        return detail::check(astat_config_set_keys, capi(), detail::text(api_key), detail::text(access_key),
                             detail::text(secret_key));
    }

    /// Adds an operation, or gives a known one other paths: path + "/status" and path + "/metrics" unless they are
    /// given.
    Result<void> add_operation(std::string_view name, std::string_view path, std::string_view status_path = {},
                               std::string_view metrics_path = {})
    {
        return detail::check(astat_config_add_operation, capi(), detail::text(name), detail::text(path),
                             detail::text(status_path), detail::text(metrics_path));
    }

    /// A limiter of your own, in place of the limiter setting. It may be a std::unique_ptr, as with all plug-ins.
    Result<void> set_limiter(std::shared_ptr<Limiter> limiter)
    {
        const auto &ops = detail::ops_of(limiter);
        return detail::hand_over(std::move(limiter), ops, astat_config_set_limiter, capi());
    }

    /// A built-in limiter that clients of several configurations share.
    Result<void> use_limiter(const BuiltinLimiter &limiter);

    /// A transport of your own.
    Result<void> set_transport(std::shared_ptr<Transport> transport)
    {
        return detail::hand_over(std::move(transport), detail::transport_ops, astat_config_set_transport, capi());
    }

    /// A function as the transport: see Transport::send.
    template <class Function, class = std::enable_if_t<
                                  std::is_invocable_r_v<Code, Function &, const Request &, Reply &>>>
    Result<void> set_transport(Function send)
    {
        return set_transport(std::make_shared<detail::FunctionTransport<Function>>(std::move(send)));
    }

    /// A clock of your own.
    Result<void> set_clock(std::shared_ptr<Clock> clock)
    {
        return detail::hand_over(std::move(clock), detail::clock_ops, astat_config_set_clock, capi());
    }

    /// Virtual time, for tests.
    Result<void> use_virtual_clock(const VirtualClock &clock);

    /// An observer of your own.
    Result<void> set_observer(std::shared_ptr<Observer> observer)
    {
        return detail::hand_over(std::move(observer), detail::observer_ops, astat_config_set_observer, capi());
    }

    /// A function as the observer: see Observer::on_event.
    template <class Function, class = std::enable_if_t<std::is_invocable_v<Function &, const Event &>>>
    Result<void> set_observer(Function on_event)
    {
        return set_observer(std::make_shared<detail::FunctionObserver<Function>>(std::move(on_event)));
    }

    /// A provider of the keys, in place of set_keys.
    Result<void> set_credentials(std::shared_ptr<CredentialsProvider> provider)
    {
        return detail::hand_over(std::move(provider), detail::credentials_ops, astat_config_set_credentials,
                                 capi());
    }

    /// A function as the provider: see CredentialsProvider::get. It may return nothing.
    template <class Function, class = std::enable_if_t<std::is_invocable_v<Function &, Credentials &>>>
    Result<void> set_credentials(Function get)
    {
        return set_credentials(std::make_shared<detail::FunctionProvider<Function>>(std::move(get)));
    }
};

/// The limiter that the settings name, as an object: to be shared by several clients, or to guard calls of your own.
/// All copies are the same limiter.
class BuiltinLimiter
    : public detail::Shared<BuiltinLimiter, astat_limiter, astat_limiter_free, astat_limiter_ref> {
    using Shared::Shared;

public:
    /// Makes the one that the settings name.
    static Result<BuiltinLimiter> create(const Config &config)
    {
        return detail::make<BuiltinLimiter>(astat_limiter_new, config.capi());
    }

    /// May a call of this class be sent now? Ask again after the time that it says, or leave().
    Result<std::variant<Permit, RetryAfter>> try_acquire(CallClass call_class) const
    {
        std::int32_t answer = 0;
        std::uint64_t permit = 0, wait_ns = 0;
        const auto done = detail::check(astat_limiter_try_acquire, capi(), static_cast<std::int32_t>(call_class),
                                        &answer, &permit, &wait_ns);
        if (!done) return done.error();
        using Answer = std::variant<Permit, RetryAfter>;
        return answer == ASTAT_GRANTED ? Answer(Permit{permit}) : Answer(RetryAfter{detail::time(wait_ns)});
    }

    /// The calling thread was told to wait, and gives up.
    void leave() const noexcept { astat_limiter_leave(capi()); }
    /// What became of a permit; once for each.
    Result<void> settle(Permit permit, const Settlement &settlement) const
    {
        return detail::check(astat_limiter_settle, capi(), permit.number,
                             static_cast<std::int32_t>(settlement.how), detail::ns(settlement.retry_after));
    }

    /// How the quota stands.
    Result<Snapshot> snapshot() const { return detail::snapshot_of(astat_limiter_snapshot, capi()); }
};

/// Time that jumps instead of passing, for tests. All copies are the same clock.
class VirtualClock : public detail::Shared<VirtualClock, astat_virtual_clock, astat_virtual_clock_free,
                                           astat_virtual_clock_ref> {
    using Shared::Shared;

public:
    /// A new one.
    VirtualClock() : Shared(astat_virtual_clock_new()) {}

    /// The time since a fixed, arbitrary moment.
    std::chrono::nanoseconds now() const noexcept { return detail::time(astat_virtual_clock_now_ns(capi())); }
    /// Sleeps: the time jumps, or others run meanwhile.
    void sleep(std::chrono::nanoseconds time) const noexcept
    {
        astat_virtual_clock_sleep(capi(), detail::ns(time));
    }

    /// Runs work(0), work(1), ... each on a thread of its own in this time, and waits for them all.
    ///
    /// The first that one of them throws is thrown again in the end.
    template <class Work> Result<void> run(std::uint32_t workers, Work work) const
    {
        struct Context {
            Work &work;
            detail::Thrown thrown;
        } context{work, {}};
        const auto each = [](void *given, std::uint32_t worker) noexcept {
            auto &it = *static_cast<Context *>(given);
            it.thrown.catch_of([&] { static_cast<void>(it.work(worker)); });
        };
        void (*const function)(void *, std::uint32_t) = each;
        auto done = detail::check(astat_virtual_clock_run, capi(), workers, function,
                                  static_cast<void *>(&context));
        context.thrown.throw_again();
        return done;
    }
};

inline Result<void> Config::use_limiter(const BuiltinLimiter &limiter)
{
    return detail::check(astat_config_use_limiter, capi(), static_cast<const astat_limiter *>(limiter.capi()));
}

inline Result<void> Config::use_virtual_clock(const VirtualClock &clock)
{
    return detail::check(astat_config_use_virtual_clock, capi(),
                         static_cast<const astat_virtual_clock *>(clock.capi()));
}

/// Submits jobs and asks how they went, inside the quota. All threads may use it at once: its calls block the thread
/// they are made in, and draw on one quota. All copies are the same client.
class Client : public detail::Shared<Client, astat_client, astat_client_free, astat_client_ref> {
    using Shared::Shared;

public:
    /// Makes a client of a configuration, which it copies. No connection is made yet.
    ///
    /// Code::config for a setting that is missing or makes no sense.
    static Result<Client> create(const Config &config)
    {
        return detail::make<Client>(astat_client_new, config.capi());
    }

    /// Sends one job: body is a JSON object or array, sent byte for byte.
    ///
    /// Code::in_doubt if it was sent and no answer came: look in the CRM before you send it again, for it may then be
    /// created twice. For any other failure, Error::resend tells whether it may be repeated.
    Result<Job> submit(std::string_view operation, std::string_view body, const SubmitOptions &options = {}) const
    {
        const auto query = detail::pairs_of(options.query);
        astat_submit_options given = ASTAT_SUBMIT_OPTIONS_INIT;
        given.query = query.data();
        given.query_count = query.size();
        given.path_tail = detail::text(options.path_tail);
        given.deadline_ns = detail::ns(options.deadline);
        given.cancel = detail::cancel_of(options.cancel);
        astat_submitted *out = nullptr;
        const auto done = detail::check(astat_client_submit, capi(), detail::text(operation), detail::text(body),
                                        &given, &out);
        if (!done) return done.error();
        const std::unique_ptr<astat_submitted, detail::Freed<astat_submitted_free>> submitted(out);
        return Job{std::string(operation), std::string(detail::view(astat_submitted_request_id(out)))};
    }

    /// Asks once how a job stands: pending and failed are answers too.
    Result<Status> status(std::string_view operation, std::string_view request_id,
                          const CallOptions &options = {}) const
    {
        const auto given = detail::options_of(options);
        return detail::make<Status>(astat_client_status, capi(), detail::text(operation), detail::text(request_id),
                                    &given);
    }

    /// Asks until a job is settled: succeeded or failed. Code::deadline if it was not in time: see Error::last_status.
    Result<Status> wait(std::string_view operation, std::string_view request_id,
                        const WaitOptions &options = {}) const
    {
        const auto given = detail::options_of(options);
        return detail::make<Status>(astat_client_wait, capi(), detail::text(operation), detail::text(request_id),
                                    &given);
    }

    /// Follows many jobs and gives each as soon as its end is known: any range of Job. The deadline counts from now.
    ///
    /// It sends nothing yet. What is wrong with the jobs or the options is told by the first that is asked of it.
    template <class Jobs> WaitAll wait_all(const Jobs &jobs, const WaitOptions &options = {}) const
    {
        const auto given = detail::options_of(options);
        auto begun = detail::make<WaitAll>(astat_batch_new, capi(), &given);
        if (!begun) return WaitAll(begun.error());
        auto waiting = std::move(begun).value();
        for (const Job &job : jobs)
            if (const auto added = waiting.add(job); !added) return WaitAll(added.error());
        return waiting;
    }

    /// The same for jobs in braces; {} for none so far: see WaitAll::add.
    WaitAll wait_all(std::initializer_list<Job> jobs, const WaitOptions &options = {}) const
    {
        return wait_all<std::initializer_list<Job>>(jobs, options);
    }

    /// The same as wait_all in steps, for an event loop. No jobs yet: add them. The deadline counts from now.
    Result<Tracker> tracker(const WaitOptions &options = {}) const
    {
        const auto given = detail::options_of(options);
        return detail::make<Tracker>(astat_tracker_new, capi(), &given);
    }

    /// Asks how long the queue of an operation is.
    Result<Metrics> metrics(std::string_view operation, const CallOptions &options = {}) const
    {
        const auto given = detail::options_of(options);
        return detail::make<Metrics>(astat_client_metrics, capi(), detail::text(operation), &given);
    }

    /// How the quota stands, for all who share this client's limiter. Code::limiter if it cannot tell.
    Result<Snapshot> snapshot() const { return detail::snapshot_of(astat_client_snapshot, capi()); }
};

/// The version of the library as text. It lives as long as the program.
inline std::string_view version() noexcept { return detail::view(astat_version_string()); }

/// The version of the library: major * 1000000 + minor * 1000 + patch. The header's is ASTAT_VERSION_NUMBER.
inline std::uint32_t version_number() noexcept { return astat_version_number(); }

/// The number after the ".so." of the library's name. The header's is ASTAT_ABI_VERSION.
inline std::uint32_t abi_version() noexcept { return astat_abi_version(); }

/// Does the library serve this header?
inline bool check_version() noexcept { return ASTAT_CHECK_VERSION() ? true : false; }

/// Was it built with this feature: "limiter-file", "limiter-redis" or "limiter-redis-tls"?
inline bool has_feature(std::string_view name) noexcept { return astat_has_feature(detail::text(name)) != 0; }

/// Puts a limiter of your own through the checks that the library's own go through, in virtual time.
///
/// open(number, calls, window) gives a std::shared_ptr<Limiter> that keeps this quota; two of the same number share it,
/// as two processes would. What it throws is thrown again. longest_call is how long a call may take before the limiter
/// holds its caller for dead: a minute if it is not given. Code::limiter says which check failed and what the limiter
/// did.
template <class Open>
Result<void> conform_limiter(Open open, std::optional<std::chrono::nanoseconds> longest_call = std::nullopt)
{
    struct Context {
        Open &open;
        detail::Thrown thrown;
    } context{open, {}};
    const auto each = [](void *user, std::uint32_t number, std::uint32_t calls, std::uint64_t window,
                         void **out) noexcept -> const astat_limiter_ops * {
        auto &it = *static_cast<Context *>(user);
        std::shared_ptr<Limiter> limiter;
        it.thrown.catch_of([&] {
            limiter = it.open(number, calls, detail::time(window));
            if (limiter) *out = new std::shared_ptr<Limiter>(limiter);
        });
        return *out ? &detail::ops_of(limiter) : nullptr;
    };
    const astat_limiter_open function = each;
    auto done = detail::check(astat_conform_limiter, function, static_cast<void *>(&context),
                              detail::ns(longest_call));
    context.thrown.throw_again();
    return done;
}

/// Puts a transport of your own through the checks that the library's own goes through, against servers on the
/// loopback.
inline Result<void> conform_transport(std::shared_ptr<Transport> transport)
{
    return detail::hand_over(std::move(transport), detail::transport_ops, astat_conform_transport);
}

/// Puts a clock of your own through the checks that the library's own goes through.
inline Result<void> conform_clock(std::shared_ptr<Clock> clock)
{
    return detail::hand_over(std::move(clock), detail::clock_ops, astat_conform_clock);
}

} // namespace v0
} // namespace activity_status

#endif
