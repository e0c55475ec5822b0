#include <flotilla/node/lasting_answers.hpp>

#include <algorithm>

#include <flotilla/aio/event.hpp>
#include <flotilla/aio/time_spent.hpp>

namespace flotilla {
namespace {

Error program_stops() { return Error(Kind::unavailable, "the program is shutting down"); }

} // namespace

LastingAnswers::Answer::Answer(LastingAnswers& answers, Context& request, Deadline end)
    : answers_(answers), request_(request), context_(request, end) {
    answers_.open_.push_back(&context_);
    if (answers_.stopping_) context_.cancel(program_stops());
    if (request.time_spent) request.time_spent->expect_to_last();
}

LastingAnswers::Answer::~Answer() { std::erase(answers_.open_, &context_); }

Part LastingAnswers::part() {
    return {.name = "lasting answers", .run = [this](Context& context) { return run(context); }, .ends_first = true};
}

task<void> LastingAnswers::run(Context& context) {
    Event never;
    std::ignore = co_await never.wait(context);
    stopping_ = true;
    const auto open = open_; // who ends leaves the list
    for (auto* answer : open) {
        if (std::ranges::find(open_, answer) != open_.end()) answer->cancel(program_stops());
    }
}

} // namespace flotilla
