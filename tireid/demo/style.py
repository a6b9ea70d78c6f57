"""The style sheet of the demo, for its widgets, its files and the page that waits for it; loads nothing else."""

from pathlib import Path

STYLE = f"<style>\n{Path(__file__).with_name('style.css').read_text(encoding='utf-8')}</style>"
