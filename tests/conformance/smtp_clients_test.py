#!/usr/bin/env python3
"""Python's smtplib and curl against the mail catcher; what they sent is read back from the hub."""

import email.header
import email.message
import email.policy
import smtplib
import subprocess
import urllib.parse
import urllib.request
import uuid

import servers


class SmtpClients(servers.OnServer):
    def setUp(self):
        self.name = self.id().rsplit(".", 1)[-1].replace("_", "-")
        self.address = f"{self.name}@example.com"

    def connect(self):
        client = smtplib.SMTP("127.0.0.1", self.server.ports["smtp"], timeout=20)
        self.addCleanup(client.close)
        return client

    def message(self, subject, text):
        message = email.message.EmailMessage()
        message["From"], message["To"], message["Subject"] = "shop@example.com", self.address, subject
        # 72 characters: Python folds it onto a line of its own.
        message["Message-ID"] = f"<{uuid.uuid4().hex:.<58}@example.com>"
        message.set_content(text)
        return message

    def mails(self):
        answer = servers.call(self.server.ports["http"], "GET", f"/mail/messages?to={urllib.parse.quote(self.address)}")
        self.assertEqual(200, answer.status, answer)
        return answer.json()

    def mail(self):
        [summary] = self.mails()
        return servers.call(self.server.ports["http"], "GET", f"/mail/messages/{summary['id']}").json()

    # Goal: a mail with an encoded subject, a folded Message-ID, dots at the start of lines and an attachment is caught whole and readable.
    def test_message_is_read_back(self):
        message = self.message("Grüße aus Zürich ✓", "Guten Tag\n.\n..two dots\nEnde\n")
        message.add_attachment(bytes(range(256)), maintype="application", subtype="octet-stream", filename="all.bin")
        with self.connect() as client:
            self.assertEqual({}, client.send_message(message))
        mail = self.mail()
        self.assertEqual(("Grüße aus Zürich ✓", "shop@example.com", [self.address], "Guten Tag\n.\n..two dots\nEnde\n"),
                         (mail["subject"], mail["from"], mail["to"], mail["text"]))
        self.assertEqual(message["Message-ID"], f"<{mail['messageId']}>")
        self.assertIn("Message-ID:\r\n <", mail["raw"].replace("Message-ID: \r\n", "Message-ID:\r\n"))
        read = email.message_from_string(mail["raw"], policy=email.policy.default)
        [attachment] = read.iter_attachments()
        self.assertEqual((bytes(range(256)), "all.bin"), (attachment.get_content(), attachment.get_filename()))

    # Goal: 8-bit mail and addresses beyond ASCII (SMTPUTF8) pass as they are.
    def test_international_address_is_kept(self):
        self.address = "jürgen@example.com"
        message = self.message("hello", "grüße\n")
        with self.connect() as client:
            client.ehlo()
            self.assertTrue(client.has_extn("smtputf8") and client.has_extn("8bitmime"))
            client.send_message(message, mail_options=("SMTPUTF8", "BODY=8BITMIME"))
        self.assertEqual(["jürgen@example.com"], self.mail()["to"])

    # Goal: one connection carries several mails; every recipient of the envelope is kept, copies in the dark included.
    def test_one_connection_carries_several_mails(self):
        with self.connect() as client:
            for number in range(20):
                client.send_message(self.message(f"number {number}", "text\n"), to_addrs=[self.address, "dark@example.com"])
        mails = self.mails()
        self.assertEqual([f"number {n}" for n in range(20)], [mail["subject"] for mail in mails])
        self.assertEqual([self.address, "dark@example.com"], mails[0]["to"])

    # Goal: a mail sent again with the same Message-ID is one mail, received twice.
    def test_repeated_message_is_one_mail(self):
        message = self.message("once", "text\n")
        for _ in range(2):
            with self.connect() as client:
                client.send_message(message)
        self.assertEqual([2], [mail["received"] for mail in self.mails()])

    # Goal: a mail beyond the announced size is refused before its bytes travel, and the connection lives on.
    def test_oversized_message_is_refused(self):
        with self.connect() as client:
            client.ehlo()
            limit = int(client.esmtp_features["size"])
            with self.assertRaises(smtplib.SMTPSenderRefused) as refused:
                client.sendmail("shop@example.com", [self.address], b"x" * (limit + 1))
            self.assertEqual(552, refused.exception.smtp_code)
            client.send_message(self.message("small", "text\n"))
        self.assertEqual(["small"], [mail["subject"] for mail in self.mails()])

    # Goal: a mail of megabytes is caught whole.
    def test_large_message_is_caught(self):
        text = "0123456789" * 7 + "\n"
        with self.connect() as client:
            client.send_message(self.message("large", text * 60_000))
        self.assertEqual(text * 60_000, self.mail()["text"])

    # Goal: wrong orders and commands are refused as RFC 5321 says, without harm to what follows.
    def test_wrong_commands_are_refused(self):
        with self.connect() as client:
            self.assertEqual(503, client.docmd("MAIL", "FROM:<a@example.com>")[0])
            client.ehlo()
            self.assertEqual(503, client.rcpt(self.address)[0])
            self.assertEqual(250, client.mail("a@example.com")[0])
            self.assertEqual(501, client.docmd("RCPT", "TO:nonsense")[0])
            self.assertIn(client.docmd("DATA")[0], (503, 554))
            self.assertEqual(500, client.docmd("NONSENSE")[0])
            self.assertEqual(250, client.rset()[0])
            self.assertEqual(252, client.verify(self.address)[0])
            with self.assertRaises(smtplib.SMTPNotSupportedError):
                client.starttls()
            client.send_message(self.message("after all", "text\n"))
        self.assertEqual(["after all"], [mail["subject"] for mail in self.mails()])

    # Goal: a client that insists on AUTH sends, in either way, with whatever password; curl does, too.
    def test_any_password_authenticates(self):
        for method in ("auth_plain", "auth_login"):
            with self.connect() as client:
                client.ehlo()
                self.assertEqual("PLAIN LOGIN", client.esmtp_features["auth"].strip())
                client.user, client.password = "ada", "whatever"
                self.assertEqual(235, client.auth(method.split("_")[1].upper(), getattr(client, method))[0])
                client.send_message(self.message(method, "text\n"))
        done = subprocess.run(["curl", "--silent", "--show-error", "--fail", "--url",
                               f"smtp://127.0.0.1:{self.server.ports['smtp']}", "--user", "ada:secret", "--login-options",
                               "AUTH=LOGIN", "--mail-from", "shop@example.com", "--mail-rcpt", self.address, "--upload-file", "-"],
                              input="Subject: curl\r\n\r\nHello\r\n", capture_output=True, text=True, timeout=30)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertEqual(["auth_plain", "auth_login", "curl"], [mail["subject"] for mail in self.mails()])

    # Goal: quoted names and address literals are addresses, as RFC 5321 has them.
    def test_every_kind_of_address_is_taken(self):
        for address in ('"odd user"@example.com', "ada@[127.0.0.1]", "ada@[IPv6:::1]", "Postmaster"):
            with self.connect() as client:
                client.ehlo()
                client.mail("shop@example.com")
                self.assertEqual(250, client.docmd("RCPT", f"TO:<{address}>")[0], address)
                client.data("Subject: x\r\n\r\nx\r\n")
            answer = servers.call(self.server.ports["http"], "GET", f"/mail/messages?to={urllib.parse.quote(address)}")
            self.assertEqual([[address]], [mail["to"] for mail in answer.json()])

    # Goal: mails in the character sets of old are read, and come back byte by byte.
    def test_old_character_sets_are_read(self):
        for charset, text in (("windows-1252", "für 5 € “so”"), ("iso-8859-15", "für 5 €"), ("koi8-r", "Привет"),
                              ("shift_jis", "日本語")):
            with self.subTest(charset=charset):
                subject = email.header.Header(text, charset).encode()
                content = (f"From: shop@example.com\r\nSubject: {subject}\r\nContent-Type: text/plain; charset={charset}\r\n"
                           f"Content-Transfer-Encoding: 8bit\r\n\r\n").encode() + text.encode(charset) + b"\r\n"
                self.address = f"{charset}@example.com"
                with self.connect() as client:
                    client.sendmail("shop@example.com", [self.address], content)
                mail = self.mail()
                self.assertEqual((text, text + "\n"), (mail["subject"], mail["text"]))
                port = self.server.ports["http"]
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/mail/messages/{mail['id']}/raw") as raw:
                    self.assertEqual((content, "message/rfc822"), (raw.read(), raw.headers["Content-Type"]))

    # Goal: a repeat may have another Date; another mail with a known Message-ID is kept.
    def test_other_mail_with_a_known_id_is_kept(self):
        message = self.message("once", "text\n")
        other = self.message("another", "text\n")
        other.replace_header("Message-ID", message["Message-ID"])
        for date in ("Thu, 01 Jan 2026 00:00:00 +0000", "Thu, 01 Jan 2026 00:00:09 +0000"):
            del message["Date"]
            message["Date"] = date
            with self.connect() as client:
                client.send_message(message)
        with self.connect() as client:
            client.send_message(other)
        self.assertEqual([("once", 2), ("another", 1)], [(mail["subject"], mail["received"]) for mail in self.mails()])

    # Goal: curl sends a mail, its lines ended either way in the file.
    def test_curl_sends_a_mail(self):
        text = f"From: Shop <shop@example.com>\r\nTo: {self.address}\r\nSubject: by curl\r\n\r\n.\r\nHello\r\n"
        done = subprocess.run(["curl", "--silent", "--show-error", "--fail", "--url",
                               f"smtp://127.0.0.1:{self.server.ports['smtp']}/client.example.com",
                               "--mail-from", "shop@example.com", "--mail-rcpt", self.address,
                               "--mail-rcpt", "dark@example.com", "--upload-file", "-"],
                              input=text, capture_output=True, text=True, timeout=30)
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        mail = self.mail()
        self.assertEqual(("by curl", "Shop <shop@example.com>", [self.address, "dark@example.com"], ".\nHello\n"),
                         (mail["subject"], mail["from"], mail["to"], mail["text"]))


if __name__ == "__main__":
    servers.main()
