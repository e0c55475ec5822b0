#include <flotilla/service/run.hpp>

#include "services/comment/api/comment.hpp"
#include "services/comment/comment.hpp"

int main(int argc, char** argv) { return flotilla::run(comment::service, comment::install, argc, argv); }
