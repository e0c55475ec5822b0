#include <flotilla/service/run.hpp>

#include "services/product/api/product.hpp"
#include "services/product/product.hpp"

int main(int argc, char** argv) { return flotilla::run(product::service, product::install, argc, argv); }
