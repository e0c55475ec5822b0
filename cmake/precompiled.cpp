// Carries the precompiled header of cmake/precompiled.hpp.
