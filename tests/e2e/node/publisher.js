// An event publisher as people write them with npm's redis: it publishes on the channel named like the event.
// Usage: node publisher.js redis://127.0.0.1:6380 user.created '{"userId": ...}'. Prints how many heard it.
import { createClient } from 'redis';

class RedisEventPublisher {
    constructor(redis) {
        this.redis = redis;
    }

    async publish(eventType, data) {
        return await this.redis.publish(eventType, JSON.stringify(data));
    }
}

const [url, eventType, data] = process.argv.slice(2);
const redis = createClient({ url });
await redis.connect();
console.log(await new RedisEventPublisher(redis).publish(eventType, JSON.parse(data)));
await redis.quit();
