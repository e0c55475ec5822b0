// The user service of the requirements: in memory, events by Redis pub/sub. node user.js PORT REDIS_URL
import crypto from 'node:crypto';
import express from 'express';
import { createClient } from 'redis';

const [port, redisUrl] = process.argv.slice(2);
const users = new Map();

async function findByEmail(email) {
    for (const user of users.values()) {
        if (user.email === email) return user;
    }
    return null;
}

const redis = createClient({ url: redisUrl });
await redis.connect();
const app = express();
app.use(express.json());

app.post('/users', async (req, res) => {
    try {
        const { email, name } = req.body;
        if (await findByEmail(email)) throw new Error('User already exists');
        const user = { id: crypto.randomUUID(), email, name, createdAt: new Date() };
        users.set(user.id, user);
        await redis.publish('user.created', JSON.stringify({ userId: user.id, email, name }));
        res.status(201).json(user);
    } catch (error) {
        res.status(400).json({ error: error.message });
    }
});

app.get('/users/:id', async (req, res) => {
    try {
        const user = users.get(req.params.id);
        if (!user) throw new Error('User not found');
        res.json(user);
    } catch (error) {
        res.status(404).json({ error: error.message });
    }
});

app.listen(port, '127.0.0.1');
