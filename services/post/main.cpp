#include <flotilla/service/run.hpp>

#include "services/post/api/post.hpp"
#include "services/post/post.hpp"

int main(int argc, char** argv) { return flotilla::run(post::service, post::install, argc, argv); }
