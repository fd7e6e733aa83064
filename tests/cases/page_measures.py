"""Measures a page in a browser: what is wider than its place, what is cut, and letters too small to read."""

from __future__ import annotations

from typing import Any

__all__ = ["SMALLEST_LETTERS", "measure_page"]

SMALLEST_LETTERS = 9.0
"""CSS pixels."""

_MEASURE = """
(() => {
  const found = [];
  const page = document.documentElement;
  if (page.scrollWidth > innerWidth) found.push(`the page is ${page.scrollWidth} px wide`);
  const shown = (element) => element.getClientRects().length > 0;
  const words = (element) => element.textContent.trim().slice(0, 60);
  for (const svg of document.querySelectorAll("figure svg, .explorer svg")) {
    if (!shown(svg)) continue;
    const frame = svg.getBoundingClientRect();
    const box = svg.viewBox.baseVal;
    const scale = frame.width / box.width;
    const texts = [...svg.querySelectorAll("text")].filter((text) => words(text));
    for (const text of texts) {
      const place = text.getBoundingClientRect();
      const out = Math.max(frame.left - place.left, place.right - frame.right);
      if (out > 1.5) found.push(`cut by ${out.toFixed(1)} px: ${words(text)}`);
      const size = parseFloat(getComputedStyle(text).fontSize) * scale;
      if (size < SMALLEST) found.push(`letters of ${size.toFixed(1)} px: ${words(text)}`);
    }
    const outer = svg.closest(".drawing, .grids") ?? svg.parentElement;
    if (frame.right > outer.getBoundingClientRect().right + 1) found.push(`wider than its place: ${svg.ariaLabel}`);
  }
  for (const table of document.querySelectorAll(".tests table")) {
    const place = table.parentElement;
    if (place.scrollWidth > place.clientWidth) {
      found.push(`columns out of sight: ${place.ariaLabel} ${place.scrollWidth} > ${place.clientWidth}`);
    }
  }
  for (const control of document.querySelectorAll("select, input, .controls, .filter")) {
    if (shown(control) && control.getBoundingClientRect().right > innerWidth) {
      found.push(`cut: ${control.outerHTML.slice(0, 60)}`);
    }
  }
  return found;
})()
"""


def measure_page(browser: Any, url: str, width: int) -> list[str]:
    """Opens a page in a window of some width and lists what a reader cannot read.

    Args:
        browser: A :class:`browser.Browser`.
        url: Address of the page.
        width: Of the window, CSS pixels.

    Returns:
        One line each: a page that scrolls sideways, text that a drawing cuts, letters below
        :data:`SMALLEST_LETTERS`, drawings wider than their place, tables of tests with columns out of sight.
    """
    browser.open(url, width=width)
    browser.wait_for("document.readyState === 'complete' && document.querySelector('figure svg')")
    found: list[str] = browser.read(_MEASURE.replace("SMALLEST", str(SMALLEST_LETTERS)))
    return found
