"""Every endpoint of every service does what its /openapi.json says: generated requests, good and bad, get a declared
status, a declared code and an answer of the declared shape; never a 500.

FLOTILLA_SEED runs another seed than the first."""

import copy
import decimal
import http.client
import json
import os
import pathlib
import random
import string
import sys
import unittest
import urllib.parse

import jsonschema

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.append(str(TESTS / "e2e"))
import fleet  # noqa: E402

# What is made by the first is named by all others.
FIRST = ["user-service", "product-service", "order-service"]
SERVICES = [*FIRST, *(name for name in fleet.SERVICES if name not in FIRST)]
EVENT_STREAM = "text/event-stream"
REQUESTS = int(os.environ.get("FLOTILLA_REQUESTS", "120"))  # per endpoint
# What is refused unless it is right in a way that no schema says.
GIVEN = {"number": ["4242424242424242"], "expiry": ["12/49"], "cvc": ["123"], "paymentMethod": ["card_ok"], "amount": [5],
         "country": ["DE", "FR"]}
os.environ["FLOTILLA_SET_INITIAL_STOCK"] = "1000000"  # so that few orders fail for want of it
ODD_TEXTS = ["", " ", "0", "-1", "null", "Ω≈ç√", "\u0000", "a" * 5000, "'; drop table users; --", "<script>", "../..", "%00", "🦊",
             "\ud7ff", "1e999", "9" * 40]
BAD_BODIES = [b"", b"{", b"[]", b"null", b"1", b'"text"', b"{}{}", b"{} x", b"\xff\xfe", b'{"a":"\xc0\x80"}', b"[" * 5000,
              b'{"a":' * 300 + b"1" + b"}" * 300, b'{"a":01}', b"{'a':1}", b'{"a":NaN}', b"{\"a\":1,}", b"\xef\xbb\xbf{}"]


def exactly(text):
    """JSON with its numbers as they are written: 65.41 is a multiple of 0.01, its float is not."""
    return json.loads(text, parse_float=decimal.Decimal)


