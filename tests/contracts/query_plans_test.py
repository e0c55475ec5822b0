#!/usr/bin/env python3
"""No statement's cost grows with what is kept: the query plan of every SQL statement of framework and services.

The statements are read from the sources, so that one that no test runs is looked at as well; what the compiler writes
from tables and queries is what the programs tell of at a start (`--log-level debug`), by file and line. The databases
are those that the programs make. Nobody runs ANALYZE: SQLite plans without statistics, here as there.

A statement may look rows up by a whole unique key. What it does otherwise (a scan, a range, a sort) stands below with
its plan, index names included, and the reason why that does not grow.
"""

import json
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "e2e"))
import fleet as f  # noqa: E402

STATEMENT = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|REPLACE INTO|WITH) \S")
PIECE = re.compile(r"(?:^|\s)(FROM|WHERE|ORDER BY|GROUP BY|LIMIT|VALUES|SET|JOIN|UNION|ON CONFLICT)\s+\S")
TOKEN = re.compile(r"""//[^\n]*|/\*.*?\*/|R"(?P<d>\w*)\(.*?\)(?P=d)"|'(?:[^'\\\n]|\\.)'|"(?:[^"\\\n]|\\.)*\"""", re.DOTALL)
# Where a statement is handed on: the functions that take one, and what they may be given.
CALL = re.compile(r"(?:\.|->)(?:execute|(?:find|select)<[^()]*>)\(\s*(?:context,\s*)?(?P<sql>[^,()]*)")
# A table, query or statement as constant data (store/table.hpp), without its text.
DECLARED = re.compile(r"\b(?P<kind>Table|Query|Statement)<[^;{}()]*>\s+(?P<name>\w+)\s*\{")
# Where the compiler writes statements: what it writes is seen in the programs' lists.
WRITER = "framework/flotilla/store/table.hpp"
POINT = re.compile(r"SEARCH \S+ USING (?:(?:COVERING )?INDEX (?P<index>\S+)|INTEGER PRIMARY KEY) \((?P<terms>[^)]*)\)")
STRUCTURE = re.compile(r"(CORRELATED )?SCALAR SUBQUERY \d+$|LIST SUBQUERY \d+$|CO-ROUTINE \S+$")

FIRST = "the first entries of an index, or one of its ends: as many as its LIMIT says"
BATCH = "what it changes: a number of rows that the caller bounds"
SMALL = "a table with a row per kind, partition or migration of the program"
START = "once at a start: it reads what waits, or what ran"

