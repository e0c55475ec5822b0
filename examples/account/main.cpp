#include <flotilla/service/run.hpp>

#include "examples/account/account.hpp"

int main(int argc, char** argv) { return flotilla::run(account::service, account::install, argc, argv); }
