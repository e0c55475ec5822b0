#include "examples/greeting/greeting.hpp"

namespace greeting {
namespace {

class Greetings {
public:
    task<Result<Greeting>> greet(Context&, Ask request) {
        co_return Greeting{.text = "Hello, " + request.name.value() + "!"};
    }
};

} // namespace

void install(Host& host) { host.serve(greet, &Greetings::greet, host.own<Greetings>()); }

} // namespace greeting
