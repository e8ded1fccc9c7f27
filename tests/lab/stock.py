"""An operator with stock tools only: paho-mqtt and mosquitto_rr, from docs/protocol.md alone."""
import json
import queue
import secrets
import time

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from . import tools

TOP = 'kedge/v1/default'
REPEAT_S = 2


class Refused(Exception):
    def __init__(self, error):
        super().__init__(f'{error["code"]}: {error["message"]}')
        self.code, self.message, self.field = error['code'], error['message'], error.get('field')


class Operator:
    """paho-mqtt on the site: with Response Topic and Correlation Data."""

    def __init__(self, site, name='grace'):
        self.name = name
        self.replies = queue.Queue()
        self.seen = queue.Queue()  # (topic, payload, retained) of what watch() asked for
        self.client = paho.Client(client_id=f'{name}/{secrets.token_hex(4)}', protocol=paho.MQTTv5)
        self.client.on_message = self._on_message
        self.inbox = f'{TOP}/reply/{name}/{secrets.token_hex(4)}'
        with site.network():
            self.client.connect(site.broker.host, site.broker.port)
        self.client.loop_start()
        self._subscribe(self.inbox)

    def _subscribe(self, topic):
        done = queue.Queue()
        self.client.on_subscribe = lambda *_: done.put(True)
        self.client.subscribe(topic, qos=1)
        done.get(timeout=tools.LIMIT_S)

    def _on_message(self, _client, _userdata, message):
        if message.topic == self.inbox:
            self.replies.put((getattr(message.properties, 'CorrelationData', None), message.payload))
        else:
            self.seen.put((message.topic, message.payload, message.retain))

    def watch(self, topic):
        self._subscribe(topic)

    def next_seen(self, limit_s=tools.LIMIT_S):
        topic, payload, _ = self.seen.get(timeout=limit_s)
        return topic, json.loads(payload) if payload else None

    def send(self, kind, verb, body, correlation=None):
        """Publishes only; returns the Correlation Data."""
        correlation = correlation or secrets.token_bytes(8)
        properties = Properties(PacketTypes.PUBLISH)
        properties.ResponseTopic, properties.CorrelationData = self.inbox, correlation
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.client.publish(f'{TOP}/request/{self.name}/{kind}/{verb}', data, qos=1, properties=properties)
        return correlation

    def reply(self, correlation, limit_s=tools.LIMIT_S):
        while True:
            told, payload = self.replies.get(timeout=limit_s)
            if told == correlation:
                return json.loads(payload)

    def ask(self, kind, verb, **body):
        """The result of a request; a refusal is raised. Repeated while nobody answers: a coordinator may be starting."""
        until = time.monotonic() + tools.LIMIT_S
        while True:
            try:
                reply = self.reply(self.send(kind, verb, body), REPEAT_S)
                break
            except queue.Empty:
                if time.monotonic() > until:
                    raise tools.Failure(f'no reply to {kind}/{verb}') from None
        if not reply['ok']:
            raise Refused(reply['error'])
        return reply['result']

    def change(self, kind, verb, **body):
        return self.ask(kind, verb, id=secrets.token_hex(8), **body)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def mosquitto_rr(site, kind, verb, body, name='linus'):
    """mosquitto_rr sends no Correlation Data; the reply comes to its Response Topic."""
    done = site.command('mosquitto_rr', '-V', '5', '-h', site.broker.host, '-p', site.broker.port, '-q', '1', '-W', tools.LIMIT_S,
                        '-t', f'{TOP}/request/{name}/{kind}/{verb}', '-e', f'{TOP}/reply/{name}/{secrets.token_hex(4)}',
                        '-m', json.dumps(body))
    return json.loads(done.stdout)
