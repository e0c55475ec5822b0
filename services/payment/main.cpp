#include <flotilla/service/run.hpp>

#include "services/payment/api/payment.hpp"
#include "services/payment/payment.hpp"

int main(int argc, char** argv) { return flotilla::run(payment::service, payment::install, argc, argv); }
