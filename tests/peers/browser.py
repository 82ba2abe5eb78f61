"""Drives Chromium over the web pages; tests/peers/browser.sh starts it in its world.

    browser.py ORIGIN FOLDER

Prints "ok - NAME" or "not ok - NAME" for each thing it looks at, and puts a picture of every page into FOLDER: light and dark,
as wide as a desk's screen and as a telephone's.
"""

import base64
import hashlib
import hmac
import struct
import sys
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.virtual_authenticator import VirtualAuthenticatorOptions
from selenium.webdriver.support.ui import WebDriverWait

ORIGIN, FOLDER = sys.argv[1:]
PASSWORD = "correct horse battery"
BANNED = "198.51.100.200"
PAGES = [
    "/", "/?period=day", "/bans", "/bans?history=1", f"/ip/{BANNED}", "/network?prefix=198.51.100.0/24", "/networks", "/jails",
    "/jails/postfix-sasl", "/reporters", "/held", "/allow",
    "/zones", "/requests", "/users", "/tokens", "/audit", "/audit/verify", "/health", "/account",
]
WIDTHS = {"desk": 1280, "telephone": 390}

# Seconds for a page to come; far more than one takes.
PATIENCE = 30


def check(name, holds):
    """Says whether it holds."""
    print(("ok" if holds else "not ok") + " - " + name, flush=True)


def code(secret, later):
    """The six digits that a telephone shows `later` steps from now (RFC 6238)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(time.time()) // 30 + later), hashlib.sha1).digest()
    place = digest[-1] & 15
    return "%06d" % ((struct.unpack(">I", digest[place:place + 4])[0] & 0x7FFFFFFF) % 1_000_000)


class Browser:
    """Chromium with what the checks do in it."""

    def __init__(self):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
            options.add_argument(argument)
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.show("desk", "light")

    def show(self, device, scheme):
        """Looks through this device, in this light."""
        self.device, self.scheme = device, scheme
        self.resize(900)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def resize(self, height):
        """Makes the window so high."""
        metrics = {"width": WIDTHS[self.device], "height": height, "deviceScaleFactor": 1, "mobile": self.device != "desk"}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def open(self, path):
        """Goes to a page."""
        self.driver.get(ORIGIN + path)

    def find(self, selector):
        """The first element of the page like this."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def has(self, selector):
        """Whether there is one."""
        return bool(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def text(self):
        """What the page says."""
        return self.find("body").text

    def path(self):
        """Where it is."""
        return self.driver.current_url.removeprefix(ORIGIN)

    def fill(self, **fields):
        """Types into fields by their ids."""
        for name, value in fields.items():
            self.find("#" + name).send_keys(value)

    def press(self, selector):
        """Presses a button that leads to another page."""
        before = self.find("html")
        self.find(selector).click()
        WebDriverWait(self.driver, PATIENCE).until(lambda driver: self.is_gone(before))

    @staticmethod
    def is_gone(element):
        """Whether an element is of a page that was left."""
        try:
            element.is_enabled()
            return False
        except Exception:  # what is thrown for it has changed its name over the years
            return True

    def until(self, condition):
        """Waits until it holds; whether it did."""
        try:
            WebDriverWait(self.driver, PATIENCE).until(lambda driver: condition())
            return True
        except Exception:
            return False

    def sign_out(self):
        """Leaves."""
        self.press('form[action="/sign-out"] button')

    def picture(self, path):
        """Takes a picture of a page, and says whether it fits its window and loads without a complaint."""
        self.open(path)
        wide, high = self.driver.execute_script(
            "return [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        self.resize(min(high, 4000))
        name = path.strip("/").replace("/", "-").replace("?", "-").replace("=", "-") or "overview"
        self.driver.save_screenshot(f"{FOLDER}/{name}.{self.device}-{self.scheme}.png")
        self.resize(900)
        complaints = self.driver.get_log("browser")
        if complaints:
            print(path, complaints, file=sys.stderr)
        return wide <= WIDTHS[self.device] and not complaints


def enrol(browser):
    """An administrator sets up a telephone, as the role takes one."""
    browser.open("/bans")
    check("whoever has not signed in comes to the sign-in", browser.path() == "/sign-in?next=%2Fbans")
    browser.fill(user="root", password="wrong" + PASSWORD)
    browser.press("button.act")
    check("a wrong password is told", "wrong" in browser.find(".wrong").text)
    browser.fill(password=PASSWORD)
    browser.press("button.act")
    check("an administrator must have a second factor", browser.path() == "/account")
    browser.press('form[action="/account/totp"] button')
    secret = browser.find("code").text
    check("the secret is a picture too", browser.find("img.qr").rect["width"] > 100)
    browser.fill(code=code(secret, 0))
    browser.press("button.act")
    codes = browser.find("pre").text.split()
    check("there are recovery codes", len(codes) == 10)
    browser.open("/")
    check("the other pages are open then", browser.path() == "/")
    return secret


def look(browser, secret):
    """They sign in with the telephone, look, end a ban and leave."""
    browser.sign_out()
    browser.fill(user="root", password=PASSWORD)
    browser.press("button.act")
    check("the password is not enough any more", "code of your second factor" in browser.text())
    browser.fill(password=PASSWORD, code=code(secret, 1))
    browser.press("button.act")
    bars = browser.driver.execute_script("return [...document.querySelectorAll('svg.chart .bars rect')].map(bar => bar.height.baseVal.value)")
    check("the charts have bars", max(bars) > 10)
    check("the figures are there", "Failures" in browser.text() and "203.0.113.1" in browser.text())
    browser.open(f"/ip/{BANNED}")
    check("what strangers wrote is text", "<script>alert(1)</script>" in browser.text())
    browser.press('form[action="/bans/end"] button')
    check("the ban is over", browser.path() == f"/ip/{BANNED}" and "not listed" in browser.text())
    browser.open("/tokens")
    browser.find("summary").click()
    browser.find('input[name="name"]').send_keys("grafana")
    browser.press("details button.act")
    check("a token is shown once", browser.find("pre").text.startswith("bz_"))


def passkey(browser):
    """They add a passkey, and sign in with it."""
    options = VirtualAuthenticatorOptions()
    options.protocol = "ctap2"
    options.transport = "internal"
    options.has_resident_key = options.has_user_verification = options.is_user_verified = True
    browser.driver.add_virtual_authenticator(options)
    browser.open("/account")
    browser.fill(label="my telephone")
    browser.press("[data-passkey] button")
    check("a passkey is added", "my telephone" in browser.text())
    browser.sign_out()
    check("leaving leads to the sign-in", browser.path() == "/sign-in")
    browser.open("/bans")
    browser.find("[data-passkey] button").click()
    check("the passkey signs in", browser.until(lambda: browser.path() == "/bans"))


def pictures(browser):
    """Every page, in every light, through every device."""
    # What was complained of before was meant to be, such as a wrong password.
    browser.driver.get_log("browser")
    for device in WIDTHS:
        for scheme in ("light", "dark"):
            browser.show(device, scheme)
            wrong = [path for path in PAGES if not browser.picture(path)]
            check(f"every page fits a {device} in the {scheme} " + " ".join(wrong), not wrong)
    browser.sign_out()
    for device in WIDTHS:
        for scheme in ("light", "dark"):
            browser.show(device, scheme)
            browser.picture("/sign-in")


def main():
    """All of it."""
    browser = Browser()
    try:
        secret = enrol(browser)
        look(browser, secret)
        passkey(browser)
        pictures(browser)
    finally:
        browser.driver.quit()


main()