# The beginning of a statement: what its plan has beside look-ups by a whole key, and why that does not grow.
EXPECTED = {
    # Jobs: only those that wait are in the indexes that are walked.
    "SELECT id, kind, payload, traceparent, attempts + 1": (
        ["SEARCH flotilla_jobs USING INDEX flotilla_jobs_waiting (kind=?)"], FIRST),
    "SELECT kind, queued, parked, (SELECT min(due_at)": (
        ["SCAN counts", "SEARCH flotilla_jobs USING INDEX flotilla_jobs_waiting (kind=?)",
         "SEARCH flotilla_jobs USING INDEX flotilla_jobs_parked (kind=?)"], SMALL + "; " + FIRST),
    "SELECT kind, key, coalesce(last_error, '') AS reason": (
        ["SEARCH flotilla_jobs USING INDEX flotilla_jobs_parked (kind=?)"], FIRST),
    "SELECT enqueued_at FROM flotilla_jobs": (["SCAN flotilla_jobs USING INDEX flotilla_jobs_retried"], FIRST),
    "DELETE FROM flotilla_jobs WHERE id IN": (
        ["SEARCH flotilla_jobs USING INDEX flotilla_jobs_finished_at (finished_at<?)"], FIRST),
    "UPDATE flotilla_jobs SET state = 'parked'": (
        ["SEARCH flotilla_jobs USING INDEX flotilla_jobs_running (epoch<?)"], START),
    "UPDATE flotilla_jobs SET state = 'queued'": (
        ["SEARCH flotilla_jobs USING INDEX flotilla_jobs_running (epoch<?)"], START),
    "DELETE FROM flotilla_job_counts": (["DELETE ALL"], SMALL),
    "INSERT INTO flotilla_job_counts (kind, queued, parked) SELECT kind, count(*), 0": (
        ["SCAN flotilla_jobs USING INDEX flotilla_jobs_waiting"], START),
    "INSERT INTO flotilla_job_counts (kind, queued, parked) SELECT kind, 0, count(*)": (
        ["SCAN flotilla_jobs USING INDEX flotilla_jobs_parked"], START),
    # Outbox: rows without a number wait, rows with one are found by it.
    "UPDATE flotilla_outbox SET published_at": (
        ["SEARCH flotilla_outbox USING INDEX flotilla_outbox_sequence (topic=? AND partition=? AND sequence>? AND "
         "sequence<?)"], BATCH),
    "SELECT position, event_id, topic, partition, key, 0 AS sequence": (
        ["SCAN flotilla_outbox USING INDEX flotilla_outbox_unsequenced"], FIRST),
    "SELECT position, event_id, topic, partition, key, sequence": (
        ["SEARCH flotilla_outbox USING INDEX flotilla_outbox_sequence (topic=? AND partition=? AND sequence>? AND "
         "sequence<?)"], FIRST),
    "SELECT topic, partition, next_sequence, published_sequence FROM flotilla_outbox_partitions": (
        ["SCAN flotilla_outbox_partitions"], SMALL),
    "SELECT count(*) AS rows, coalesce(max(position), 0) AS last": (
        ["SEARCH flotilla_outbox USING INDEX flotilla_outbox_unsequenced (position>?)", "SCAN arrived",
         "SCAN flotilla_outbox USING INDEX flotilla_outbox_unsequenced"],
        "each row that waits is counted once, and once more at a start"),
    "DELETE FROM flotilla_outbox WHERE position IN (SELECT": (
        ["SCAN flotilla_outbox", "SCAN oldest"], FIRST + ", in the order of the table"),
    # Inbox
    "SELECT coalesce(min(sequence), 0) - 1 FROM flotilla_parked": (
        ["SEARCH flotilla_parked USING COVERING INDEX flotilla_parked_place (consumer=? AND topic=? AND partition=? AND "
         "producer=? AND sequence<?)"], FIRST),
    "SELECT id FROM flotilla_parked WHERE consumer = $1 AND topic = $2 AND key = $3 LIMIT 1": (
        ["SEARCH flotilla_parked USING INDEX flotilla_parked_key (consumer=? AND topic=? AND key=?)"], FIRST),
    "SELECT id, key, message FROM flotilla_parked": (
        ["SEARCH flotilla_parked USING INDEX flotilla_parked_place (consumer=? AND topic=? AND partition=?)"], FIRST),
    "SELECT parked_at FROM flotilla_parked": (
        ["SEARCH flotilla_parked USING COVERING INDEX flotilla_parked_since (consumer=? AND topic=? AND partition=?)"],
        FIRST),
    "SELECT count(*) FROM (SELECT 1 FROM flotilla_parked": (
        ["SEARCH flotilla_parked USING COVERING INDEX flotilla_parked_place (consumer=? AND topic=? AND partition=? AND "
         "producer=?)", "SCAN some"], FIRST),
    # Event store: streams by version, all events by position, from where a reader is.
    "SELECT position, stream, version, type, schema_version, message_id, occurred_at, traceparent, payload FROM "
    "flotilla_events WHERE stream": (
        ["SEARCH flotilla_events USING INDEX flotilla_events_stream (stream=? AND version>?)"], FIRST),
    "SELECT position, stream, version, type, schema_version, message_id, occurred_at, traceparent, payload FROM "
    "flotilla_events WHERE position": (
        ["SEARCH flotilla_events USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"], FIRST),
    "SELECT version, position FROM flotilla_events WHERE stream = $1 ORDER BY": (
        ["SEARCH flotilla_events USING COVERING INDEX flotilla_events_stream (stream=?)"], FIRST),
    "SELECT version, position FROM flotilla_events WHERE stream = $1 AND message_id": (
        ["SEARCH flotilla_events USING COVERING INDEX flotilla_events_message (stream=? AND message_id=?)"], FIRST),
    "SELECT coalesce(max(position), 0) FROM flotilla_events": (["SEARCH flotilla_events"], FIRST),
    "SELECT occurred_at FROM flotilla_events": (
        ["SEARCH flotilla_events USING INTEGER PRIMARY KEY (rowid>?)"], FIRST),
    # Recorded responses
    "DELETE FROM flotilla_idempotency WHERE (endpoint, caller, key) IN": (
        ["SEARCH flotilla_idempotency USING INDEX flotilla_idempotency_recorded_at (recorded_at<?)"], FIRST),
    # Migrations
    "SELECT version, name, checksum FROM flotilla_migrations": (
        ["SEARCH flotilla_migrations USING INDEX sqlite_autoindex_flotilla_migrations_1 (component=?)"], SMALL),
    "SELECT coalesce(max(version), 0) FROM flotilla_migrations": (
        ["SEARCH flotilla_migrations USING COVERING INDEX sqlite_autoindex_flotilla_migrations_1 (component=?)"], SMALL),
    # The file itself
    "SELECT count(*) FROM sqlite_schema": (["SCAN sqlite_master"], SMALL),
    "SELECT quick_check FROM pragma_quick_check": (
        ["SCAN pragma_quick_check VIRTUAL TABLE INDEX 0:"], "once at a start, and ended after a second"),
    # Sagas: only what is in flight is in the indexes of what is due and what is stuck.
    "SELECT id, due_at FROM flotilla_sagas": (
        ["SEARCH flotilla_sagas USING COVERING INDEX flotilla_sagas_due (due_at>?)"], FIRST),
    "UPDATE flotilla_sagas SET due_at = $2, attempt": (
        ["SEARCH flotilla_sagas USING INDEX flotilla_sagas_due (due_at>?)"], START),
    "UPDATE flotilla_sagas SET due_at = $2, uncertain": (
        ["SEARCH flotilla_sagas USING INDEX flotilla_sagas_due (due_at>?)"], "once at an end: it reads what is in flight"),
    "SELECT number, at, event, step, detail FROM flotilla_saga_history": (
        ["SEARCH flotilla_saga_history USING INDEX sqlite_autoindex_flotilla_saga_history_1 (saga=?)"],
        "one saga's history, at most 1,000"),
    "INSERT INTO flotilla_saga_history": (
        ["SEARCH flotilla_saga_history USING COVERING INDEX sqlite_autoindex_flotilla_saga_history_1 (saga=?)"], FIRST),
    "SELECT definition, running, compensating, parked FROM flotilla_saga_counts": (
        ["SCAN flotilla_saga_counts"], SMALL),
    "SELECT coalesce(max(id), '') FROM (SELECT id FROM flotilla_sagas": (
        ["SEARCH flotilla_sagas USING COVERING INDEX flotilla_sagas_status (status=? AND definition=? AND id>?)",
         "SEARCH page"], FIRST),
    "UPDATE flotilla_sagas SET asked = $5": (
        ["SEARCH flotilla_sagas USING INDEX flotilla_sagas_status (status=? AND definition=? AND id>? AND id<?)"], BATCH),
    "SELECT id, definition, definition_version, state, status, direction, step, steps, attempt, waits, uncertain, "
    "past_pivot, asked, asked_reason, reason, started_at, progressed_at, due_at, deadline, stuck_at, finished_at, "
    "in_hand, row_version, traceparent FROM flotilla_sagas WHERE status = $1": (
        ["SEARCH flotilla_sagas USING INDEX flotilla_sagas_status (status=? AND definition=? AND id>?)"], FIRST),
    "SELECT id, definition, definition_version, state, status, direction, step, steps, attempt, waits, uncertain, "
    "past_pivot, asked, asked_reason, reason, started_at, progressed_at, due_at, deadline, stuck_at, finished_at, "
    "in_hand, row_version, traceparent FROM flotilla_sagas WHERE stuck_at": (
        ["SEARCH flotilla_sagas USING INDEX flotilla_sagas_stuck ((stuck_at,id)>(?,?) AND stuck_at<?)"], FIRST),
    "SELECT count(*) FROM (SELECT 1 FROM flotilla_sagas": (
        ["SEARCH flotilla_sagas USING COVERING INDEX flotilla_sagas_stuck (stuck_at<?)", "SCAN some"], FIRST),
    "DELETE FROM flotilla_saga_history": (
        ["SEARCH flotilla_saga_history USING INDEX sqlite_autoindex_flotilla_saga_history_1 (saga=?)",
         "SEARCH flotilla_sagas USING INDEX flotilla_sagas_finished (finished_at<?)"], BATCH),
    "DELETE FROM flotilla_sagas": (
        ["SEARCH flotilla_sagas USING INDEX flotilla_sagas_finished (finished_at<?)"], FIRST),
    "DELETE FROM flotilla_saga_replies WHERE (saga, step, undo) IN": (
        ["SEARCH flotilla_saga_replies USING INDEX flotilla_saga_replies_received (received_at<?)"], FIRST),
    # Lists of the services
    "INSERT INTO notifications (id, user_id, kind, state, created_at, order_id, reason, number)": (
        ["SEARCH notifications USING COVERING INDEX notifications_by_number (user_id=?)"], FIRST),
    "SELECT coalesce(max(number), 0) FROM notifications": (
        ["SEARCH notifications USING COVERING INDEX notifications_by_number (user_id=?)"], FIRST),
    "SELECT id, user_id, kind, state, created_at, sent_at, order_id, reason, number FROM notifications WHERE user_id": (
        ["SEARCH notifications USING INDEX notifications_by_number (user_id=? AND number>?)"], FIRST),
    "SELECT id, user_id, kind, state, created_at, sent_at, order_id, reason, number FROM (SELECT * FROM notifications": (
        ["SEARCH notifications USING INDEX notifications_by_user (user_id=?)", "SCAN newest",
         "USE TEMP B-TREE FOR ORDER BY"], FIRST + "; 1,000 are put in order"),
    "SELECT id, user_id, items, total, status, progress, reason, created_at FROM (SELECT * FROM order_list_1": (
        ["SEARCH order_list_1 USING INDEX order_list_1_by_user (user_id=?)", "SCAN newest", "USE TEMP B-TREE FOR ORDER BY"],
        FIRST + "; 1,000 are put in order"),
    "SELECT id, user_id, items, total, status, created_at FROM orders WHERE id >": (
        ["SEARCH orders USING INDEX sqlite_autoindex_orders_1 (id>?)"], "once, to give old orders their history; " + BATCH),
    "SELECT account, debits, credits FROM ledger_accounts": (
        ["SCAN ledger_accounts USING INDEX sqlite_autoindex_ledger_accounts_1"], "six accounts"),
    "SELECT coalesce(max(id), '0') AS last FROM invoices": (
        ["SEARCH invoices USING COVERING INDEX sqlite_autoindex_invoices_1"], FIRST),
    "SELECT id, kind, order_id, user_id, corrects, lines, total, issued_at FROM invoices WHERE user_id": (
        ["SEARCH invoices USING INDEX invoices_by_user (user_id=? AND id>?)"], FIRST),
    "SELECT key, payment, operation, amount, asked, made, refused FROM sandbox_effects WHERE payment": (
        ["SEARCH sandbox_effects USING INDEX sandbox_effects_by_payment (payment=?)"], "what was done to one payment"),
    "SELECT id, email, email_identity, name, created_at, bio FROM users WHERE id >": (
        ["SEARCH users USING INDEX sqlite_autoindex_users_1 (id>?)"], "once, to fold old addresses; " + BATCH),
    "SELECT id, name, price, in_stock FROM products WHERE id >": (
        ["SEARCH products USING INDEX sqlite_autoindex_products_1 (id>?)"], FIRST),
    "SELECT id, user_id, text, created_at FROM posts WHERE user_id = $1": (
        ["SEARCH posts USING INDEX posts_by_user (user_id=? AND id<?)"], FIRST),
    "SELECT id, post_id, user_id, text, created_at FROM comments WHERE post_id = $1": (
        ["SEARCH comments USING INDEX comments_by_post (post_id=? AND id>?)"], FIRST),
    "DELETE FROM comments WHERE id IN": (
        ["SEARCH comments USING COVERING INDEX comments_by_post (post_id=?)"], FIRST),
    "SELECT word, id, name, price, in_stock FROM product_words JOIN products": (
        ["SEARCH product_words USING COVERING INDEX sqlite_autoindex_product_words_1 ((word,product_id)>(?,?) AND "
         "word<?)"], FIRST),
    # Stock and reservations: only those that are held, or over, are in the indexes that are walked.
    "SELECT product_id, available, reserved FROM stock WHERE product_id >": (
        ["SEARCH stock USING INDEX sqlite_autoindex_stock_1 (product_id>?)"], FIRST),
    "SELECT order_id, items, state, created_at, expires_at, finished_at, version FROM reservations WHERE expires_at": (
        ["SEARCH reservations USING INDEX reservations_held (expires_at<?)"], FIRST),
    "SELECT expires_at FROM reservations": (
        ["SEARCH reservations USING COVERING INDEX reservations_held (expires_at>?)"], FIRST),
    "DELETE FROM reservations WHERE order_id IN": (
        ["SEARCH reservations USING INDEX reservations_finished (finished_at<?)"], FIRST),
}


