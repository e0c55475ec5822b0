#include <flotilla/discovery/dns/dns_driver.hpp>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

#include <flotilla/base/ascii.hpp>
#include <flotilla/discovery/retry_pace.hpp>

namespace flotilla {
namespace {

using dns::Answer;
using dns::Record;
using dns::Type;

constexpr std::string_view kParameters[] = {"port", "srv"};
constexpr std::string_view kSrvPrefix = "_http._tcp";
constexpr Duration kTtlMin = std::chrono::seconds(1);
constexpr Duration kTtlMax = std::chrono::minutes(5);
constexpr Duration kNegativeTtlMax = std::chrono::seconds(10); ///< a service that is not there yet may come soon
constexpr int kAliasesMax = 8;
/// Of an SRV record with weight 0: "a very small chance" (RFC 2782).
constexpr double kSmallWeight = 0.01;

Result<std::string> read_system_file() {
    std::ifstream in("/etc/resolv.conf", std::ios::binary);
    if (!in) return Error(Kind::invalid, "registry URL dns:///: /etc/resolv.conf cannot be read; name a DNS server");
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

/// What the name is an alias of, in the end.
std::string canonical(const Answer& answer, std::string name) {
    for (int i = 0; i < kAliasesMax; ++i) {
        const auto alias = std::ranges::find_if(
            answer.answers, [&](const Record& each) { return each.type == Type::cname && each.name == name; });
        if (alias == answer.answers.end()) break;
        name = alias->text;
    }
    return name;
}

std::vector<Record> records_of(const std::vector<Record>& from, const std::string& name, Type type) {
    std::vector<Record> records;
    std::ranges::copy_if(from, std::back_inserter(records),
                         [&](const Record& each) { return each.type == type && each.name == name; });
    return records;
}

} // namespace

/// What was found, and how long it holds.
struct DnsDriver::Found {
    std::vector<Instance> instances = {};
    Duration ttl = kTtlMax;

