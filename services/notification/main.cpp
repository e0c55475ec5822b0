#include <flotilla/service/run.hpp>

#include "services/notification/api/notification.hpp"
#include "services/notification/notification.hpp"

int main(int argc, char** argv) { return flotilla::run(notification::service, notification::install, argc, argv); }
