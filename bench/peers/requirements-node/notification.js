// The notification service of the requirements, which prints instead of mailing. node notification.js REDIS_URL
import { createClient } from 'redis';

const [redisUrl] = process.argv.slice(2);
const subscriber = createClient({ url: redisUrl });
await subscriber.connect();

await subscriber.subscribe('user.created', (message) => {
    const { email } = JSON.parse(message);
    console.log(`Sending welcome email to ${email}`);
});
await subscriber.subscribe('order.confirmed', (message) => {
    const { orderId, userId } = JSON.parse(message);
    console.log(`Sending order confirmation for ${orderId} to user ${userId}`);
});
