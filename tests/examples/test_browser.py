"""The page of the streaming service in a real browser."""

from __future__ import annotations

import os
import shutil
import threading

import pytest

from orq_core.testing import DONE, Wait, chunk, stream
from tests.examples.conftest import soon

pytestmark = [pytest.mark.real, pytest.mark.slow]


def missing(reason):
    if os.environ.get("ORQ_REQUIRE_REAL"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser():
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        missing("the package playwright is not installed")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing("there is no Chromium; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        try:
            # Chromium refuses its sandbox to root, which is who tests are in a container.
            chromium = playwright.chromium.launch(
                executable_path=path, args=["--disable-dev-shm-usage"], chromium_sandbox=False
            )
        except Error as error:
            missing(f"Chromium does not start: {error}")
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, service):
    page = browser.new_page()
    page.set_default_timeout(10_000)
    failures = []
    page.on("pageerror", lambda error: failures.append(error))  # noqa: PLW0108 - it marks handlers
    page.goto(service)
    yield page
    page.close()
    assert failures == []


def ask(page, prompt):
    page.get_by_label("Question").fill(prompt)
    page.get_by_role("button", name="Ask").click()


def says(page, selector, text):
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector).textContent === text",
        arg=[selector, text],
    )


def test_words_appear_as_they_come(page, orq_router):
    go_on = threading.Event()
    orq_router.enqueue(
        stream(
            chunk("<b>one</b>\n\n"), Wait(go_on), chunk("two € 🙂", finish_reason="stop"), DONE
        ).chunked_at(every=3)
    )
    ask(page, "count")
    says(page, "#answer", "<b>one</b>\n\n")
    says(page, "#state", "…")
    go_on.set()
    says(page, "#answer", "<b>one</b>\n\ntwo € 🙂")
    says(page, "#state", "finished: stop")


def test_stop_ends_the_call_upstream(page, orq_router):
    orq_router.enqueue(stream(chunk("one"), Wait(threading.Event()), DONE))
    ask(page, "count")
    says(page, "#answer", "one")
    page.get_by_role("button", name="Stop").click()
    says(page, "#state", "stopped")
    assert soon(lambda: orq_router.disconnected == 1)
    ask(page, "again")  # and the page goes on to work
    says(page, "#answer", "again")


def test_a_browser_that_leaves_ends_the_call_upstream(page, browser, service, orq_router):
    orq_router.enqueue(stream(chunk("one"), Wait(threading.Event()), DONE))
    other = browser.new_page()
    other.goto(service)
    ask(other, "count")
    says(other, "#answer", "one")
    other.close()
    assert soon(lambda: orq_router.disconnected == 1)
