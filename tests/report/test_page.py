"""The page in a real browser: Debian's chromium, without a window."""

import os
import shutil

import pytest

webdriver = pytest.importorskip("selenium.webdriver")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="no chromium and chromedriver (Debian: apt-get install chromium chromium-driver)",
    ),
    pytest.mark.skipif(
        "san.so" in os.environ.get("LD_PRELOAD", ""),
        reason="a browser has its memory where a preloaded sanitizer needs it",
    ),
]
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield found
    found.quit()


@pytest.fixture(scope="module")
def address(files, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(files["report.html"], encoding="utf-8")
    return path.as_uri()


def show(browser, address, width, scheme="light"):
    size = {"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    browser.get(address)


@pytest.mark.parametrize("width", [320, 360, 768, 1000, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page(browser, address, report, width, scheme):
    """All tables and plots are drawn; nothing is wider than the screen; no console errors."""
    browser.get_log("browser")
    show(browser, address, width, scheme)
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    outside = browser.execute_script(
        "return [...document.querySelectorAll('main *')].filter(e => {"
        "  const r = e.getBoundingClientRect();"
        "  return r.width > 1 && (r.right > innerWidth + 1 || r.left < -1)"
        "}).map(e => e.outerHTML.slice(0, 80))"
    )
    assert not outside
    tables = sum(len(section["tables"]) for section in report["sections"])
    assert len(browser.find_elements("css selector", "table")) == tables
    plots = browser.find_elements("css selector", "figure svg")
    assert len(plots) == 4
    for plot in plots:
        assert plot.size["width"] > 250
        assert plot.size["height"] > 150
    ground = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 200) == (scheme == "dark")
    line = "[...document.querySelectorAll('#plot-throughput path')].map(e => getComputedStyle(e))"
    drawn = browser.execute_script(f"return {line}.map(s => s.stroke)")
    assert len(set(drawn) - {"none"}) >= 7  # six ways and the axes
    assert browser.get_log("browser") == []


def test_small_screens_name_every_value(browser, address):
    """Where headings of columns are not shown, each cell has its own; roles stay."""
    show(browser, address, 360)
    label = "return getComputedStyle(document.querySelector('#throughput-table td'), '::before')"
    assert "Loop" in browser.execute_script(f"{label}.content")
    tree = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = [node["role"]["value"] for node in tree if not node["ignored"]]
    for role in ("table", "row", "rowheader", "columnheader", "cell", "main", "navigation"):
        assert role in roles
    images = [n for n in tree if n["role"]["value"] in ("image", "img") and not n["ignored"]]
    names = {node["name"]["value"] for node in images}
    assert {"Throughput", "Scaling efficiency", "Coordination overhead", "Tick latency"} <= names


def test_keyboard(browser, address):
    """The first key goes to the link that skips the contents; links and folds take the focus."""
    show(browser, address, 1280)
    keys = __import__("selenium.webdriver.common.keys", fromlist=["Keys"]).Keys
    focused = []
    for _ in range(4):
        browser.switch_to.active_element.send_keys(keys.TAB)
        element = browser.switch_to.active_element
        focused.append(element.get_attribute("class") or element.tag_name)
        outline = browser.execute_script(
            "return getComputedStyle(document.activeElement).outlineStyle"
        )
        assert outline != "none"
    assert focused == ["skip", "summary", "a", "a"]


def test_text_is_readable_on_a_phone(browser, address):
    """No text of a table or plot is smaller than 9 pixels."""
    show(browser, address, 360)
    sizes = browser.execute_script(
        "return [...document.querySelectorAll('td, th, small, figcaption')]"
        ".map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 11
    heights = browser.execute_script(
        "return [...document.querySelectorAll('figure svg text')]"
        ".map(e => e.getBoundingClientRect()).filter(r => r.width)"
        ".map(r => Math.min(r.width, r.height)).filter(h => h > 0)"
    )
    assert sorted(heights)[len(heights) // 2] >= 9