def text_of(literal):
    return literal[1:-1].replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")


def literals(source):
    """(line, text, before, after) of each string literal, adjacent ones as one; before and after are the code around."""
    found = []
    for token in TOKEN.finditer(source):
        if not token[0].startswith('"'):
            continue
        if found and not code_between(source, found[-1][1], token.start()):
            found[-1] = (found[-1][0], token.end(), found[-1][2] + text_of(token[0]))
        else:
            found.append((token.start(), token.end(), text_of(token[0])))
    for start, end, text in found:
        yield source.count("\n", 0, start) + 1, text, source[:start].rstrip()[-1:], source[end:].lstrip()[:1]


def code_between(source, start, end):
    return TOKEN.sub("", source[start:end]).strip()


def sources(folder):
    for file in sorted((f.SOURCE / folder).rglob("*.?pp")):
        parts = file.relative_to(f.SOURCE).parts
        if file.name.endswith("_test.cpp") or file.name.startswith("test_") or {"tests", "conformance"} & set(parts):
            continue
        if "/".join(parts) == WRITER:
            continue
        yield file


def declared(folder):
    """(file, first line, last line, kind, name) of each table, query and statement below a folder."""
    for file in sources(folder):
        source = file.read_text()
        code = TOKEN.sub(lambda token: re.sub(r"[^\n]", " ", token[0]), source)
        for match in DECLARED.finditer(code):
            end = code.find(";", match.end())
            yield (str(file.relative_to(f.SOURCE)), code.count("\n", 0, match.start()) + 1,
                   code.count("\n", 0, end) + 1, match["kind"], match["name"])


