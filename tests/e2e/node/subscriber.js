// An event consumer as people write them with npm's redis: it subscribes to channels and prints what it hears.
// Usage: node subscriber.js redis://127.0.0.1:6380
import { createClient } from 'redis';

class NotificationService {
    async sendOrderConfirmation(orderId, userId) {
        console.log(`Sending order confirmation for ${orderId} to user ${userId}`);
    }

    async sendWelcomeEmail(userId, email) {
        console.log(`Sending welcome email to ${email}`);
    }
}

class NotificationEventHandler {
    constructor(notificationService) {
        this.notificationService = notificationService;
    }

    async handleUserCreated(event) {
        const { userId, email } = event;
        await this.notificationService.sendWelcomeEmail(userId, email);
    }

    async handleOrderConfirmed(event) {
        const { orderId, userId } = event;
        await this.notificationService.sendOrderConfirmation(orderId, userId);
    }
}

class RedisEventConsumer {
    constructor(redis, eventHandler) {
        this.redis = redis;
        this.eventHandler = eventHandler;
    }

    async subscribe() {
        const subscriber = this.redis.duplicate();
        await subscriber.connect();

        await subscriber.subscribe('user.created', (message) => {
            const event = JSON.parse(message);
            this.eventHandler.handleUserCreated(event);
        });

        await subscriber.subscribe('order.confirmed', (message) => {
            const event = JSON.parse(message);
            this.eventHandler.handleOrderConfirmed(event);
        });

        console.log('Notification Service subscribed to events');
    }
}

const redis = createClient({ url: process.argv[2] });
await redis.connect();
const consumer = new RedisEventConsumer(redis, new NotificationEventHandler(new NotificationService()));
await consumer.subscribe();
