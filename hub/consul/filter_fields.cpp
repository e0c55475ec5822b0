#include "hub/consul/filter_fields.hpp"

#include <array>

namespace flotilla::hub::consul {
namespace {

using Kind = FilterField::Kind;

constexpr std::array<FilterField, 1> kAnyText{{{"", Kind::text}}};

constexpr std::array<FilterField, 2> kAddress{{{"Address", Kind::text}, {"Port", Kind::number}}};
constexpr std::array<FilterField, 1> kAnyAddress{{{"", Kind::object, kAddress}}};

constexpr std::array<FilterField, 2> kWeights{{{"Passing", Kind::number}, {"Warning", Kind::number}}};
constexpr std::array<FilterField, 2> kLocality{{{"Region", Kind::text}, {"Zone", Kind::text}}};
constexpr std::array<FilterField, 1> kConnect{{{"Native", Kind::flag}}};

constexpr std::array<FilterField, 1> kMeshGateway{{{"Mode", Kind::text}}};
constexpr std::array<FilterField, 5> kExposedPath{{{"ListenerPort", Kind::number},
                                                   {"Path", Kind::text},
                                                   {"LocalPathPort", Kind::number},
                                                   {"Protocol", Kind::text},
                                                   {"ParsedFromCheck", Kind::flag}}};
constexpr std::array<FilterField, 2> kExpose{{{"Checks", Kind::flag}, {"Paths", Kind::objects, kExposedPath}}};
constexpr std::array<FilterField, 7> kUpstream{{{"DestinationType", Kind::text},
                                                {"DestinationNamespace", Kind::text},
                                                {"DestinationName", Kind::text},
                                                {"Datacenter", Kind::text},
                                                {"LocalBindAddress", Kind::text},
                                                {"LocalBindPort", Kind::number},
                                                {"MeshGateway", Kind::object, kMeshGateway}}};
constexpr std::array<FilterField, 8> kProxy{{{"DestinationServiceName", Kind::text},
                                             {"DestinationServiceID", Kind::text},
                                             {"LocalServiceAddress", Kind::text},
                                             {"LocalServicePort", Kind::number},
                                             {"Mode", Kind::text},
                                             {"Upstreams", Kind::objects, kUpstream},
                                             {"MeshGateway", Kind::object, kMeshGateway},
                                             {"Expose", Kind::object, kExpose}}};

constexpr std::array<FilterField, 9> kNode{{{"ID", Kind::text},
                                            {"Node", Kind::text},
                                            {"Address", Kind::text},
                                            {"Datacenter", Kind::text},
                                            {"Partition", Kind::text},
                                            {"PeerName", Kind::text},
                                            {"TaggedAddresses", Kind::map, kAnyText},
                                            {"Meta", Kind::map, kAnyText},
                                            {"Locality", Kind::object, kLocality}}};

constexpr std::array<FilterField, 15> kService{{{"Kind", Kind::text},
                                                {"ID", Kind::text},
                                                {"Service", Kind::text},
                                                {"Tags", Kind::texts},
                                                {"Address", Kind::text},
                                                {"TaggedAddresses", Kind::map, kAnyAddress},
                                                {"Meta", Kind::map, kAnyText},
                                                {"Port", Kind::number},
                                                {"SocketPath", Kind::text},
                                                {"Weights", Kind::object, kWeights},
                                                {"EnableTagOverride", Kind::flag},
                                                {"Proxy", Kind::object, kProxy},
                                                {"Connect", Kind::object, kConnect},
                                                {"PeerName", Kind::text},
                                                {"Locality", Kind::object, kLocality}}};

constexpr std::array<FilterField, 21> kCatalogService{{{"ID", Kind::text},
                                                       {"Node", Kind::text},
                                                       {"Address", Kind::text},
                                                       {"Datacenter", Kind::text},
                                                       {"TaggedAddresses", Kind::map, kAnyText},
                                                       {"NodeMeta", Kind::map, kAnyText},
                                                       {"ServiceKind", Kind::text},
                                                       {"ServiceID", Kind::text},
                                                       {"ServiceName", Kind::text},
                                                       {"ServiceTags", Kind::texts},
                                                       {"ServiceAddress", Kind::text},
                                                       {"ServiceTaggedAddresses", Kind::map, kAnyAddress},
                                                       {"ServiceWeights", Kind::object, kWeights},
                                                       {"ServiceMeta", Kind::map, kAnyText},
                                                       {"ServicePort", Kind::number},
                                                       {"ServiceSocketPath", Kind::text},
                                                       {"ServiceEnableTagOverride", Kind::flag},
                                                       {"ServiceProxy", Kind::object, kProxy},
                                                       {"ServiceConnect", Kind::object, kConnect},
                                                       {"ServiceLocality", Kind::object, kLocality},
                                                       {"PeerName", Kind::text}}};

constexpr std::array<FilterField, 14> kCheck{{{"Node", Kind::text},
                                              {"CheckID", Kind::text},
                                              {"Name", Kind::text},
                                              {"Status", Kind::text},
                                              {"Notes", Kind::text},
                                              {"Output", Kind::text},
                                              {"ServiceID", Kind::text},
                                              {"ServiceName", Kind::text},
                                              {"ServiceTags", Kind::texts},
                                              {"Type", Kind::text},
                                              {"Interval", Kind::text},
                                              {"Timeout", Kind::text},
                                              {"ExposedPort", Kind::number},
                                              {"PeerName", Kind::text}}};

constexpr std::array<FilterField, 3> kHealth{
    {{"Node", Kind::object, kNode}, {"Service", Kind::object, kService}, {"Checks", Kind::objects, kCheck}}};

constexpr std::array<FilterField, 10> kMember{{{"Name", Kind::text},
                                               {"Port", Kind::number},
                                               {"Tags", Kind::map, kAnyText},
                                               {"Status", Kind::number},
                                               {"ProtocolMin", Kind::number},
                                               {"ProtocolMax", Kind::number},
                                               {"ProtocolCur", Kind::number},
                                               {"DelegateMin", Kind::number},
                                               {"DelegateMax", Kind::number},
                                               {"DelegateCur", Kind::number}}};

} // namespace

std::span<const FilterField> node_fields() { return kNode; }
std::span<const FilterField> service_fields() { return kService; }
std::span<const FilterField> catalog_service_fields() { return kCatalogService; }
std::span<const FilterField> check_fields() { return kCheck; }
std::span<const FilterField> health_fields() { return kHealth; }
std::span<const FilterField> member_fields() { return kMember; }

} // namespace flotilla::hub::consul