def statements(folder):
    """(place, text) of each SQL statement below a folder, and what could hide one."""
    found, hidden = [], []
    known = list(declared(folder))
    names = {name for _, _, _, _, name in known}
    for file in sources(folder):
        source = file.read_text()
        queries = [(first, last) for path, first, last, kind, _ in known
                   if kind == "Query" and path == str(file.relative_to(f.SOURCE))]
        for line, text, before, after in literals(source):
            place = f"{file.relative_to(f.SOURCE)}:{line}"
            if text.startswith("FROM ") and any(first <= line <= last for first, last in queries):
                if not folder.startswith("framework"):
                    continue  # the program tells what the compiler makes of it
            if STATEMENT.match(text):
                if "+" in (before, after) or "{}" in text:
                    hidden.append(f"{place}: a statement put together from pieces; write it whole")
                found.append((place, " ".join(text.split())))
            elif PIECE.search(text) and not text.startswith("PRAGMA "):
                hidden.append(f"{place}: a piece of SQL; write the statement whole: {text}")
        for call in CALL.finditer(TOKEN.sub(lambda token: '""' if token[0].startswith('"') else " ", source)):
            sql = call["sql"].strip()
            if sql.rpartition("::")[2] in names:
                continue
            if sql and sql != "sql" and not sql.startswith('"') and not re.fullmatch(r"k[A-Z]\w*", sql):
                hidden.append(f"{file.relative_to(f.SOURCE)}: {call[0]}...: a statement that is neither a literal nor a "
                              "constant cannot be looked at")
    return found, hidden


