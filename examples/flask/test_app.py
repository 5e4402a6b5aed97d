"""The app with a real sign-in: `python -m unittest` starts vestibule on a free port, with a database that is thrown away."""

import os
import re
import subprocess
import tempfile
import threading
import unittest

import requests

VESTIBULE = os.environ.get("VESTIBULE", "vestibule")


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        database = ["--database", f"{folder.name}/test.db"]
        command = [VESTIBULE, "serve", "--listen", "127.0.0.1:0", *database]
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        cls.addClassCleanup(server.stderr.close)
        cls.addClassCleanup(server.wait)
        cls.addClassCleanup(server.terminate)
        found = filter(None, (re.search(r"ev=listening .*url=(\S+)", line) for line in server.stderr))
        os.environ.update(AUTH=next(found)[1], DEVELOP="yes")
        threading.Thread(target=server.stderr.read, daemon=True).start()  # a log that is not read would stop the server
        from app import AUTH, app  # which read the environment

        subprocess.run([VESTIBULE, "user", "add", "anna", "--groups", "admin", *database], check=True,
                       input="correct horse battery\n", text=True, stdout=subprocess.DEVNULL)
        with requests.Session() as browser:
            browser.trust_env = False
            account = {"username": "anna", "password": "correct horse battery"}
            browser.post(f"{AUTH}/login", data=account, allow_redirects=False)
            cls.cookie = browser.cookies["auth_session"]
        cls.app = app

    def setUp(self):
        self.client = self.app.test_client()

    def sign_in(self):
        self.client.set_cookie("auth_session", self.cookie)

    def test_a_stranger_is_offered_a_link(self):
        self.assertIn("/login?next=", self.client.get("/?q=a").text)

    def test_a_page_knows_who_is_there(self):
        self.sign_in()
        self.assertIn("Hello anna", self.client.get("/").text)
        self.assertEqual(self.client.get("/admin").text, "Hello administrator anna")

    def test_a_form_comes_from_a_page_of_the_app(self):
        self.sign_in()
        self.assertEqual(self.client.post("/private").status_code, 403)
        self.assertEqual(self.client.post("/private", headers={"Sec-Fetch-Site": "same-origin"}).status_code, 405)


if __name__ == "__main__":
    unittest.main()
