#pragma once

#include <flotilla/aio/test_process.hpp>
#include <flotilla/aio/test_streams.hpp>
#include <flotilla/discovery/conformance/fake_consul.hpp>

namespace flotilla {

/// A registry as the conformance suite needs it, whichever it is. For tests only.
class RegistryServer {
public:
    virtual ~RegistryServer() = default;
    virtual RegistryOptions options() const = 0;
    /// Those that live in the test answer in here.
    virtual task<void> run([[maybe_unused]] Context& context) { co_return; }
    /// Makes it know an instance, or not any more. False: instances have to be announced.
    virtual bool put([[maybe_unused]] const Instance& instance) { return false; }
    virtual void remove([[maybe_unused]] const std::string& id) {}
    virtual void kill() {}
    /// After kill(): it comes back, and knows nothing that was announced.
    virtual void restart() {}
    /// What of an instance it tells.
    virtual Instance told(Instance instance) const { return instance; }
    /// False: nothing ever changes there.
    virtual bool changes() const { return true; }
};

/// The list of the configuration.
class StaticList final : public RegistryServer {
public:
    RegistryOptions options() const override { return {.url = "static:", .fixed = fixed_}; }
    bool put(const Instance& instance) override {
        fixed_[instance.service].push_back(instance);
        return true;
    }
    bool changes() const override { return false; }

private:
    std::map<std::string, std::vector<Instance>, std::less<>> fixed_;
};

/// The few lines that answer as Consul does.
class ConsulInTheTest final : public RegistryServer {
public:
    explicit ConsulInTheTest(World& world) : consul_(world) {}
    RegistryOptions options() const override { return {.url = consul_.url()}; }
    task<void> run(Context& context) override { return consul_.run(context); }
    void kill() override {
        consul_.mode = FakeConsul::Mode::unreachable;
        consul_.forget();
    }
    void restart() override { consul_.mode = FakeConsul::Mode::well; }

private:
    FakeConsul consul_;
};

/// One that is a process with its data in a temporary folder.
class RegistryProcess : public RegistryServer {
public:
    void kill() override {
        process_->stop(SIGKILL);
        std::filesystem::remove_all(data());
    }
    void restart() override { process_->start(); }

protected:
    void start(std::vector<std::string> command, std::string ready_text) {
        process_.emplace(std::move(command), std::move(ready_text));
    }
    std::string data() const { return folder_.file("data"); }
    std::string file(const std::string& name) const { return folder_.file(name); }
    std::string port() const { return std::to_string(port_); }
    std::string address() const { return "127.0.0.1:" + port(); }

private:
    TemporaryFolder folder_;
    std::uint16_t port_ = free_port();
    std::optional<ServerProcess> process_;
};

/// The hub that lies beside the running test.
class HubProcess final : public RegistryProcess {
public:
    static std::string binary() {
        return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "flotilla-hub").string();
    }
    HubProcess() {
        start({binary(), "--data", data(), "--http-port", port(), "--redis-port", "0", "--smtp-port", "0"},
              "registry loaded");
    }
    RegistryOptions options() const override { return {.url = "consul://" + address()}; }
};

/// A real Consul, alone and in memory: the one that CONSUL names, or that is on PATH.
class ConsulProcess final : public RegistryProcess {
public:
    static std::string binary() {
        if (const char* named = std::getenv("CONSUL")) return named;
        return program_on_path("consul");
    }
    ConsulProcess() {
        std::vector<std::string> command{binary(),    "agent", "-dev",       "-bind", "127.0.0.1",
                                         "-dns-port", "-1",    "-http-port", port()};
        for (const auto* other : {"-grpc-port", "-grpc-tls-port", "-server-port", "-serf-lan-port", "-serf-wan-port"}) {
            command.emplace_back(other);
            command.push_back(std::to_string(free_port()));
        }
        start(std::move(command), "cluster leadership acquired");
    }
    RegistryOptions options() const override { return {.url = "consul://" + address()}; }
};

class EtcdProcess final : public RegistryProcess {
public:
    static std::string binary() { return program_on_path("etcd"); }
    EtcdProcess() {
        const auto client = "http://" + address(), peer = "http://127.0.0.1:" + std::to_string(free_port());
        start({binary(),    "--name",
               "t",         "--data-dir",
               data(),      "--listen-client-urls",
               client,      "--advertise-client-urls",
               client,      "--listen-peer-urls",
               peer,        "--initial-advertise-peer-urls",
               peer,        "--initial-cluster",
               "t=" + peer, "--heartbeat-interval",
               "10",        "--election-timeout",
               "100",       "--unsafe-no-fsync"},
              "ready to serve client requests");
    }
    RegistryOptions options() const override { return {.url = "etcd://" + address() + "/test"}; }
};

/// A Spring Cloud Netflix Eureka server, the jar that EUREKA_JAR names: heavy, so only where somebody has built one.
class EurekaProcess final : public RegistryProcess {
public:
    static std::string binary() {
        const char* jar = std::getenv("EUREKA_JAR");
        return jar ? jar : "";
    }
    EurekaProcess() {
        start({"java", "-jar", binary(), "--server.address=127.0.0.1", "--server.port=" + port(),
               "--eureka.client.register-with-eureka=false", "--eureka.client.fetch-registry=false",
               "--eureka.server.use-read-only-response-cache=false"},
              "Started ");
    }
    RegistryOptions options() const override { return {.url = "eureka://" + address() + "/eureka?fetch=100ms"}; }
};

/// dnsmasq with the instances as A and SRV records.
class DnsmasqProcess final : public RegistryProcess {
public:
    static std::string binary() {
        const std::string path = "/usr/sbin/dnsmasq"; // not on everybody's PATH
        return std::filesystem::exists(path) ? path : program_on_path("dnsmasq");
    }
    /// records: what a service's name stands for is told by SRV records, else by addresses with one port for all.
    explicit DnsmasqProcess(bool records) : records_(records) {
        write();
        start({binary(), "--keep-in-foreground", "--conf-file=" + file("dnsmasq.conf"), "--log-facility=-"}, "started");
    }
    RegistryOptions options() const override {
        return {.url = "dns://" + address() + "/shop.svc.cluster.local" + (records_ ? "" : "?port=3002")};
    }
    bool put(const Instance& instance) override {
        instances_[instance.id] = instance;
        begin_anew();
        return true;
    }
    void remove(const std::string& id) override {
        instances_.erase(id);
        begin_anew();
    }
    Instance told(Instance instance) const override {
        return {.id = instance.address.to_string(),
                .service = instance.service,
                .address = instance.address,
                .weight = records_ ? instance.weight : 1};
    }

private:
    void begin_anew() {
        kill();
        write();
        restart();
    }
    void write() const {
        std::ofstream out(file("dnsmasq.conf"));
        out << "port=" << port() << "\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nlocal-ttl=1\n"
            << "pid-file=\nuser=\nlocal=/cluster.local/\n";
        for (const auto& [id, instance] : instances_) {
            const auto name = instance.service + ".shop.svc.cluster.local";
            out << "host-record=" << name << "," << instance.address.host << "\n";
            if (!records_) continue;
            out << "host-record=" << id << "." << name << "," << instance.address.host << "\n";
            out << "srv-host=_http._tcp." << name << "," << id << "." << name << "," << instance.address.port << ",0,"
                << instance.weight << "\n";
        }
    }

    bool records_;
    std::map<std::string, Instance> instances_;
};

} // namespace flotilla