def plan_of(database, sql):
    parameters = [None] * max([0, *(int(number) for number in re.findall(r"\$(\d+)", sql))])
    sql = re.sub(r"\$(\d+)", r"?\1", sql)
    if re.fullmatch(r"DELETE FROM \w+", sql):
        return ["DELETE ALL"]  # SQLite has no plan for it
    try:
        return [row[3] for row in database.execute("EXPLAIN QUERY PLAN " + sql, parameters)]
    except sqlite3.Error as error:
        return [f"none: {error}"]


def is_point(database, step):
    """Whether a step of a plan looks rows up by all columns of a unique key."""
    point = POINT.fullmatch(step)
    if not point:
        return False
    terms = point["terms"].split(" AND ")
    if not all(term.endswith("=?") for term in terms):
        return False
    if point["index"] is None:
        return True
    columns = database.execute("SELECT count(*) FROM pragma_index_info(?)", [point["index"]]).fetchone()[0]
    unique = database.execute("SELECT i.\"unique\" FROM pragma_table_list AS t, pragma_index_list(t.name) AS i "
                              "WHERE i.name = ?", [point["index"]]).fetchone()
    return bool(unique and unique[0]) and len(terms) == columns


def make_database(name, folder):
    """The database of a service as its program makes it, and (file, line, text) of the statements it tells of."""
    log = pathlib.Path(folder, "log")
    with log.open("w") as output:
        service = subprocess.Popen([f.PROGRAMS / f"{name}-service", "--port", "0", "--data", folder, "--registry",
                                    "none", "--bus", "redis://127.0.0.1:1", "--log-format", "json",
                                    "--log-level", "debug"],
                                   stdout=output, stderr=subprocess.STDOUT)
    try:
        f.eventually(lambda: '"message":"ready"' in log.read_text() or service.poll() is not None, what=f"{name} is ready")
    finally:
        service.send_signal(signal.SIGTERM)
        if service.wait(timeout=20) != 0:
            raise AssertionError(log.read_text())
    told = [json.loads(line) for line in log.read_text().splitlines() if '"message":"statement"' in line]
    return (sqlite3.connect(pathlib.Path(folder, f"{name}-service.db")),
            [(each["file"], each["line"], each["sql"]) for each in told])