class Generator:
    """Values for JSON Schemas, and values that break them."""

    def __init__(self, rng, document):
        self.rng = rng
        self.schemas = document["components"]["schemas"]
        self.known = {}  # "userId" and the like: what to name so that something is found
        self.careful = False  # as a client that wants to succeed: names what exists, sends one of each

    def resolve(self, schema):
        while "$ref" in schema:
            schema = self.schemas[schema["$ref"].rsplit("/", 1)[1]]
        return schema

    def learn(self, name, value):
        """The newest stand last: those a client that wants to succeed goes on with."""
        values = self.known.setdefault(name, [])
        if isinstance(value, str):
            values[:] = [*(each for each in values if each != value), value][-20:]

    def text(self, schema):
        low, high = schema.get("minLength", 0), schema.get("maxLength", 60)
        size = self.rng.choice([low, high, self.rng.randint(low, min(high, low + 30))])
        alphabet = self.rng.choice([string.ascii_letters, string.printable, "äßΩ漢🦊\u200b\"\\/\x7f"])
        return "".join(self.rng.choice(alphabet) for _ in range(size))

    def time(self):
        """As RFC 3339 allows it, with at most nine digits of a fraction."""
        rng = self.rng
        second = rng.choice(["00", "07", "59"])
        fraction = rng.choice(["", ".5", ".123", ".123456", ".123456789", ".000000000"])
        offset = rng.choice(["Z", "z", "+00:00", "-00:00", "+05:30", "-23:59"])
        time = rng.choice([f"12:34:{second}{fraction}{offset}", "23:59:60Z"])
        return f"2{rng.randrange(1000):03}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}{rng.choice('Tt')}{time}"

    def number(self, schema, whole):
        low = schema.get("minimum", schema.get("exclusiveMinimum", -10**6))
        high = schema.get("maximum", schema.get("exclusiveMaximum", 10**6))
        ordinary = self.rng.randint(max(int(low), -10**6), min(int(high), 10**6))
        value = self.rng.choice([low, high, self.rng.randint(int(low), int(high)), ordinary, ordinary, ordinary])
        if whole:
            return int(value)
        return round(value + self.rng.random(), 2) if low < value < high - 1 else value

    def valid(self, schema, name=""):
        schema = self.resolve(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.rng.choice(schema["enum"])
        for choice in ("oneOf", "anyOf"):
            if choice in schema:
                return self.valid(self.rng.choice(schema[choice]), name)
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = self.rng.choice(kind)
        if kind == "object":
            return self.valid_object(schema, name)
        if kind == "array":
            low, high = schema.get("minItems", 0), min(schema.get("maxItems", 5), 5)
            size = max(low, 1) if self.careful else self.rng.randint(low, high)
            return [self.valid(schema["items"], name) for _ in range(size)]
        if kind == "string" and schema.get("format") == "date-time":
            return self.time()
        if kind == "string":
            if name in self.known and (self.careful or self.rng.random() < 0.8):
                return self.rng.choice(self.known[name][-4 if self.careful else 0:])
            if name == "email":
                return f"{self.rng.getrandbits(60):x}@example.com"
            return self.text(schema)
        if kind in ("integer", "number"):
            if self.careful and name in self.known:
                return self.rng.choice(self.known[name])
            return self.number(schema, kind == "integer")
        if kind == "boolean":
            return self.rng.random() < 0.5
        if kind == "null":
            return None
        raise AssertionError(f"no generator for {schema}")

    def valid_object(self, schema, name):
        value = {}
        for member, inner in schema.get("properties", {}).items():
            if member in schema.get("required", []) or self.rng.random() < (0.3 if self.careful else 0.6):
                value[member] = self.valid(inner, name if member == "id" else member)
        return value

    def of_another_type(self, schema, may_be_null):
        kinds = self.resolve(schema).get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        values = {"object": {"a": 1}, "array": [1], "string": "text", "integer": 7, "boolean": True, "null": None}
        return self.rng.choice([value for kind, value in values.items()
                                if kind not in kinds and not (kind == "integer" and "number" in kinds)
                                and not (kind == "null" and may_be_null)])

    def broken(self, schema):
        """A value that the schema does not allow, or None when none was found."""
        schema = self.resolve(schema)
        value = self.valid(schema)
        if schema.get("type") != "object" or self.rng.random() < 0.1:
            return self.broken_scalar(schema)
        where, parent = value, schema
        member = self.rng.choice(list(parent["properties"]))
        if member in parent.get("required", []) and self.rng.random() < 0.3:
            where.pop(member, None)
            return value
        required = member in parent.get("required", [])
        where[member] = self.broken_scalar(parent["properties"][member], may_be_null=not required)
        return value

    def broken_scalar(self, schema, may_be_null=False):
        """What may be left out may be null as well, although no document says so and no answer does."""
        schema = self.resolve(schema)
        ways = [lambda: self.of_another_type(schema, may_be_null)]
        if schema.get("minLength", 0) > 0:
            ways.append(lambda: "")
        if "maxLength" in schema:
            ways.append(lambda: "x" * (schema["maxLength"] + 1))
        if "minimum" in schema:
            ways.append(lambda: schema["minimum"] - 1)
        if "maximum" in schema:
            ways.append(lambda: schema["maximum"] + 1)
        if schema.get("type") == "integer":
            ways.append(lambda: 1.5)
            ways.append(lambda: 10**30)
        if "multipleOf" in schema:
            ways.append(lambda: float(schema["multipleOf"]) / 2)
        if schema.get("type") == "array" and "items" in schema:
            ways.append(lambda: [self.broken(schema["items"])])
        return self.rng.choice(ways)()


class Spelling:
    """JSON texts of a value as other programs write them: they denote the same, so they are accepted alike."""

    def __init__(self, rng):
        self.rng = rng

    def space(self):
        return "".join(self.rng.choice(" \t\n\r") for _ in range(self.rng.choice([0, 0, 0, 1, 3])))

    def number(self, value):
        digits = format(decimal.Decimal(repr(value)), "f")
        ways = [lambda: repr(value), lambda: digits, lambda: self.with_zeros(digits), lambda: digits + "e0",
                lambda: digits + self.rng.choice(["E+00", "e-0"]), lambda: self.shifted(digits)]
        if value == 0:
            ways += [lambda: "-0", lambda: "0e999999999", lambda: "-0.000E-7"]
        return self.rng.choice(ways)()

    def with_zeros(self, digits):
        return digits + ("" if "." in digits else ".") + "0" * self.rng.choice([1, 2, 30])

    def shifted(self, digits):
        """25 as 2500e-2 or 0.25e2."""
        places = self.rng.randint(-20, 20)
        mantissa = format(decimal.Decimal(digits).scaleb(-places, decimal.Context(prec=60)), "f")
        return f"{mantissa}{self.rng.choice('eE')}{places}"

    def string(self, text):
        written = ""
        for c in text:
            plain = json.dumps(c, ensure_ascii=False)[1:-1]
            written += self.rng.choice([plain, plain, json.dumps(c)[1:-1],
                                        f"\\u{ord(c):04X}" if ord(c) < 0x10000 else plain])
        return f'"{written}"'

    def value(self, value):
        if isinstance(value, dict):
            members = list(value.items())
            self.rng.shuffle(members)
            inner = ",".join(f"{self.space()}{self.string(k)}{self.space()}:{self.value(v)}" for k, v in members)
            text = "{" + inner + self.space() + "}"
        elif isinstance(value, list):
            text = "[" + ",".join(self.value(each) for each in value) + self.space() + "]"
        elif isinstance(value, str):
            text = self.string(value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            text = self.number(value)
        else:
            text = json.dumps(value)
        return self.space() + text + self.space()

    def parameter(self, value):
        """The text of a value in a path or query."""
        return self.number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


class Endpoint:
    def __init__(self, service, port, method, path, operation):
        self.service, self.port, self.method, self.path = service, port, method, path
        self.operation = operation
        self.seen = set()

    def parameters(self, place):
        return [p for p in self.operation.get("parameters", []) if p["in"] == place]

    def takes_key(self):
        return any(p["name"] == "Idempotency-Key" for p in self.parameters("header"))

    def body_schema(self):
        return self.operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")

    def turn(self):
        """Those that make something first, so that the others find it; those that end it last."""
        return (self.method != "post" or "{" in self.path, self.ends_something())

    def ends_something(self):
        return self.path.endswith("/cancel")

    def takes_more_than_names(self):
        """Names in the path are seldom refused by those who have something to say of everybody."""
        return bool(self.body_schema() or any(each["in"] == "query" for each in self.operation.get("parameters", [])))

    def is_event_stream(self):
        return EVENT_STREAM in self.operation["responses"].get("200", {}).get("content", {})

    def __str__(self):
        return f"{self.service} {self.method} {self.path}"


class Request:
    """A request to be sent; `valid` when its endpoint's description allows it."""

    def __init__(self, endpoint, generator):
        self.endpoint, self.valid = endpoint, True
        generator.careful = generator.rng.random() < 0.5
        self.path = {p["name"]: generator.valid(p["schema"], self.meaning(endpoint, p["name"])) or "x"
                     for p in endpoint.parameters("path")}
        spelling = Spelling(generator.rng)
        self.query = [(p["name"], spelling.parameter(generator.valid(p["schema"], p["name"])))
                      for p in endpoint.parameters("query")
                      if p["required"] or generator.rng.random() < 0.5]
        self.headers = {}
        for p in endpoint.parameters("header"):
            if p["required"] or generator.rng.random() < 0.3:
                self.headers[p["name"]] = self.field(generator.rng, p["name"])
        schema = endpoint.body_schema()
        self.body = None if schema is None else spelling.value(generator.valid(schema)).encode()

    @staticmethod
    def field(rng, name):
        """A key that nobody has used, or the tags of versions, some of which there are."""
        if name == "Idempotency-Key":
            return "".join(rng.choice(string.ascii_letters) for _ in range(12))
        tags = [f'"{rng.choice([1, 1, 2, 3, 9**9])}"', 'W/"1"', '"x"', '"1", "2", W/"3"']
        return rng.choice(["*", *tags])

    @staticmethod
    def meaning(endpoint, name):
        """What an {id} names: /orders/{id} an orderId."""
        return endpoint.path.split("/")[1].rstrip("s") + "Id" if name == "id" else name

    def target(self):
        target = self.endpoint.path
        for name, value in self.path.items():
            target = target.replace("{" + name + "}", urllib.parse.quote(str(value), safe=""))
        return target + ("?" + urllib.parse.urlencode(self.query) if self.query else "")

    def send(self):
        headers = dict(self.headers)
        if self.body is not None:
            headers.setdefault("content-type", "application/json")
        if self.endpoint.is_event_stream():
            return self.begin(headers)
        return fleet.call(self.endpoint.port, self.endpoint.method.upper(), self.target(), self.body, headers)

    def begin(self, headers):
        """The answer without the events of a stream, which has no end."""
        connection = http.client.HTTPConnection("127.0.0.1", self.endpoint.port, timeout=15)
        try:
            connection.request(self.endpoint.method.upper(), self.target(), headers=headers)
            answer = connection.getresponse()
            body = "" if answer.status == 200 else answer.read().decode()
            return fleet.Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, body)
        finally:
            connection.close()

    def __str__(self):
        return f"{self.endpoint.method.upper()} {self.target()[:300]} {self.headers} {(self.body or b'')[:600]!r}"


def spoil(request, generator):
    """Makes the request one that must be refused, in one of the ways its endpoint has."""
    rng, endpoint = generator.rng, request.endpoint
    ways = []
    schema = endpoint.body_schema()
    if schema is not None:
        ways += ["body", "body", "body", "bytes", "type"]
    typed = [p for p in endpoint.parameters("query") if p["schema"].get("type") != "string"]
    required = [p for p in endpoint.parameters("query") if p["required"]]
    ways += ["query"] * bool(typed) + ["missing"] * bool(required) + ["key"] * endpoint.takes_key()
    if not ways:
        return False
    way = rng.choice(ways)
    if way == "body":
        request.body = json.dumps(generator.broken(schema)).encode()
    elif way == "bytes":
        request.body = rng.choice(BAD_BODIES)
        if not request.body and not endpoint.operation["requestBody"]["required"]:
            return False
    elif way == "type":
        request.headers["content-type"] = rng.choice(["text/plain", "application/xml", "json", "multipart/form-data"])
    elif way == "query":
        parameter = rng.choice(typed)
        request.query = [(n, v) for n, v in request.query if n != parameter["name"]]
        request.query.append((parameter["name"], rng.choice(["x", "1.5", "1 2", "0x10", "9" * 30, "-" + "9" * 30])))
    elif way == "missing":
        request.query = [(n, v) for n, v in request.query if n != required[0]["name"]]
    elif way == "key":
        request.headers["Idempotency-Key"] = rng.choice(["", "k" * 256])
    request.valid = False
    return True


def unsettle(request, generator):
    """Changes that leave the request valid or not: whatever comes of it must be declared."""
    rng = generator.rng
    if request.path and rng.random() < 0.5:
        request.path[rng.choice(list(request.path))] = rng.choice(ODD_TEXTS) or "x"
    elif request.query and rng.random() < 0.7:
        at = rng.randrange(len(request.query))
        request.query[at] = (request.query[at][0], rng.choice(ODD_TEXTS))
    elif request.body is not None:
        cut = rng.randrange(len(request.body) + 1)
        request.body = request.body[:cut] + bytes([rng.randrange(256)]) + request.body[cut + rng.randrange(2):]
    request.valid = None


class Contracts(unittest.TestCase):
    def setUp(self):
        seed = int(os.environ.get("FLOTILLA_SEED", "1"))
        print(f"seed {seed}", flush=True)
        self.rng = random.Random(seed)

    def check(self, request, answer, document):
        about = f"{request}\n -> {answer}"
        responses = request.endpoint.operation["responses"]
        self.assertLess(answer.status, 500, about)
        declared = responses.get(str(answer.status))
        self.assertIsNotNone(declared, f"an undeclared status: {about}")
        if request.valid and answer.status == 400:
            self.assertNotIn(answer.json()["code"], ("invalid_request", "invalid_json"),
                             f"a request that the contract allows was refused: {about}")
        if request.valid is False:
            self.assertGreaterEqual(answer.status, 400, f"a bad request was accepted: {about}")
        content = declared.get("content")
        if not content:
            self.assertEqual(answer.body, "", about)
            return
        media_type = answer.headers["content-type"].split(";")[0]
        self.assertIn(media_type, content, about)
        if media_type == EVENT_STREAM:
            return
        value = exactly(answer.body)
        schema = {**content[media_type]["schema"], "components": document["components"]}
        jsonschema.validate(value, schema, cls=jsonschema.Draft202012Validator,
                            format_checker=jsonschema.FormatChecker())
        if media_type == "application/problem+json":
            self.assertEqual(value["status"], answer.status, about)
            self.assertIn(value["code"], content[media_type]["examples"], f"an undeclared code: {about}")

    def endpoints(self, shop):
        found = []
        for service in SERVICES:
            port = shop.port(service)
            document = exactly(fleet.call(port, "GET", "/openapi.json").body)
            generator = Generator(self.rng, document)
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    found.append((Endpoint(service, port, method, path, operation), generator, document))
        known = copy.deepcopy(GIVEN)
        for _, generator, _ in found:
            generator.known = known  # what one service has made, another one is asked for
        return found

    def learn(self, endpoint, generator, answer):
        if answer.status in (200, 201) and answer.body:
            found = answer.json()
            if isinstance(found, dict) and "id" not in found and "items" in found:
                found = found["items"]  # a page
            for value in (found if isinstance(found, list) else [found])[:3]:
                if isinstance(value, dict) and "id" in value:
                    generator.learn(Request.meaning(endpoint, "id"), value["id"])
                elif isinstance(value, dict) and value.get("orderId") in generator.known.get("orderId", []):
                    generator.learn("orderId", value["orderId"])  # something of an order that has its id
                if isinstance(value, dict) and "invoiceId" in value:
                    generator.learn("invoiceId", value["invoiceId"])

    def look_around(self, endpoints):
        """Learns what the lists show, so that requests can name it."""
        for endpoint, generator, _ in endpoints:
            if endpoint.method == "get" and not endpoint.parameters("path"):
                self.learn(endpoint, generator, Request(endpoint, generator).send())

    def test_every_endpoint_keeps_what_it_declares(self):
        with fleet.Fleet() as shop:
            endpoints = self.endpoints(shop)
            self.assertGreaterEqual(len(endpoints), 11)
            endpoints.sort(key=lambda each: each[0].turn())
            for turn in range(REQUESTS):
                for endpoint, generator, document in endpoints:
                    if endpoint.ends_something() and turn % 4 != 0:
                        continue  # else little gets further
                    request = Request(endpoint, generator)
                    if turn % 3 == 1 and not spoil(request, generator):
                        unsettle(request, generator)
                    if turn % 3 == 2:
                        unsettle(request, generator)
                    answer = request.send()
                    self.check(request, answer, document)
                    self.learn(endpoint, generator, answer)
                    endpoint.seen.add(answer.status)
            for endpoint, _, _ in endpoints:
                with self.subTest(endpoint=str(endpoint)):
                    self.assertTrue(endpoint.seen & {200, 201, 204}, f"never succeeded: {sorted(endpoint.seen)}")
                    if endpoint.takes_more_than_names():
                        self.assertTrue(any(status >= 400 for status in endpoint.seen), "was never refused")

    def test_repeated_key_repeats_the_answer(self):
        """What the documents say about Idempotency-Key, for every endpoint that takes one."""
        with fleet.Fleet() as shop:
            endpoints = self.endpoints(shop)
            endpoints.sort(key=lambda each: each[0].turn())
            for endpoint, generator, document in endpoints:
                if not endpoint.takes_key():
                    continue
                self.look_around(endpoints)
                successes = 0
                for attempt in range(300):
                    request = Request(endpoint, generator)
                    request.headers["Idempotency-Key"] = f"{endpoint.path}-{attempt}"
                    first = request.send()
                    self.check(request, first, document)
                    if first.status >= 400:
                        continue
                    self.learn(endpoint, generator, first)
                    again = copy.copy(request).send()
                    self.assertEqual((again.status, again.body), (first.status, first.body), str(request))
                    self.assertEqual(again.headers.get("idempotency-replayed"), "true", str(request))
                    successes += 1
                    if successes == 5:
                        break
                self.assertEqual(successes, 5, f"{endpoint} succeeded too seldom")


if __name__ == "__main__":
    fleet.main()
