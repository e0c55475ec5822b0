#pragma once

/// All that a service's api/ header is written with: the types of fields, endpoints, topics, error codes.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <flotilla/base/constrained.hpp>
#include <flotilla/base/money.hpp>
#include <flotilla/base/patch.hpp>
#include <flotilla/base/time.hpp>
#include <flotilla/contract/endpoint.hpp>
#include <flotilla/contract/error_code.hpp>
#include <flotilla/contract/topic.hpp>
#include <flotilla/contract/version_conflict.hpp>
#include <flotilla/contract/versioned.hpp>
