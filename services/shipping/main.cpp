#include <flotilla/service/run.hpp>

#include "services/shipping/api/shipping.hpp"
#include "services/shipping/shipping.hpp"

int main(int argc, char** argv) { return flotilla::run(shipping::service, shipping::install, argc, argv); }