    /// Every record that an answer is made of bounds how long it holds, aliases too.
    void bound_by(const Answer& answer) {
        for (const auto& each : answer.answers)
            bound_by(each);
        if (!answer.answers.empty()) return;
        ttl = std::min(ttl, kNegativeTtlMax);
        for (const auto& each : answer.authority) {
            if (each.type == Type::soa) ttl = std::min<Duration>(ttl, std::chrono::seconds(each.negative_ttl));
        }
    }
    void bound_by(const Record& record) { ttl = std::min<Duration>(ttl, std::chrono::seconds(record.ttl)); }
    void add(const std::vector<Record>& addresses, const Record& at) {
        for (const auto& each : addresses) {
            auto address = Address::tcp(each.text, at.port);
            auto id = address.to_string();
            instances.push_back({.id = std::move(id),
                                 .address = std::move(address),
                                 .weight = at.weight == 0 ? kSmallWeight : static_cast<double>(at.weight)});
        }
    }
};

Result<std::unique_ptr<RegistryDriver>> DnsDriver::open(const DriverSetup& setup) {
    const auto& url = setup.url;
    constexpr std::string_view kExample = "dns://[HOST[:PORT],...]/[DOMAIN][?port=N&srv=PREFIX]";
    if (auto fits = url.check(
            {.example = kExample, .servers = false, .several = true, .path = true, .parameters = kParameters});
        !fits)
        return std::move(fits.error());
    Options options{.system = {.servers = url.servers, .search = {}}, .srv_prefix = std::string(kSrvPrefix)};
    if (url.servers.empty()) {
        auto text = read_system_file();
        if (!text) return std::move(text.error());
        options.system = dns::parse_resolv_conf(*text);
    }
    if (!url.path.empty()) {
        if (!ServiceName::parse(url.path)) return url.refused("its path is no domain");
        options.system.search = {url.path};
        options.own_domain = true;
    }
    if (const auto text = url.parameter("port"); !text.empty()) {
        const auto name = ServiceName::parse("a:" + text);
        if (!name) return url.refused("port is not a number from 1 to 65535");
        options.port = name->port;
    }
    if (url.parameters.contains("srv")) options.srv_prefix = url.parameter("srv");
    if (!options.srv_prefix.empty() && !ServiceName::parse(options.srv_prefix))
        return url.refused("srv is not the beginning of a name");
    if (!options.srv_prefix.empty()) options.srv_prefix += '.';
    return std::unique_ptr<RegistryDriver>(new DnsDriver(setup.world, std::move(options)));
}

/// The names to try, in order: as resolv.conf(5) says for one with so many dots. One without dots is not asked for as
/// it is where the URL has a domain for it.
std::vector<std::string> DnsDriver::names_of(const std::string& host) const {
    const auto name = ascii_lower(host);
    const auto dots = std::ranges::count(name, '.');
    std::vector<std::string> names;
    for (const auto& domain : options_.system.search)
        names.push_back(name + "." + ascii_lower(domain));
    if (dots >= options_.system.ndots) {
        names.insert(names.begin(), name);
    } else if (dots > 0 || !options_.own_domain) {
        names.push_back(name);
    }
    return names;
}

/// A or AAAA: a host with both is one instance, not two. False: the name has neither.
task<Result<bool>> DnsDriver::find_addresses(Context& context, const std::string& host, Record at, Found& found) {
    for (const auto type : {Type::a, Type::aaaa}) {
        const auto answers = co_await must(resolver_.ask(context, {{host, type}}));
        const auto addresses = records_of(answers[0].answers, canonical(answers[0], host), type);
        if (addresses.empty() && type == Type::a) continue;
        found.bound_by(answers[0]);
        found.add(addresses, at);
        co_return !addresses.empty();
    }
    co_return false;
}

/// Of several priorities the first: the others are for when it fails altogether, which DNS does not tell.
task<Result<bool>> DnsDriver::find_records(Context& context, const std::string& host, Found& found) {
    const auto name = ascii_lower(options_.srv_prefix) + host;
    const auto answers = co_await must(resolver_.ask(context, {{name, Type::srv}}));
    const auto& answer = answers[0];
    found.bound_by(answer);
    auto records = records_of(answer.answers, canonical(answer, name), Type::srv);
    if (records.empty()) co_return false;
    const auto first = std::ranges::min(records, {}, &Record::priority).priority;
    std::erase_if(records, [&](const Record& each) { return each.priority != first; });
    const bool unweighted = std::ranges::all_of(records, [](const Record& each) { return each.weight == 0; });
    for (auto& record : records) {
        if (unweighted) record.weight = 1;
        const auto known = records_of(answer.additional, record.text, Type::a);
        for (const auto& each : known)
            found.bound_by(each);
        found.add(known, record);
        if (known.empty()) co_await must(find_addresses(context, record.text, record, found));
    }
    co_return true;
}

task<Result<DnsDriver::Found>> DnsDriver::find(Context& context, const ServiceName& name) {
    Record at;
    at.weight = 1;
    at.port = name.port != 0 ? name.port : options_.port;
    Found found;
    std::optional<Error> failure;
    for (const auto& host : names_of(name.host)) {
        found = {};
        const auto there = at.port != 0 ? co_await find_addresses(context, host, at, found)
                                        : co_await find_records(context, host, found);
        if (there && *there) failure.reset();
        if (there && *there) break;
        if (!there) failure = there.error(); // another of the names may be there all the same
    }
    if (failure) co_return std::move(*failure);
    for (auto& instance : found.instances)
        instance.service = name.service;
    co_return found;
}

task<Result<void>> DnsDriver::follow(Context& context, WatchedService& service) {
    while (true) {
        auto found = co_await must(find(context, service.name()));
        service.take(std::move(found.instances));
        // Not later than it holds, and not all who asked at once at the same time.
        co_await must(sleep_for(context, jittered(world_, std::clamp(found.ttl, kTtlMin, kTtlMax) * 9 / 10, 0.1)));
    }
}

} // namespace flotilla
