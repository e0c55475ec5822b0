#include <flotilla/service/run.hpp>

#include "services/user/api/user.hpp"
#include "services/user/user.hpp"

int main(int argc, char** argv) { return flotilla::run(user::service, user::install, argc, argv); }
