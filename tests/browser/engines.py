"""Firefox and WebKitGTK, driven by the commands that both speak: those of W3C WebDriver.

WebKitGTK's driver takes them over HTTP. Firefox takes the same on its own socket, which it calls Marionette, so that
neither needs more than Debian's packages. Sources: https://www.w3.org/TR/webdriver2/ and, for how a command travels,
https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html. No answer is waited for longer than ANSWER_S.
"""

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import requests

from tests.browser.stage import eventually

ANSWER_S: Final = 30  # a first start on a busy machine; every other answer comes within a second
ELEMENT: Final = "element-6066-11e4-a52e-4f735466cecf"  # by this the specification marks a reference to an element
ESCAPE: Final = "\ue00c"
FIREFOX: Final = Path("/usr/bin/firefox-esr")
FIREFOX_SETTINGS: Final[dict[str, object]] = {  # any free port; and, on a machine without network, no calls home
    "marionette.port": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
}
WEBKIT_DRIVER: Final = Path("/usr/bin/WebKitWebDriver")
# What a browser can be without: the pages' scripts, or every cookie and all storage.
FIREFOX_WITHOUT: Final[dict[str, dict[str, object]]] = {
    "nothing": {},
    "script": {"javascript.enabled": False},
    "storage": {"network.cookie.cookieBehavior": 2},
}
WEBKIT_WITHOUT: Final = {
    "nothing": (),
    "script": ("--enable-javascript-markup=false",),
    "storage": ("--cookies-policy=never", "--enable-html5-local-storage=false", "--enable-html5-database=false"),
}
# The whole form is in sight: WebKitGTK's driver scrolls a frame for a click, but never the page around it.
SCREEN: Final = "1280x1600x24"
WINDOW: Final = {"width": 1280, "height": 1500}
COMMANDS: Final = {  # ours: the specification's method and path, and Firefox's name
    "resize": ("POST", "/window/rect", "WebDriver:SetWindowRect"),
    "open": ("POST", "/url", "WebDriver:Navigate"),
    "address": ("GET", "/url", "WebDriver:GetCurrentURL"),
    "run": ("POST", "/execute/sync", "WebDriver:ExecuteScript"),
    "enter": ("POST", "/frame", "WebDriver:SwitchToFrame"),
    "find": ("POST", "/element", "WebDriver:FindElement"),
    "click": ("POST", "/element/{id}/click", "WebDriver:ElementClick"),
    "press": ("POST", "/element/{id}/value", "WebDriver:ElementSendKeys"),
    "windows": ("GET", "/window/handles", "WebDriver:GetWindowHandles"),
    "look at": ("POST", "/window", "WebDriver:SwitchToWindow"),
    "close": ("DELETE", "/window", "WebDriver:CloseWindow"),
}
Say = Callable[[str, dict[str, Any]], Any]
Element = dict[str, str]


class Engine:
    """A browser with one window, and those that pages open."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.say("resize", WINDOW)

    def open(self, url: str) -> None:
        """Go to a page, and wait until it is loaded."""
        self.say("open", {"url": url})

    def address(self) -> str:
        """Return the address of the page; while one page follows another no function can be called, but this can."""
        return str(self.say("address", {}))

    def run(self, function: str, *arguments: object) -> Any:
        """Call a function, given as text, where we are: in the page or in the frame that was entered."""
        return self.say("run", {"script": f"return ({function})(...arguments)", "args": list(arguments)})

    def enter(self, frame: Element | None) -> None:
        """Go into a frame; None leads back to the page."""
        self.say("enter", {"id": frame})

    def find(self, path: str) -> Element:
        """Return the first element of an XPath; this asks no function of the page."""
        found: Element = self.say("find", {"using": "xpath", "value": path})
        return found

    def click(self, element: Element) -> None:
        """Click as a person does, so that the browser counts it as his will."""
        self.say("click", {"id": element[ELEMENT]})

    def press(self, element: Element, keys: str) -> None:
        """Focus an element and press keys in it."""
        self.say("press", {"id": element[ELEMENT], "text": keys})

    def windows(self) -> set[str]:
        """Return the handles of all windows."""
        return set(self.say("windows", {}))

    def look_at(self, window: str) -> None:
        """Go to another window."""
        self.say("look at", {"handle": window})

    def close(self) -> None:
        """Close the window that we look at; another must be looked at next."""
        self.say("close", {})


def free_port() -> int:
    """Return a port of loopback that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@contextmanager
