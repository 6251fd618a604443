// Several files with the header are one program, with and without exceptions.
#include "calls.hpp"

#include "../checks.hpp"

activity_status::Client one::client() { return client_for(std::make_shared<Vendor>()); }

int main()
{
    const auto client = one::client();
    CHECK(other::outcome_of(client) == "succeeded");
    CHECK(outcome_without_exceptions(Client(client).release()) == ASTAT_SUCCEEDED);
    // value() throws in this file still, whichever one the linker took its functions from.
    try {
        client.status("no.such", "job-1").value();
        CHECK(!"it must throw");
    } catch (const Exception &exception) {
        CHECK(exception.error().code() == Code::config);
    }
    CHECK(other::outcome_of(Client::create(Config()).has_value() ? client : Client::from_capi(nullptr)) == "argument");
    return ends();
}
