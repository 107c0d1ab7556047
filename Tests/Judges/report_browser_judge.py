#!/usr/bin/env python3
"""Opens a page of `lstmpack analyze --html` in headless Chromium: hover, keyboard, print, light and dark,
with and without scripts. Screenshots go to a folder to be looked at.

usage: report_browser_judge.py REPORT.html FOLDER [--chromium /usr/bin/chromium]
needs: playwright, Chromium
"""
import argparse
import os
import sys

from playwright.sync_api import sync_playwright


def check(condition, text):
    print(("ok    " if condition else "FAILS ") + text)
    return condition


def tip(page):
    return page.eval_on_selector("#tip", "node => node.hidden ? '' : node.textContent")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("report")
    parser.add_argument("folder")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    arguments = parser.parse_args()
    url = "file://" + os.path.abspath(arguments.report)
    os.makedirs(arguments.folder, exist_ok=True)
    results = [check(os.path.getsize(arguments.report) < 2_000_000, "smaller than 2 MB")]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=arguments.chromium, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_page(color_scheme=scheme, viewport={"width": 1200, "height": 900})
            requests, errors = [], []
            page.on("request", lambda request: requests.append(request.url))
            page.on("console", lambda message: errors.append(message.text))
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(url)
            page.screenshot(path=f"{arguments.folder}/{scheme}.png", full_page=True)
            cell = page.locator(".view:visible td[data-tip]").first
            cell.hover()
            results.append(check(tip(page) == cell.get_attribute("data-tip"), f"{scheme}: hover over a cell"))
            point = page.locator("svg g[data-tip] .hit").first
            point.scroll_into_view_if_needed()
            # What is drawn over the area belongs to the same group; so it may be what the mouse meets.
            point.hover(force=True)
            results.append(check(tip(page) != "", f"{scheme}: hover over a point"))
            if scheme == "light":
                seen = set()
                page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
                for _ in range(60):
                    page.keyboard.press("Tab")
                    seen.add(page.evaluate("document.activeElement.tagName.toLowerCase()"))
                results.append(check({"a", "input", "td", "g"} <= seen, f"Tab reaches {sorted(seen)}"))
                page.locator(".view:visible td[data-tip]").first.focus()
                before = tip(page)
                page.keyboard.press("ArrowRight")
                right = tip(page)
                page.keyboard.press("ArrowDown")
                results.append(check(
                    len({before, right, tip(page)}) == 3 and before != "", "arrow keys move in the table"))
                page.locator("#v-weights").focus()
                page.keyboard.press("Space")
                results.append(check(page.locator("#weights").is_visible(), "the keyboard changes the view"))
            results.append(check(requests == [url], f"{scheme}: nothing else is loaded"))
            results.append(check(not errors, f"{scheme}: no error {errors[:1]}"))
            page.close()
        page = browser.new_page(java_script_enabled=False, viewport={"width": 1200, "height": 900})
        page.goto(url)
        page.screenshot(path=f"{arguments.folder}/noscript.png")
        cells = page.locator(".view:visible td").all_inner_texts()
        results.append(check(
            len(cells) > 0 and any(any(c.isdigit() for c in text) for text in cells),
            f"without scripts: {len(cells)} cells with numbers"))
        if page.locator("label[for=v-weights]").count() and page.locator("#v-only").count():
            page.locator("label[for=v-weights]").click()
            results.append(check(page.locator("#weights").is_visible(), "without scripts: views change"))
        page.close()
        page = browser.new_page(color_scheme="dark")
        page.goto(url)
        page.emulate_media(media="print", color_scheme="dark")
        background = page.eval_on_selector("body", "node => getComputedStyle(node).backgroundColor")
        results.append(check(background == "rgb(255, 255, 255)", f"print: background {background}"))
        results.append(check(not page.locator("nav").is_visible(), "print: no navigation"))
        views = page.locator(".view").count()
        shown = page.locator(".view:visible").count()
        results.append(check(views == shown, f"print: {shown} of {views} views"))
        page.pdf(path=f"{arguments.folder}/print.pdf", format="A4")
        page.screenshot(path=f"{arguments.folder}/print.png", full_page=True)
        browser.close()
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
