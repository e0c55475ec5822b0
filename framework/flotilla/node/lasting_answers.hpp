#pragma once

#include <cstddef>
#include <vector>

#include <flotilla/aio/context.hpp>
#include <flotilla/node/part.hpp>

namespace flotilla {

/// The answers of a loop that go on until one side ends them, as streams of events do. They would outlast the time in
/// which a program that stops waits for its requests, so they are ended before; and that they last is no slow request.
/// Thread-safety: none; one per loop.
class LastingAnswers {
public:
    /// One of them. Lives in the frame of whoever gives it.
    class Answer {
    public:
        Answer(LastingAnswers& answers, Context& request, Deadline end = Deadline::never());
        Answer(const Answer&) = delete;
        Answer& operator=(const Answer&) = delete;
        ~Answer();

        /// What it waits with: a child of the request's, cancelled at `end` and when the program stops.
        Context& context() { return context_; }
        /// Whether it is to end though its client would go on: in good order, so that the client comes back elsewhere.
        bool is_over() const { return context_.cancelled() && !request_.cancelled(); }

    private:
        LastingAnswers& answers_;
        Context& request_;
        Context context_;
    };

    std::size_t open() const { return open_.size(); }
    /// Once the program stops no other should begin; one that does is over.
    bool stopping() const { return stopping_; }
    /// Ends them when the program stops. The part must not outlive this.
    Part part();

private:
    task<void> run(Context& context);

    std::vector<Context*> open_;
    bool stopping_ = false;
};

} // namespace flotilla
