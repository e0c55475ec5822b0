#include <flotilla/service/run.hpp>

#include "examples/trip/trip.hpp"

int main(int argc, char** argv) { return flotilla::run(trip::service, trip::install, argc, argv); }
