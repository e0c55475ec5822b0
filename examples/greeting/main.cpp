#include <flotilla/service/run.hpp>

#include "examples/greeting/greeting.hpp"

int main(int argc, char** argv) { return flotilla::run(greeting::service, greeting::install, argc, argv); }
