"""Screenshots of reports for the docs: python tools/report_screenshots.py OUT.png=REPORT.html[:dark] ...

Needs the PyPI package playwright and a Chromium (Debian: apt-get install chromium).
"""

from __future__ import annotations

import pathlib
import shutil
import sys

from playwright.sync_api import Browser, sync_playwright

SIZE = {"width": 1280, "height": 1460}
SCALE = 0.6


def shoot(browser: Browser, out: str, report: str, scheme: str) -> None:
    page = browser.new_page(
        viewport=SIZE, device_scale_factor=SCALE, color_scheme="dark" if scheme == "dark" else "light"
    )
    page.goto(pathlib.Path(report).resolve().as_uri())
    page.wait_for_selector("html[data-ready]")
    page.wait_for_timeout(300)
    page.screenshot(path=out)
    print(f"{out}: {pathlib.Path(out).stat().st_size / 1000:.0f} kB")


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for argument in sys.argv[1:]:
            out, _, rest = argument.partition("=")
            report, _, scheme = rest.partition(":")
            shoot(browser, out, report, scheme)
        browser.close()


if __name__ == "__main__":
    main()