def started(*command: str, **more: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a program as long as the block lasts; what it says about itself interests nobody."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, **more) as process:
        try:
            yield process
        finally:
            process.terminate()


# --- Firefox ---------------------------------------------------------------------------------------------------------


@contextmanager
def firefox(home: Path, without: str) -> Iterator[Engine]:
    """Start Firefox with a fresh profile in this folder, without something."""
    settings = FIREFOX_SETTINGS | FIREFOX_WITHOUT[without]
    lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in settings.items())
    (home / "user.js").write_text("\n".join(lines))
    port = home / "MarionetteActivePort"
    with started(str(FIREFOX), "--headless", "--marionette", "--profile", str(home)):
        eventually("Firefox's socket", port.exists, wanted=True)
        with socket.create_connection(("127.0.0.1", int(port.read_text())), ANSWER_S) as wire:
            read_answer(wire)  # its greeting
            ask_firefox(wire, "WebDriver:NewSession", {})
            yield Engine(lambda name, values: say_to_firefox(wire, name, values))


def say_to_firefox(wire: socket.socket, name: str, values: dict[str, Any]) -> Any:
    """Say one of our commands; a frame is named by the element alone."""
    if name == "enter" and values["id"] is not None:
        values = {"element": values["id"][ELEMENT]}
    found = ask_firefox(wire, COMMANDS[name][2], values)
    return found.get("value") if isinstance(found, dict) else found


def ask_firefox(wire: socket.socket, command: str, values: dict[str, Any]) -> Any:
    """Send one command: ``length:[0, id, name, values]``; take its answer, ``[1, id, error, result]``."""
    message = json.dumps([0, 0, command, values])
    wire.sendall(f"{len(message)}:{message}".encode())
    _, _, error, found = read_answer(wire)
    assert error is None, f"{command}: {error}"
    return found


def read_answer(wire: socket.socket) -> Any:
    """Read one message: its length in bytes, a colon, and its text."""
    length = b""
    while (byte := wire.recv(1)) != b":":
        assert byte, "Firefox is gone"
        length += byte
    text = b""
    while len(text) < int(length):
        text += (more := wire.recv(int(length) - len(text)))
        assert more, "Firefox is gone"
    return json.loads(text)


# --- WebKitGTK -------------------------------------------------------------------------------------------------------


@contextmanager
def webkit(home: Path, without: str) -> Iterator[Engine]:
    """Start WebKitGTK's small browser on a screen of its own, without something; what it keeps is in this folder."""
    browser = next(Path("/usr/lib").glob("*/webkit2gtk-4.1/MiniBrowser"))
    options = {"webkitgtk:browserOptions": {"binary": str(browser), "args": ["--automation", *WEBKIT_WITHOUT[without]]}}
    address = f"http://127.0.0.1:{(port := free_port())}/session"
    with ExitStack() as stack:
        screen = stack.enter_context(a_screen())
        kept = {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "DISPLAY": screen,
            "WEBKIT_DISABLE_DMABUF_RENDERER": "1",
        }
        stack.enter_context(started(str(WEBKIT_DRIVER), f"--port={port}", env=os.environ | kept))
        eventually("WebKitGTK's driver", lambda: listens(port), wanted=True)
        wire = stack.enter_context(requests.Session())
        asked = {"capabilities": {"alwaysMatch": options}}
        session = f"{address}/{ask_webkit(wire, 'POST', address, asked)['sessionId']}"
        yield Engine(lambda name, values: say_to_webkit(wire, session, name, values))
        ask_webkit(wire, "DELETE", session, {})


@contextmanager
def a_screen() -> Iterator[str]:
    """Start a screen in memory, and return its name; it chooses a number that is free."""
    reading, writing = os.pipe()
    with started("Xvfb", "-displayfd", str(writing), "-screen", "0", SCREEN, "-nolisten", "tcp", pass_fds=[writing]):
        os.close(writing)
        with os.fdopen(reading) as said:
            yield f":{said.readline().strip()}"


def listens(port: int) -> bool:
    """Say whether somebody answers at a port."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def say_to_webkit(wire: requests.Session, session: str, name: str, values: dict[str, Any]) -> Any:
    """Say one of our commands to a session."""
    method, path, _ = COMMANDS[name]
    return ask_webkit(wire, method, session + path.format(**values), values)


def ask_webkit(wire: requests.Session, method: str, url: str, values: dict[str, Any]) -> Any:
    """Send one command, and return its value."""
    answer = wire.request(method, url, json=values if method == "POST" else None, timeout=ANSWER_S)
    assert answer.ok, f"{url}: {answer.text}"
    return answer.json()["value"]
