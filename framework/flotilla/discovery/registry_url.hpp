#pragma once

#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <flotilla/aio/world.hpp>

namespace flotilla {

/// One registry's URL in its parts: "etcd://10.0.0.1:2379,10.0.0.2:2379/shop?key=value".
struct RegistryUrl {
    std::string text; ///< as written
    std::string scheme;
    std::vector<Address> servers; ///< none: it has no authority, as in "dns:///"
    std::string path;             ///< without the first slash and the last one
    std::map<std::string, std::string, std::less<>> parameters;

    /// Errors: invalid, with the text and what was expected.
    static Result<RegistryUrl> parse(std::string_view text, std::uint16_t default_port = 0);

    /// What a driver understands. Errors: invalid, naming what it does
    /// not, with the nearest one.
    struct Form {
        std::string_view example; ///< "etcd://HOST:PORT[,HOST:PORT]/[PREFIX]"
        bool servers = true;      ///< it needs one
        bool several = false;     ///< it takes more
        bool path = false;
        std::span<const std::string_view> parameters = {};
    };
    Result<void> check(const Form& form) const;
    /// The value of a parameter; empty without it.
    std::string parameter(std::string_view key) const;
    Error refused(std::string_view why) const;
};

/// The URLs of several registries, "consul://a:1,dns://b:53": a comma begins another one when a scheme follows it.
std::vector<std::string_view> split_registry_urls(std::string_view text);

} // namespace flotilla
