#include <flotilla/service/asyncapi.hpp>

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <flotilla/contract/topic.hpp>

namespace flotilla::asyncapi_test {
namespace {

struct Launched {
    std::string ship_id;
};
struct Moved {
    std::string ship_id;
    int knots = 0;
};

constexpr Topic<Launched> launched{"ship.launched"};
constexpr Topic<Moved> moved{"ship.moved", {.key = &Moved::ship_id, .partitions = 4, .pubsub = true}};

std::string normal(std::string_view text) {
    return boost::json::serialize(boost::json::parse({text.data(), text.size()}));
}

constexpr auto kExpected = R"({
  "asyncapi": "3.0.0",
  "info": {"title": "ship-service", "version": "1.2.3"},
  "defaultContentType": "application/json",
  "channels": {
    "ship.launched": {
      "address": "ship.launched",
      "messages": {
        "Launched": {
          "name": "ship.launched",
          "contentType": "application/json",
          "headers": {"allOf": [{"$ref": "#/components/schemas/CloudEvent"},
                                {"type": "object", "properties": {"type": {"type": "string", "const": "ship.launched"}}}]},
          "payload": {"$ref": "#/components/schemas/Launched"}
        }
      },
      "x-partitions": 1
    },
    "ship.moved": {
      "address": "ship.moved",
      "messages": {
        "Moved": {
          "name": "ship.moved",
          "contentType": "application/json",
          "headers": {"allOf": [{"$ref": "#/components/schemas/CloudEvent"},
                                {"type": "object", "properties": {"type": {"type": "string", "const": "ship.moved"}}}]},
          "payload": {"$ref": "#/components/schemas/Moved"}
        }
      },
      "x-partitions": 4,
      "description": "Consumers also hear a bare payload, without headers, that is published on the pub/sub channel of this name: at most once.",
      "x-pubsub": {"channel": "ship.moved", "delivery": "at-most-once"}
    }
  },
  "operations": {
    "sendShipLaunched": {"action": "send", "channel": {"$ref": "#/channels/ship.launched"},
                         "messages": [{"$ref": "#/channels/ship.launched/messages/Launched"}]},
    "receiveShipMoved": {"action": "receive", "channel": {"$ref": "#/channels/ship.moved"},
                         "messages": [{"$ref": "#/channels/ship.moved/messages/Moved"}]},
    "receiveShipLaunched": {"action": "receive", "channel": {"$ref": "#/channels/ship.launched"},
                            "messages": [{"$ref": "#/channels/ship.launched/messages/Launched"}]}
  },
  "components": {
    "schemas": {
      "Launched": {"type": "object", "properties": {"shipId": {"type": "string"}}, "required": ["shipId"]},
      "Moved": {"type": "object",
                "properties": {"shipId": {"type": "string"}, "knots": {"type": "integer", "format": "int32",
                               "minimum": -2147483648, "maximum": 2147483647}},
                "required": ["shipId", "knots"]},
      "CloudEvent": {
        "type": "object",
        "properties": {
          "specversion": {"type": "string", "const": "1.0"},
          "id": {"type": "string", "minLength": 1},
          "source": {"type": "string", "minLength": 1},
          "type": {"type": "string", "minLength": 1},
          "time": {"type": "string", "format": "date-time"},
          "datacontenttype": {"type": "string", "const": "application/json"},
          "traceparent": {"type": "string"},
          "key": {"type": "string", "description": "Events of one key stay in order."},
          "partition": {"type": "string", "pattern": "^[0-9]+$"},
          "sequence": {"type": "string", "pattern": "^[0-9]+$"}
        },
        "required": ["specversion", "id", "source", "type", "time", "datacontenttype", "traceparent", "key",
                     "partition", "sequence"]
      }
    }
  }
})";

// Goal: what a service publishes and hears becomes channels, operations and messages, always the same.
TEST(AsyncapiDocument, TopicsBecomeChannelsAndOperations) {
    const TopicUse topics[] = {topic_use(TopicUse::Action::send, launched), topic_use(TopicUse::Action::receive, moved),
                               topic_use(TopicUse::Action::receive, launched)};
    EXPECT_EQ(asyncapi_document("ship-service", "1.2.3", topics), normal(kExpected));
}

// Goal: a service without topics has a document, too.
TEST(AsyncapiDocument, NoTopicsGivesEmptyChannels) {
    EXPECT_EQ(asyncapi_document("quiet", "1", {}),
              R"({"asyncapi":"3.0.0","info":{"title":"quiet","version":"1"},"defaultContentType":"application/json",)"
              R"("channels":{},"operations":{},"components":{"schemas":{}}})");
}

} // namespace
} // namespace flotilla::asyncapi_test