class QueryPlans(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="flotilla-plans-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.databases, cls.told = {}, {}
        for service in sorted(path.parent.name for path in (f.SOURCE / "services").glob("*/migrations")):
            folder = pathlib.Path(cls.folder.name, service)
            folder.mkdir()
            cls.databases[service], cls.told[service] = make_database(service, folder)
            cls.addClassCleanup(cls.databases[service].close)
        cls.framework = cls.databases["order"]  # it has every table of the framework: of events, of sagas

    def each(self):
        """(database, place, statement) of every statement, on the database that it runs on."""
        for place, sql in statements("framework/flotilla")[0]:
            yield self.framework, place, sql
        for service, database in self.databases.items():
            for place, sql in statements(f"services/{service}")[0]:
                yield database, place, sql
            for file, line, sql in self.told[service]:
                yield database, f"{file}:{line}", sql

    # Goal: no statement scans or sorts what grows; what it does instead of a look-up by key is written down.
    def test_every_statement_is_bounded(self):
        faults, used = [], set()
        for database, place, sql in self.each():
            steps = [step for step in plan_of(database, sql)
                     if not STRUCTURE.fullmatch(step) and not is_point(database, step)]
            known = [start for start in EXPECTED if sql.startswith(start)]
            used.update(known)
            expected = EXPECTED[max(known, key=len)][0] if known else []
            if steps != expected:
                faults.append(f"{place}: {sql}\n      plan: {steps}\n  expected: {expected}")
        self.assertEqual([], faults, "\n" + "\n".join(faults))
        self.assertEqual(set(), EXPECTED.keys() - used, "expected of statements that are not there any more")

    # Goal: nothing hides from this test: statements are written whole, in one place, where it finds them.
    def test_statements_are_whole(self):
        hidden = [each for folder in ("framework/flotilla", "services") for each in statements(folder)[1]]
        self.assertEqual([], hidden, "\n" + "\n".join(hidden))

    # Goal: what a service declares it also lists, so that it is prepared at the start; the framework lists nothing.
    def test_declared_statements_are_listed(self):
        forgotten = [f"{file}:{first}: {kind} {name} is written by the compiler, and nobody tells what: write it whole"
                     for file, first, _, kind, name in declared("framework/flotilla") if kind == "Table"]
        for service, told in self.told.items():
            for file, first, last, kind, name in declared(f"services/{service}"):
                if not any(path.endswith(file) and first <= line <= last for path, line, _ in told):
                    forgotten.append(f"{file}:{first}: {kind} {name} is not among what {service} gives host.database()")
        self.assertEqual([], forgotten, "\n" + "\n".join(forgotten))
        self.assertGreater(sum(len(told) for told in self.told.values()), 15)

    # Goal: the reading of the sources finds what there is.
    def test_known_statements_are_found(self):
        texts = [sql for _, _, sql in self.each()]
        self.assertGreater(len(texts), 40)
        for table in ("flotilla_jobs", "flotilla_outbox", "flotilla_inbox", "flotilla_parked", "flotilla_idempotency",
                      "flotilla_events", "flotilla_checkpoints", "users", "order_list_1", "products", "notifications"):
            for verb in ("INSERT INTO ", "FROM "):
                self.assertTrue(any(verb + table in sql for sql in texts), verb + table)

    # Goal: the check itself tells a scan, a sort and a weak index from a look-up.
    def test_bad_statements_are_noticed(self):
        database = self.databases["notification"]
        for sql in ("SELECT id FROM notifications WHERE state = $1", "SELECT count(*) FROM flotilla_jobs",
                    "SELECT id FROM flotilla_jobs WHERE kind = $1 ORDER BY finished_at LIMIT 1"):
            self.assertFalse(all(is_point(database, step) for step in plan_of(database, sql)), sql)
        self.assertTrue(all(is_point(database, step) for step in
                            plan_of(database, "SELECT state FROM flotilla_jobs WHERE kind = $1 AND key = $2")))


if __name__ == "__main__":
    f.main()
