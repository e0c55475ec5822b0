#!/usr/bin/env python3
"""An order from the outside to the mail, through the gateway, and what is left after a restart."""

import http.client
import json
import time
import unittest

import fleet as f


class WalkingShop(unittest.TestCase):
    # Goal: the whole story, in the API's JSON and status codes; after down and up all of it is there.
    def test_order_from_user_to_mail(self):
        with f.Fleet() as fleet:
            made = fleet.post("/api/users", {"email": "ada@example.com", "name": "Ada"})
            self.assertEqual(201, made.status, made)
            user = made.json()
            self.assertEqual({"id", "email", "name", "createdAt"}, set(user))
            self.assertRegex(user["createdAt"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            again = fleet.post("/api/users", {"email": "ada@example.com", "name": "Ada"})
            self.assertEqual((400, "User already exists"), (again.status, again.json()["error"]))

            prices = [fleet.get(f"/api/products/p-000{n}").json()["price"] for n in (1, 7)]
            placed = fleet.post("/api/orders", {"userId": user["id"], "items": [
                {"productId": "p-0001", "quantity": 2, "price": 0.01}, {"productId": "p-0007", "quantity": 1}]})
            self.assertEqual(201, placed.status, placed)
            order = placed.json()
            self.assertEqual("PENDING", order["status"])
            self.assertAlmostEqual(2 * prices[0] + prices[1], order["total"], places=2)

            for body, message in (
                    ({"userId": "123", "items": [{"productId": "p-0001", "quantity": 1}]}, "User not found"),
                    ({"userId": user["id"], "items": [{"productId": "x", "quantity": 1}]}, "Product x not found"),
                    ({"userId": user["id"], "items": [{"productId": "p-0050", "quantity": 1}]},
                     "Product p-0050 out of stock")):
                refused = fleet.post("/api/orders", body)
                self.assertEqual((400, message), (refused.status, refused.json()["error"]), refused)
                self.assertEqual("application/problem+json", refused.headers["content-type"])

            confirmed = fleet.post(f"/api/orders/{order['id']}/confirm")
            self.assertEqual((200, "CONFIRMED"), (confirmed.status, confirmed.json()["status"]), confirmed)

            def expect_everything():
                dashboard = fleet.get(f"/api/users/{user['id']}/dashboard")
                self.assertEqual(200, dashboard.status, dashboard)
                self.assertEqual(user, dashboard.json()["user"])
                self.assertEqual([{**order, "status": "CONFIRMED", "progress": "CONFIRMED"}], dashboard.json()["orders"])
                mails = f.eventually(lambda: two_mails(fleet), what="two mails")
                self.assertEqual(["ada@example.com"] * 2, [address for m in mails for address in m["to"]])
                subjects = sorted(m["subject"] for m in mails)
                self.assertEqual(["Welcome aboard", f"Your order {order['id']} is confirmed"], subjects)

            expect_everything()
            fleet.down()
            self.assertEqual([], fleet.status()["members"])
            self.assertTrue(all(f.is_free(fleet.port(name)) for name in f.PORTS), "something still listens after down")
            fleet.up()
            expect_everything()
            self.assertEqual(400, fleet.post("/api/users", {"email": "ada@example.com", "name": "Ada"}).status)

    # Goal: the other public paths lead to the same services.
    def test_paths_without_api(self):
        with f.Fleet() as fleet:
            user = fleet.post("/users", {"email": "b@example.com", "name": "B"})
            self.assertEqual(201, user.status, user)
            self.assertEqual(user.body, fleet.get(f"/users/{user.json()['id']}").body)
            self.assertEqual(user.body, fleet.get(f"/api/v1/users/{user.json()['id']}").body)
            missing = fleet.get("/users/123")
            self.assertEqual((404, "User not found"), (missing.status, missing.json()["error"]))
            # A problem names the path that was asked for, not the one inside, whoever makes it.
            for path in ("/api/users/123", "/api/v1/users/123", "/users/123", "/api/users/123/dashboard", "/api/users/"):
                problem = fleet.get(path)
                self.assertEqual((404, path), (problem.status, problem.json()["instance"]), problem)
            self.assertEqual("[]", fleet.get(f"/orders?userId={user.json()['id']}").body)
            self.assertEqual(404, fleet.get("/nothing/here").status)
            self.assertEqual(404, fleet.get("/api/users/123/dashboard").status)

    # Goal: what users write and say about it, with their posts in one answer; what goes takes with it what belongs to it.
    def test_posts_and_comments(self):
        with f.Fleet() as fleet:
            user = fleet.post("/api/users", {"email": "ada@example.com", "name": "Ada"}).json()
            posts = [fleet.post("/api/v1/posts", {"userId": user["id"], "text": text}).json() for text in ("one", "two")]
            shown = fleet.get(f"/api/users/{user['id']}/posts")
            self.assertEqual((200, {"user": user, "posts": {"items": posts[::-1]}}), (shown.status, shown.json()))
            self.assertEqual(404, fleet.get("/api/users/123/posts").status)
            said = fleet.post("/api/comments", {"postId": posts[0]["id"], "userId": user["id"], "text": "Aye"})
            self.assertEqual(201, said.status, said)
            self.assertEqual([said.json()], fleet.get(f"/comments?postId={posts[0]['id']}").json()["items"])
            gone = f.call(fleet.port("gateway"), "DELETE", f"/api/posts/{posts[0]['id']}")
            self.assertEqual(204, gone.status, gone)
            f.eventually(lambda: fleet.get(f"/api/comments/{said.json()['id']}").status == 404, what="the comment goes")
            late = fleet.post("/api/comments", {"postId": posts[0]["id"], "userId": user["id"], "text": "Aye"})
            self.assertEqual((400, "Post not found"), (late.status, late.json()["error"]))

    # Goal: through the gateway as well nobody undoes what somebody else did, or gets what they have already.
    def test_versions_pass_the_gateway(self):
        with f.Fleet() as fleet:
            gateway = fleet.port("gateway")
            path = "/api/users/" + fleet.new_user()["id"]
            read = fleet.get(path)
            etag = read.headers["etag"]
            known = f.call(gateway, "GET", path, headers={"If-None-Match": etag})
            self.assertEqual((304, "", etag), (known.status, known.body, known.headers["etag"]))
            changes = [f.call(gateway, "PATCH", path, {"name": name}, {"If-Match": etag, "Idempotency-Key": name})
                       for name in ("first", "second", "first")]
            self.assertEqual([200, 412, 200], [change.status for change in changes], changes)
            self.assertEqual("true", changes[2].headers["idempotency-replayed"])
            self.assertEqual("first", fleet.get(path).json()["name"])
            self.assertEqual(200, f.call(gateway, "GET", path, headers={"If-None-Match": etag}).status)
    # Goal: a user follows through the gateway what becomes of an order, also after the connection was lost; a stream keeps
    # nobody from stopping; what is asked for beside the events makes no second mail.
    def test_user_follows_an_order(self):
        with f.Fleet() as fleet:
            user = fleet.new_user()
            follower = Follower(fleet, user["id"])
            order = fleet.post("/api/orders", {"userId": user["id"], "items": [{"productId": "p-0001", "quantity": 1}]}).json()
            early = fleet.post(f"/api/orders/{order['id']}/confirmation")
            self.assertEqual((409, "order_not_confirmed"), (early.status, early.json()["code"]))
            fleet.post(f"/api/orders/{order['id']}/confirm")
            told = follower.until("ORDER_CONFIRMED")
            self.assertEqual(order["id"], told["orderId"])
            follower.close()
            fleet.post(f"/api/orders/{order['id']}/confirmation")

            def mails():
                found = fleet.mails(user["email"])
                return found if len(found) >= 2 else None

            self.assertEqual(["Welcome aboard", f"Your order {order['id']} is confirmed"],
                             sorted(m["subject"] for m in f.eventually(mails, what="two mails")))

            again = Follower(fleet, user["id"], last_id=told["number"] - 1)
            self.assertEqual(told["id"], again.until("ORDER_CONFIRMED")["id"])
            begin = time.monotonic()
            fleet.down()
            self.assertLess(time.monotonic() - begin, 8, "the stream was waited for")
            self.assertTrue(again.ends_whole())

    # Goal: shipping answers at its public paths, and no others.
    def test_shipping_from_outside(self):
        with f.Fleet() as fleet:
            quote = fleet.post("/api/quotes", {"items": [{"productId": "p-0001", "quantity": 3}], "address": {"country": "FR"}})
            self.assertEqual((200, {"price": 11.1, "days": 4}), (quote.status, quote.json()))
            self.assertEqual(404, fleet.get("/api/shipments/none").status)
            self.assertEqual(404, fleet.post("/api/shipments", {}).status)
            made = f.call(fleet.port("shipping-service"), "POST", "/shipments",
                          {"orderId": "o-1", "userId": "u-1", "items": [{"productId": "p-0001", "quantity": 1}]})
            self.assertEqual(201, made.status, made)
            self.assertEqual(made.body, fleet.get("/api/shipments/o-1").body)

    # Goal: every product has stock, a reservation takes it, and the catalogue follows.
    def test_catalogue_follows_the_stock(self):
        with f.Fleet() as fleet:
            f.eventually(lambda: fleet.get("/api/stock/p-1000").status == 200, what="the last product has stock")
            self.assertEqual([100, 0], [fleet.get(f"/api/stock/{p}").json()["available"] for p in ("p-0001", "p-0050")])
            wanted = [{"productId": "p-0001", "quantity": 60}, {"productId": "p-0001", "quantity": 40}]
            self.assertTrue(fleet.post("/api/inventory/check", wanted).json()["available"])

            def reservations(path, body=None):
                answer = f.call(fleet.port("inventory-service"), "POST", f"/reservations{path}", body)
                self.assertLess(answer.status, 300, answer)

            def shows(in_stock):
                f.eventually(lambda: fleet.get("/api/products/p-0001").json()["inStock"] == in_stock, what="the catalogue knows")

            reservations("", {"orderId": "o-1", "items": wanted})
            shows(False)
            self.assertFalse(fleet.post("/api/inventory/check", {"items": wanted}).json()["available"])
            reservations("/o-1/release")
            shows(True)

            made = fleet.post("/api/products", {"name": "Jade Sea Chest", "price": 99}).json()
            f.eventually(lambda: fleet.get(f"/api/stock/{made['id']}").status == 200, what="a new product has stock")
            found = fleet.get("/api/products?query=jad+chest").json()["items"]
            self.assertEqual([made["id"]], [product["id"] for product in found])

    # Goal: one trace id runs through gateway, services, event and mail job.
    def test_trace_is_carried_through(self):
        with f.Fleet() as fleet:
            trace = "4bf92f3577b34da6a3ce929d0e0e4736"
            answer = fleet.post("/api/users", {"email": "t@example.com", "name": "T"},
                                {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
            self.assertEqual(201, answer.status)
            entry = f.eventually(lambda: read_stream(fleet, "user.created"), what="the event on the bus")
            self.assertIn(trace, entry)


class Follower:
    """What a user is told, live."""

    def __init__(self, fleet, user, last_id=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", fleet.port("gateway"), timeout=20)
        headers = {} if last_id is None else {"last-event-id": str(last_id)}
        self.connection.request("GET", f"/api/notifications/stream?userId={user}", headers=headers)
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.read()

    def until(self, kind):
        while line := self.answer.readline().decode():
            if line.startswith("data: ") and (told := json.loads(line[6:]))["kind"] == kind:
                return told
        raise AssertionError("the stream has ended")

    def ends_whole(self):
        """Whether nothing is missing at the end: a body that breaks off raises."""
        self.answer.read()
        self.close()
        return True

    def close(self):
        self.answer.close()
        self.connection.close()


def two_mails(fleet):
    mails = fleet.mails()
    return mails if len(mails) == 2 else None


def read_stream(fleet, topic):
    import subprocess
    keys = subprocess.run(["redis-cli", "-p", str(fleet.port("bus")), "KEYS", f"*{topic}*"], capture_output=True, text=True)
    for key in keys.stdout.split():
        entries = subprocess.run(["redis-cli", "-p", str(fleet.port("bus")), "XRANGE", key, "-", "+"],
                                 capture_output=True, text=True).stdout
        if entries.strip() and "WRONGTYPE" not in entries:
            return entries
    return None


if __name__ == "__main__":
    f.main()
