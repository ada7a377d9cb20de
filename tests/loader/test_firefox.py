"""The loader's tests of pages in Firefox: those that ask of it only what ``tests.helpers.firefox`` has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.helpers.firefox import Browser, Context, firefox
from tests.loader import test_inline_worker as inline
from tests.loader import test_loader_page as pages
from tests.loader.test_inline_worker import Inlined, inlined, packed
from tests.loader.test_loader_page import Place, built, place
from tests.pipeline import test_offline_updates as updates
from tests.pipeline.test_offline_updates import Web, made, web

__all__ = ["built", "inlined", "made", "packed", "place", "web"]
pytestmark = pytest.mark.slow

shared: tuple[Callable[[Any, Place], None], ...] = (
    pages.test_a_repeat_visit_takes_no_model_bytes,
    pages.test_two_tabs_fetch_each_file_once,
    pages.test_a_poisoned_and_a_missing_cache_entry_are_mended,
    pages.test_a_load_goes_on_after_the_network_was_away,
    pages.test_a_server_that_fails_at_first_is_asked_again,
    pages.test_a_module_is_imported_again_and_from_elsewhere,
    pages.test_going_offline_in_the_middle_of_a_load_ends_in_a_right_answer,
    pages.test_an_app_with_routes_and_a_base_finds_its_bundle,
    pages.test_a_policy_whose_name_is_taken_leaves_a_worker,
    pages.test_a_sandboxed_frame_that_may_keep_nothing_and_lock_nothing_still_loads,
    pages.test_after_one_visit_the_page_runs_without_a_network_and_nothing_was_ever_sent,
    pages.test_the_offline_worker_meets_other_peoples_sites,
    pages.test_the_page_is_told_of_a_new_release_and_goes_on,
)


lasting: tuple[Callable[[Any, Web], None], ...] = (
    updates.test_tabs_keep_their_release_while_a_new_one_comes_and_then_the_old_files_go,
    updates.test_files_that_the_browser_has_taken_away_are_told_once_and_fetched_again,
    updates.test_what_is_forgotten_on_purpose_is_no_eviction,
    updates.test_lasting_room_is_asked_for_on_request_only,
    updates.test_a_full_disk_a_missing_module_and_a_forbidden_memory_fail_no_load,
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with firefox() as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[Context]:
    """Give a visitor who has never been here."""
    visitor = browser.new_context()
    yield visitor
    visitor.close()


@pytest.mark.parametrize("case", shared, ids=lambda case: case.__name__.removeprefix("test_"))
def test_what_holds_in_chromium_holds_in_firefox(
    case: Callable[[Any, Place], None], context: Context, place: Place
) -> None:
    case(context, place)


@pytest.mark.parametrize("case", lasting, ids=lambda case: case.__name__.removeprefix("test_"))
def test_what_is_kept_in_chromium_is_kept_in_firefox(
    case: Callable[[Any, Web], None], context: Context, web: Web
) -> None:
    case(context, web)


def test_a_service_worker_holds_the_loader(context: Context, inlined: Inlined) -> None:
    inline.test_a_service_worker_with_the_loader_in_it_reads_keeps_and_fails_like_a_page(context, inlined)  # type: ignore[arg-type]


def test_a_lock_that_another_tab_never_gives_back_does_not_stop_a_load(context: Context, place: Place) -> None:
    pages.test_a_lock_that_another_tab_never_gives_back_does_not_stop_a_load(context, place)  # type: ignore[arg-type]


@pytest.mark.parametrize("what", pages.policies)
def test_strict_policies_still_give_a_working_load(what: str, context: Context, place: Place) -> None:
    policy = f"default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:; {pages.policies[what]}"
    tag = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    (place.site.root / "strict.html").write_text(pages.page_text.replace("POLICY", tag))
    page = pages.visit(context, place, page="strict.html")  # type: ignore[arg-type]
    pages.check(page.evaluate("answer()"), place)


@pytest.mark.parametrize("far", [False, True])
def test_a_worker_decodes_whatever_the_loaders_origin(context: Context, place: Place, far: bool) -> None:
    workers: list[str] = []
    context.on("page", lambda opened: opened.on("worker", lambda worker: workers.append(worker.url)))
    page = pages.visit(context, place, far=far)  # type: ignore[arg-type]
    result = page.evaluate("answer()")
    pages.check(result, place)
    assert len(workers) == 1
    assert result["source"] == "network"
    assert result["events"] == ["head", "base", "full"]
    assert result["measures"] == [f"shardpress big {stage}" for stage in ("head", "base", "full")]
    assert pages.asked(page) == sorted(place.files)
    pages.check(page.evaluate("answer()"), place)
