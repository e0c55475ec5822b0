// The compiled part of Boost.Asio (BOOST_ASIO_SEPARATE_COMPILATION): once here instead of in every file that uses it.
#include <boost/asio/impl/src.hpp>
