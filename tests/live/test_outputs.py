"""Where events go: files are complete after each event, and what is slow or broken never holds up the stream."""

import csv
import http.server
import json
import sys
import threading
import time
from types import ModuleType, SimpleNamespace

import pytest

from motionhub.live import outputs
from motionhub.live.outputs import Csv, JsonLines, Sender, mqtt, webhook
from tests.helpers import error_of


EVENT = {"event": "alarm", "person": 1, "label": "fall, down", "probability": 0.9, "rule": "fall, down>0.5"}


def test_json_lines_are_complete_after_each_event_and_appended(tmp_path):
    for _ in range(2):
        output = JsonLines(tmp_path / "new" / "events.jsonl")
        output.write(EVENT)
        lines = (tmp_path / "new" / "events.jsonl").read_text().splitlines()
        assert json.loads(lines[-1]) == EVENT
        output.close()
    assert len(lines) == 2


def test_a_table_has_one_header_and_no_totals(tmp_path):
    for _ in range(2):
        output = Csv(tmp_path / "events.csv")
        output.write(EVENT)
        output.write({"event": "totals", "frames": 3})
        output.close()
    rows = list(csv.DictReader((tmp_path / "events.csv").open()))
    assert [(row["label"], row["probability"], row["start_s"]) for row in rows] == [("fall, down", "0.9", "")] * 2


class Handler(http.server.BaseHTTPRequestHandler):
    """Keeps what is posted; fails as often as the server says."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.server.answers.pop(0) if self.server.answers else 200
        if status == 200:
            self.server.posted.append(body)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.posted, made.answers = [], []
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()


def test_a_webhook_gets_every_event_in_order_and_is_tried_again(server):
    server.answers += [500, 302, 200]
    sender = webhook(f"http://127.0.0.1:{server.server_port}/hook", retries=(0.01, 0.01))
    for number in range(3):
        sender.write({**EVENT, "person": number})
    assert sender.close() == {"webhook sent": 3, "webhook failed": 0, "webhook given up": 0}
    assert [each["person"] for each in server.posted] == [0, 1, 2]


def test_a_webhook_that_is_not_there_holds_up_nothing(monkeypatch):
    sender = webhook("http://127.0.0.1:9/hook", timeout=0.2, retries=(0.05,))
    begun = time.monotonic()
    for _ in range(1000):
        sender.write(EVENT)
    assert time.monotonic() - begun < 1.0
    counts = sender.close(patience=0.3)
    assert counts["webhook sent"] == 0 and time.monotonic() - begun < 3.0
    assert counts["webhook given up"] >= 1000 - outputs.QUEUED - 20


def test_what_waits_too_long_gives_way_to_what_is_new():
    gate, sent = threading.Event(), []

    def send(message):
        gate.wait(5)
        sent.append(message["person"])

    sender = Sender("slow", send)
    for number in range(outputs.QUEUED + 50):
        sender.write({"person": number})
    gate.set()
    counts = sender.close()
    assert sent[-1] == outputs.QUEUED + 49 and counts["slow given up"] + counts["slow sent"] == outputs.QUEUED + 50
    assert counts["slow given up"] >= 49


def test_only_addresses_of_the_web_are_taken():
    for url in ("ftp://host/x", "file:///etc/passwd", "host/x", "http://"):
        assert error_of(webhook, url).startswith("webhook: expected")
    for url in ("http://host/topic", "mqtt://host", "mqtt:///topic"):
        assert error_of(mqtt, url).startswith("mqtt: expected")


def test_mqtt_publishes_to_the_topic_and_connects_again_after_a_failure(monkeypatch):
    class Client:
        made = None

        def __init__(self, version):
            Client.made = self
            self.connected, self.published, self.failures = [], [], 1

        def username_pw_set(self, *who):
            self.who = who

        def connect(self, host, port):
            if self.failures:
                self.failures -= 1
                raise ConnectionRefusedError
            self.connected.append((host, port))

        def loop_start(self):
            pass

        def publish(self, topic, payload, qos):
            self.published.append((topic, json.loads(payload), qos))
            return SimpleNamespace(wait_for_publish=lambda timeout: None, is_published=lambda: True)

    module = ModuleType("paho.mqtt.client")
    module.Client, module.CallbackAPIVersion = Client, SimpleNamespace(VERSION2=2)
    packages = {"paho": ModuleType("paho"), "paho.mqtt": ModuleType("paho.mqtt"), "paho.mqtt.client": module}
    packages["paho"].mqtt, packages["paho.mqtt"].client = packages["paho.mqtt"], module
    for name, each in packages.items():
        monkeypatch.setitem(sys.modules, name, each)
    sender = mqtt("mqtt://me:secret@broker:1884/home/kitchen", retries=(0.01,))
    sender.write(EVENT)
    assert sender.close()["mqtt sent"] == 1
    client = Client.made
    assert client.connected == [("broker", 1884)] and client.who == ("me", "secret")
    assert client.published == [("home/kitchen", EVENT, 1)]
    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(ImportError, match=r"motionhub\[mqtt\]"):
        mqtt("mqtt://broker/home")
