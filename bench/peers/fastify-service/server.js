// The peer of bench/service in Fastify: the same answer, with the response schema Fastify is fast with.
import Fastify from "fastify";

const item = {
  type: "object",
  properties: {
    id: { type: "string" },
    name: { type: "string" },
    quantity: { type: "integer" },
    inStock: { type: "boolean" },
  },
};

const app = Fastify({ logger: false, keepAliveTimeout: 0 });
app.get("/items/:id", { schema: { response: { 200: item } } }, async (request) => ({
  id: request.params.id,
  name: "Mechanical keyboard",
  quantity: 42,
  inStock: true,
}));
process.on("SIGTERM", () => process.exit(0));
await app.listen({ host: "127.0.0.1", port: Number(process.argv[2]) });
