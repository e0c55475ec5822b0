#!/usr/bin/env python3
"""The architecture check finds what it must: a check that cannot fail is worth nothing."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import check_includes  # noqa: E402


class Verdicts(unittest.TestCase):
    def refused(self, file, included):
        self.assertIsNotNone(check_includes.verdict(file, included), f"{file} may include {included}")

    def allowed(self, file, included):
        self.assertIsNone(check_includes.verdict(file, included))

    # Goal: right uses left, never the other way, never a neighbour in the same row.
    def test_layers(self):
        self.allowed("framework/flotilla/http/server.cpp", "flotilla/aio/world.hpp")
        self.refused("framework/flotilla/aio/loop.cpp", "flotilla/http/server.hpp")
        self.refused("framework/flotilla/store/database.hpp", "flotilla/discovery/registry.hpp")
        self.refused("framework/flotilla/service/host.hpp", "flotilla/testing/test_service.hpp")
        self.refused("framework/flotilla/service/host.hpp", "services/order/api/order.hpp")

    # Goal: services meet only through api/.
    def test_services(self):
        self.allowed("services/order/order.cpp", "services/user/api/user.hpp")
        self.refused("services/order/order.cpp", "services/user/storage/users.hpp")
        self.refused("services/order/order.cpp", "services/user/user.hpp")
        self.refused("services/order/api/order.hpp", "services/user/api/user.hpp")

    # Goal: rules are free of I/O.
    def test_domain(self):
        self.allowed("services/order/domain/order_rules.hpp", "services/order/api/order.hpp")
        self.allowed("services/order/domain/order_rules.hpp", "flotilla/base/money.hpp")
        self.refused("services/order/domain/order_rules.cpp", "flotilla/store/database.hpp")
        self.refused("services/order/domain/order_rules.cpp", "services/order/storage/orders.hpp")

    # Goal: gateway and hub know no service and not each other; Asio stays out, testing stays where it belongs.
    def test_programs(self):
        self.refused("gateway/core/proxy.cpp", "services/user/api/user.hpp")
        self.refused("gateway/core/proxy.cpp", "hub/hub.hpp")
        self.refused("gateway/core/proxy.cpp", "gateway/plugins/cors/cors.hpp")
        self.refused("hub/redis/server.cpp", "boost/asio/io_context.hpp")
        self.refused("hub/hub.cpp", "flotilla/testing/test_service.hpp")
        self.allowed("hub/hub_test.cpp", "flotilla/testing/test_service.hpp")
        self.refused("framework/flotilla/aio/loop.cpp", "boost/asio/io_context.hpp")

    # Goal: a forbidden include in a real tree is reported with its line.
    def test_tree(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            file = root / "framework/flotilla/base/broken.hpp"
            file.parent.mkdir(parents=True)
            file.write_text("#pragma once\n\n#include <flotilla/http/server.hpp>\n")
            found = check_includes.check(root)
            self.assertEqual([("framework/flotilla/base/broken.hpp", 3)], [entry[:2] for entry in found])


if __name__ == "__main__":
    unittest.main()
