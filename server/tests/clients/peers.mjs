// Services of others, as people write them: no headers, no confirms, automatic acknowledgement.
//
//   peers.mjs publish EXCHANGE TYPE DURABLE KEY COUNT BODY…   sends each body so often; {n} in it is a number of its own
//   peers.mjs listen EXCHANGE TYPE DURABLE KEY COUNT          prints so many bodies, a line each
//   peers.mjs work QUEUE COUNT                                the same from a queue that others declare
//
// On Redis, by a URL that may end in `?prefix=…`:
//
//   peers.mjs say EVENT PLACES BODY…        publishes each body; PLACES is `stream`, `channel` or `both`
//   peers.mjs subscribe EVENT COUNT         prints so many bodies of a channel
//   peers.mjs group EVENT GROUP NAME COUNT  prints so many bodies of a stream as a worker of a group

import amqp from "amqplib";
import { createClient } from "redis";

const URL_OF_BROKER = new URL(process.env.BROKER_URL);
const PREFIX = URL_OF_BROKER.searchParams.get("prefix") ?? "";
URL_OF_BROKER.search = "";

// An empty path names no vhost to this client; `%2f` would be the one that RabbitMQ begins with.
const connectToRabbit = () => amqp.connect(URL_OF_BROKER.href);
const connectToRedis = () => createClient({ url: URL_OF_BROKER.href }).connect();

const take = async (channel, queue, count) => {
  let left = Number(count);
  await new Promise((resolve) => {
    channel.consume(
      queue,
      (message) => {
        console.log(message.content.toString());
        if (--left === 0) resolve();
      },
      { noAck: true },
    ).then(() => console.log("ready"));
  });
};

const rabbit = (work) => async (...words) => {
  const connection = await connectToRabbit();
  const channel = await connection.createChannel();
  await work(channel, ...words);
  await channel.close();
  await connection.close();
};

const redis = (work) => async (...words) => {
  const client = await connectToRedis();
  await work(client, ...words);
  client.destroy();
};

const commands = {
  publish: rabbit(async (channel, exchange, type, durable, key, count, ...bodies) => {
    await channel.assertExchange(exchange, type, { durable: durable === "true" });
    for (let number = 0; number < Number(count); number++) {
      for (const body of bodies) channel.publish(exchange, key, Buffer.from(body.replaceAll("{n}", number)));
    }
  }),
  listen: rabbit(async (channel, exchange, type, durable, key, count) => {
    await channel.assertExchange(exchange, type, { durable: durable === "true" });
    const { queue } = await channel.assertQueue("", { exclusive: true });
    await channel.bindQueue(queue, exchange, key);
    await take(channel, queue, count);
  }),
  work: rabbit(async (channel, queue, count) => {
    await channel.assertQueue(queue, { durable: true });
    await take(channel, queue, count);
  }),
  say: redis(async (client, event, places, ...bodies) => {
    for (const body of bodies) {
      if (places !== "stream") await client.publish(`${PREFIX}events:${event}`, body);
      if (places !== "channel") await client.xAdd(`${PREFIX}stream:${event}`, "*", { data: body });
    }
  }),
  subscribe: redis(async (client, event, count) => {
    let left = Number(count);
    await new Promise((resolve) => {
      client.subscribe(`${PREFIX}events:${event}`, (body) => {
        console.log(body);
        if (--left === 0) resolve();
      }).then(() => console.log("ready"));
    });
  }),
  group: redis(async (client, event, group, name, count) => {
    const key = `${PREFIX}stream:${event}`;
    // There already, where another worker made it.
    await client.xGroupCreate(key, group, "$", { MKSTREAM: true }).catch(() => {});
    console.log("ready");
    for (let left = Number(count); left > 0; ) {
      const read = await client.xReadGroup(group, name, { key, id: ">" }, { COUNT: 1, BLOCK: 1000 });
      for (const { id, message } of read?.[0]?.messages ?? []) {
        console.log(message.data);
        await client.xAck(key, group, id);
        left--;
      }
    }
  }),
};

await commands[process.argv[2]](...process.argv.slice(3));
process.exit(0);
