// The header after other people's macros: those of windows.h, X11, Qt and the C library that are words like ours. The
// standard library does not stand them itself, so it comes first, as it does in such programs.
#include <chrono>
#include <cmath>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#undef assert
#undef linux
#undef unix
#define Always 2
#define Bool int
#define DELETE (0x00010000L)
#define ERROR 0
#define IN
#define NO_ERROR 0
#define None 0L
#define OPTIONAL
#define OUT
#define Success 0
#define assert(condition) ((void)0)
#define emit
#define far
#define foreach for
#define interface struct
#define linux 1
#define major(dev) (dev)
#define max(a, b) ((a) > (b) ? (a) : (b))
#define min(a, b) ((a) < (b) ? (a) : (b))
#define minor(dev) (dev)
#define near
#define signals public
#define slots
#define small char
#define unix 1

#include <activity_status.hpp>

#undef max
#undef min
#include "checks.hpp"

int main()
{
    const auto client = client_for(std::make_shared<Vendor>());
    CHECK(client.wait_all({{operation, "job-1"}}).next().value()->result.has_value());
    return ends();
}
