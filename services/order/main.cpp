#include <flotilla/service/run.hpp>

#include "services/order/api/order.hpp"
#include "services/order/order.hpp"

int main(int argc, char** argv) { return flotilla::run(order::service, order::install, argc, argv); }
