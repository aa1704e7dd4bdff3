"""The dashboard in a real browser: the study, its trials, a plot, its note, and no error in the console."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import commands
import pytest
from dashboards import Dashboard, dashboard, states, write_study

selenium = pytest.importorskip("selenium", reason="selenium is not installed: pip install 'search[dev]'")

from selenium import webdriver  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1400",
)
PATIENCE = 60  # seconds: the bundle of the pages has 6 MB, and a busy machine takes its time to run it


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Dashboard, Callable[[], object]]]:
    """A dashboard on a study with every kind of trial, of which one runs until the function is called."""
    with commands.project(tmp_path / "project") as folder, dashboard(folder) as page:
        with commands.start(["run", write_study(folder, "toy", 12), "--workers", "1"], folder) as run:

            def finish() -> None:
                (folder / "go").touch()
                run.communicate(timeout=PATIENCE)

            try:
                wait(lambda: page.ask("/api/studies").json["study_summaries"])
                wait(lambda: states(page.study("toy"))[11:] == ["Running"])
                yield page, finish
            finally:
                if run.poll() is None:
                    finish()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium or chromedriver is not installed: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # With the driver's path given, selenium looks for nothing to download.
    service = Service(driver, env={**os.environ, "NO_PROXY": "localhost,127.0.0.1"})
    browser = webdriver.Chrome(options=options, service=service)
    browser.set_page_load_timeout(PATIENCE)
    try:
        yield browser
    finally:
        browser.quit()


def wait(what: Callable[[], Any]) -> Any:
    return WebDriverWait(None, PATIENCE, poll_frequency=0.2).until(lambda _: what())


def text(browser: webdriver.Chrome) -> str:
    return str(browser.execute_script("return document.body.innerText"))


def errors(browser: webdriver.Chrome) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_a_person_finds_the_study_its_plots_its_trials_and_its_note(
    running: tuple[Dashboard, Callable[[], object]], browser: webdriver.Chrome, tmp_path: Path
) -> None:
    page, finish = running
    browser.get(page.url)
    wait(lambda: "toy" in text(browser))
    browser.save_screenshot(str(tmp_path / "studies.png"))

    study = f"/dashboard/studies/{page.identity('toy')}"
    browser.find_element(By.CSS_SELECTOR, f"a[href$='{study}']").click()
    wait(lambda: len(browser.find_elements(By.CSS_SELECTOR, ".js-plotly-plot .scatterlayer .points path")) >= 8)
    wait(lambda: "trial #11 (running)" in text(browser))  # a curve of its epochs
    browser.save_screenshot(str(tmp_path / "study.png"))

    browser.find_element(By.CSS_SELECTOR, f"a[href$='{study}/smartSelection']").click()
    wait(lambda: "1–12 of 12" in text(browser))
    wait(lambda: browser.find_elements(By.CSS_SELECTOR, ".js-plotly-plot canvas"))  # parallel coordinates, by WebGL
    (table,) = browser.find_elements(By.TAG_NAME, "table")
    browser.execute_script("arguments[0].scrollIntoView()", table)
    browser.save_screenshot(str(tmp_path / "table.png"))
    rows = [row.text for row in table.find_elements(By.CSS_SELECTOR, "tbody tr")]
    shown = [re.match(r"(\d+) (\w+)", row) for row in rows]
    assert [row.groups() for row in shown if row] == [
        (str(n), state) for n, state in enumerate(states(page.study("toy")))
    ]
    assert {row[2] for row in shown if row} == {"Complete", "Pruned", "Fail", "Running"}
    assert "kind.curved.power" in table.text

    browser.find_element(By.CSS_SELECTOR, f"a[href$='{study}/trials']").click()
    wait(lambda: "Trial 11\nRunning" in text(browser))
    browser.save_screenshot(str(tmp_path / "trials.png"))

    finish()
    browser.find_element(By.CSS_SELECTOR, f"a[href$='{study}/note']").click()
    wait(lambda: "study: toy" in text(browser))
    browser.save_screenshot(str(tmp_path / "note.png"))
    browser.find_element(By.CSS_SELECTOR, f"a[href$='{study}']").click()
    wait(lambda: re.search(r"trial-\d+\.keras", text(browser)))
    browser.save_screenshot(str(tmp_path / "artifact.png"))
    assert errors(browser) == []
