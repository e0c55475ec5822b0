#include <flotilla/service/run.hpp>

#include "services/inventory/api/inventory.hpp"
#include "services/inventory/inventory.hpp"

int main(int argc, char** argv) { return flotilla::run(inventory::service, inventory::install, argc, argv); }
