// The order service of the requirements: in memory, events by Redis pub/sub.
// node order.js PORT REDIS_URL USER_SERVICE_URL PRODUCT_SERVICE_URL
import crypto from 'node:crypto';
import axios from 'axios';
import express from 'express';
import { createClient } from 'redis';

const [port, redisUrl, userServiceUrl, productServiceUrl] = process.argv.slice(2);
const orders = new Map();

async function userExists(userId) {
    try {
        await axios.get(`${userServiceUrl}/users/${userId}`);
        return true;
    } catch (error) {
        return false;
    }
}

async function getProduct(productId) {
    try {
        const response = await axios.get(`${productServiceUrl}/products/${productId}`);
        return response.data;
    } catch (error) {
        return null;
    }
}

async function createOrder(userId, items) {
    if (!(await userExists(userId))) throw new Error('User not found');
    for (const item of items) {
        const product = await getProduct(item.productId);
        if (!product) throw new Error(`Product ${item.productId} not found`);
        if (!product.inStock) throw new Error(`Product ${item.productId} out of stock`);
    }
    const total = items.reduce((sum, item) => sum + item.price * item.quantity, 0);
    const order = { id: crypto.randomUUID(), userId, items, total, status: 'PENDING', createdAt: new Date() };
    orders.set(order.id, order);
    await redis.publish('order.created', JSON.stringify({ orderId: order.id, userId, items, total }));
    return order;
}

async function confirmOrder(id) {
    const order = orders.get(id);
    if (!order) throw new Error('Order not found');
    order.status = 'CONFIRMED';
    await redis.publish('order.confirmed', JSON.stringify({ orderId: order.id, userId: order.userId }));
    return order;
}

const redis = createClient({ url: redisUrl });
await redis.connect();
const app = express();
app.use(express.json());

app.post('/orders', async (req, res) => {
    try {
        res.status(201).json(await createOrder(req.body.userId, req.body.items));
    } catch (error) {
        res.status(400).json({ error: error.message });
    }
});

app.get('/orders', async (req, res) => {
    res.json(Array.from(orders.values()).filter(order => order.userId === req.query.userId));
});

app.get('/orders/:id', async (req, res) => {
    const order = orders.get(req.params.id);
    if (order) res.json(order);
    else res.status(404).json({ error: 'Order not found' });
});

app.post('/orders/:id/confirm', async (req, res) => {
    try {
        res.json(await confirmOrder(req.params.id));
    } catch (error) {
        res.status(400).json({ error: error.message });
    }
});

app.listen(port, '127.0.0.1');
