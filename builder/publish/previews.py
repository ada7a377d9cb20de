"""Files of previews. The pointer's state says what each is to be; the file follows, and any later run finishes it."""

from __future__ import annotations

from ..errors import StoreConflictError, StoreLockedError
from ..stores import TargetStore
from .pointer import Preview, State, fetch_loader, join_pointer, loader_hash, read_pointer, split_pointer
from .uploads import Form

attempts = 8
empty = b'throw new Error("This preview is not published yet.");\n'


def preview_key(name: str) -> str:
    """Return the key of a preview's loader."""
    return f"loader-{name}.js"


def is_settled(store: TargetStore, name: str, preview: Preview) -> bool:
    """Return whether a preview's file is the one that its last deploy announced."""
    found = store.get(preview_key(name))
    return found is not None and _is(found[0], preview)


def settle_preview(store: TargetStore, form: Form, name: str, loader: bytes = b"") -> None:
    """Write a preview's file as the state wants it.

    The file is read before the state, is never created with a release in it, and no two writes have one tag. So the
    write of somebody who slept fails when the state has changed since and the file followed, or was removed.

    Args:
        store: the target.
        form: how it keeps files.
        name: of the preview.
        loader: the release's loader, where it is at hand.

    Raises:
        StoreConflictError: others go on writing it.
        StoreError: the store failed.
    """
    key = preview_key(name)
    headers = form.pointer_headers(key)
    for _ in range(attempts):
        found = store.read(key)
        if found is None:
            store.create(key, join_pointer(empty, State()), headers)
            continue
        base = read_pointer(store)
        preview = base.state.previews.get(name) if base else None
        if preview is None or _is(found.content, preview):
            return
        content = loader if loader_hash(loader) == preview.loader else fetch_loader(store, preview.loader)
        if content is None:
            return  # its release is broken, as `verify --preview` tells
        try:
            store.swap(key, join_pointer(content, State(generation=preview.generation)), found.tag, headers)
        except StoreLockedError:
            raise
        except StoreConflictError:
            continue
        return
    raise StoreConflictError(
        "others keep writing this preview", code="SP-643", where=store.place + key, hint="Deploy the preview again"
    )


def settle_previews(store: TargetStore, form: Form, state: State) -> None:
    """Finish what killed deploys of previews have left.

    Raises:
        StoreConflictError: others go on writing one.
        StoreError: the store failed.
    """
    for name in state.previews:
        settle_preview(store, form, name)


def _is(content: bytes, preview: Preview) -> bool:
    loader, state = split_pointer(content)
    return loader_hash(loader) == preview.loader and state.generation == preview.generation
