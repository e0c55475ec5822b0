#include <flotilla/bus/redrive.hpp>

#include <flotilla/base/json.hpp>
#include <flotilla/bus/inbox.hpp>

namespace flotilla {

std::string redrive_topic(std::string_view producer) { return "flotilla.redrive." + std::string(producer); }

Message redrive_message(World& world, std::string_view producer, std::string_view asking_group,
                        const RedriveRequest& request) {
    Message message;
    message.topic = redrive_topic(producer);
    message.key = request.topic;
    message.id = new_id(world);
    message.producer = asking_group;
    message.time = world.now();
    message.payload = json::write(request);
    return message;
}

} // namespace flotilla
