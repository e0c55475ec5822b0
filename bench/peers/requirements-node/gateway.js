// The gateway of the requirements. node gateway.js PORT USER_SERVICE_URL ORDER_SERVICE_URL
import axios from 'axios';
import express from 'express';

const [port, userServiceUrl, orderServiceUrl] = process.argv.slice(2);
const app = express();
app.use(express.json());

app.post('/api/users', async (req, res) => {
    try {
        const response = await axios.post(`${userServiceUrl}/users`, req.body);
        res.status(response.status).json(response.data);
    } catch (error) {
        res.status(error.response?.status || 500).json(error.response?.data);
    }
});

app.get('/api/users/:id', async (req, res) => {
    try {
        const response = await axios.get(`${userServiceUrl}/users/${req.params.id}`);
        res.status(response.status).json(response.data);
    } catch (error) {
        res.status(error.response?.status || 500).json(error.response?.data);
    }
});

app.post('/api/orders', async (req, res) => {
    try {
        const response = await axios.post(`${orderServiceUrl}/orders`, req.body);
        res.status(response.status).json(response.data);
    } catch (error) {
        res.status(error.response?.status || 500).json(error.response?.data);
    }
});

app.get('/api/users/:id/dashboard', async (req, res) => {
    try {
        const userId = req.params.id;
        const [userResponse, ordersResponse] = await Promise.all([
            axios.get(`${userServiceUrl}/users/${userId}`),
            axios.get(`${orderServiceUrl}/orders?userId=${userId}`)
        ]);
        res.json({ user: userResponse.data, orders: ordersResponse.data });
    } catch (error) {
        res.status(500).json({ error: 'Failed to fetch dashboard' });
    }
});

app.listen(port, '127.0.0.1');
