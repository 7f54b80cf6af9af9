"""One of several processes says a thing."""

import multiprocessing
from pathlib import Path

from relay.observe.once import Once


def _claims(path: Path, news: list[str]) -> list[bool]:
    context = multiprocessing.get_context("fork")
    with context.Pool(4) as processes:
        return processes.map(Once(path).is_mine, news)


def test_of_four_processes_one_says_it(tmp_path: Path) -> None:
    said = _claims(tmp_path / "said", ["the file changed"] * 40)

    assert said.count(True) == 1


def test_other_news_is_said_and_old_news_is_said_again(tmp_path: Path) -> None:
    once = Once(tmp_path / "said")

    said = [once.is_mine(news) for news in ("a", "a", "b", "a", "a")]

    assert said == [True, False, True, True, False]


def test_without_a_file_everybody_says_it(tmp_path: Path) -> None:
    (tmp_path / "no-folder").write_text("a file")
    once = Once(tmp_path / "no-folder" / "said")

    assert [once.is_mine("a"), once.is_mine("a")] == [True, True]
