"""Services of others, as people write them: no headers, no confirms, automatic acknowledgement.

  peers.py publish EXCHANGE TYPE DURABLE KEY COUNT BODY…   sends each body so often; {n} in it is a number of its own
  peers.py listen EXCHANGE TYPE DURABLE KEY COUNT          prints so many bodies, a line each
  peers.py work QUEUE COUNT                                the same from a queue that others declare
  peers.py serve EXCHANGE TYPE DURABLE KEY QUEUE COUNT     the same from a queue of its own that stays
  peers.py put QUEUE BODY                                  sends a body into a queue
"""

import os
import sys

import pika

CONNECTION = pika.BlockingConnection(pika.URLParameters(os.environ["BROKER_URL"]))
CHANNEL = CONNECTION.channel()


def declare(exchange, kind, durable):
    CHANNEL.exchange_declare(exchange=exchange, exchange_type=kind, durable=durable == "true")


def take(queue, count):
    left = [int(count)]

    def on_message(_channel, _method, _properties, body):
        print(body.decode(), flush=True)
        left[0] -= 1
        if left[0] == 0:
            CHANNEL.stop_consuming()

    CHANNEL.basic_consume(queue=queue, on_message_callback=on_message, auto_ack=True)
    print("ready", flush=True)
    CHANNEL.start_consuming()


def publish(exchange, kind, durable, key, count, *bodies):
    declare(exchange, kind, durable)
    for number in range(int(count)):
        for body in bodies:
            body = body.replace("{n}", str(number))
            CHANNEL.basic_publish(exchange=exchange, routing_key=key, body=body.encode())


def listen(exchange, kind, durable, key, count):
    declare(exchange, kind, durable)
    queue = CHANNEL.queue_declare(queue="", exclusive=True).method.queue
    CHANNEL.queue_bind(exchange=exchange, queue=queue, routing_key=key)
    take(queue, count)


def work(queue, count):
    CHANNEL.queue_declare(queue=queue, durable=True)
    take(queue, count)


def serve(exchange, kind, durable, key, queue, count):
    declare(exchange, kind, durable)
    CHANNEL.queue_declare(queue=queue, durable=True)
    CHANNEL.queue_bind(exchange=exchange, queue=queue, routing_key=key)
    take(queue, count)


def put(queue, body):
    CHANNEL.queue_declare(queue=queue, durable=True)
    CHANNEL.basic_publish(exchange="", routing_key=queue, body=body.encode())


{"publish": publish, "listen": listen, "work": work, "serve": serve, "put": put}[sys.argv[1]](*sys.argv[2:])
CONNECTION.close()
