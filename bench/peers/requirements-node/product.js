// The product service that the requirements' order service asks: in memory. node product.js PORT
import express from 'express';

const [port] = process.argv.slice(2);
const products = new Map([['p-0001', { id: 'p-0001', name: 'Lamp', price: 19.99, inStock: true }]]);

const app = express();
app.use(express.json());
app.get('/products/:id', async (req, res) => {
    const product = products.get(req.params.id);
    if (product) res.json(product);
    else res.status(404).json({ error: 'Product not found' });
});
app.listen(port, '127.0.0.1');
