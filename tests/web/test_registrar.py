"""What served, the family tree, and going back, as the Models tab asks for it."""

import json
from dataclasses import replace

import pytest

from segnet_res.checkpoint import Checkpoint, digest, read_metadata, short_hash
from segnet_res.exported import Form
from segnet_res.retraining.registry import PROMOTE, Entry, Registry
from segnet_res.web.backend import Backend
from segnet_res.web.checkpoints import Entry as Listed
from segnet_res.web.lineage import Tree
from segnet_res.web.models_tab import listing
from segnet_res.web.registrar import Registrar
from segnet_res.web.serving import Digests


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    return folder


@pytest.fixture
def save(folder, tiny_checkpoint):
    """Writes a checkpoint of other metadata: ``save("new", parent="old 0123")``."""
    tiny = Checkpoint.load(tiny_checkpoint)

    def save(name, **metadata):
        path = folder / f"{name}.safetensors"
        Checkpoint(replace(tiny.metadata, **metadata), tiny.tensors).save(path)
        return path

    return save


@pytest.fixture
def promote(folder):
    def promote(path, **fields):
        registry = Registry(folder)
        now = registry.serving()
        before = None if now is None else now.checkpoint
        words = {"by": "Ada", "why": "better"} | fields
        entry = Entry(PROMOTE, path.stem, path.name, digest(path), before, **words)
        with registry.writing():
            registry.append(entry)
        return entry

    return promote


@pytest.fixture
def make_backend_of(folder, tmp_path):
    def make(*, runs=True):
        for name in ("private", "runs"):
            (tmp_path / name).mkdir(exist_ok=True)
        return Backend.make(
            folder, tmp_path / "private", tmp_path, runs=tmp_path / "runs" if runs else None
        )

    return make


@pytest.fixture
def ask(make_backend_of):
    registrar = Registrar(make_backend_of())

    def ask(action, user=None, **fields):
        reply = registrar.answer({"action": action, "request": 3, **fields}, user)
        assert (reply["kind"], reply["request"]) == ("registry", 3)
        return reply

    return ask


def reference(path):
    return f"{path.stem} {short_hash(path)}"


def tree_of(reply):
    """Name, parent's name and whether the file is there, of each node."""
    names = {node["id"]: node["name"] for node in reply["tree"]}
    return {
        node["name"]: (names.get(node["parent"]), bool(node["names"])) for node in reply["tree"]
    }


def test_nothing_was_promoted(ask, save):
    save("tiles")
    reply = ask("look")
    assert (reply["serving"], reply["back"], reply["problem"]) == (None, None, None)
    assert (reply["history"], reply["lines"], reply["allowed"]) == ([], 0, True)
    assert tree_of(reply) == {"tiles": (None, True)}


def test_a_family_by_hashes(ask, save):
    first = save("tiles", created="2024-01-01", scores={"miou": 0.5, "images": 9, "classes": []})
    second = save(
        "dents",
        parent=reference(first),
        created="2024-01-02",
        data={
            "name": "both", "fingerprint": "ab" * 32, "images": 30, "ancestors": [],
            "sources": [{"name": "dents", "role": "new", "train": 10, "fingerprint": "cd" * 32}, 5],
        },
        recipe={"retrained": {"added": ["dent"], "renamed": {"a": "b"}, "dropped": {"c": None}}},
    )  # fmt: skip
    # Its parent's file is not here, but what that came from is.
    save(
        "chips", parent="gone 0123456789ab", created="2024-01-03",
        data={"ancestors": [reference(first), reference(second)]},
    )  # fmt: skip
    reply = ask("look")
    assert tree_of(reply) == {
        "tiles": (None, True), "dents": ("tiles", True), "gone": ("dents", False),
        "chips": ("gone", True),
    }  # fmt: skip
    told = {node["name"]: node for node in reply["tree"]}
    assert (told["tiles"]["miou"], told["tiles"]["images"]) == (0.5, 9)
    dents = told["dents"]
    assert (dents["data"], dents["fingerprint"], dents["trained_on"]) == ("both", "ab" * 6, 30)
    assert dents["sources"] == [
        {"name": "dents", "role": "new", "train": 10, "fingerprint": "cd" * 6}
    ]
    assert (dents["added"], dents["renamed"], dents["dropped"]) == (
        ["dent"], [["a", "b"]], [["c", ""]]
    )  # fmt: skip


def test_a_copy_is_the_same_checkpoint(ask, save, folder):
    path = save("tiles")
    (folder / "copy.safetensors").write_bytes(path.read_bytes())
    (node,) = ask("look")["tree"]
    assert node["names"] == ["copy", "tiles"]


def test_exports_stand_with_what_they_were_made_from(save, monkeypatch):
    path = save("tiles")
    export = path.with_suffix(".onnx")
    export.write_bytes(b"any")
    form = Form(reference(path), precision="int8")
    for module in ("lineage", "checkpoints"):
        monkeypatch.setattr(f"segnet_res.web.{module}.read_form", lambda _: form)
    listed = [Listed(one.name, one, read_metadata(path)) for one in (path, export)]
    tree = Tree()
    tree.add(listed, Digests())
    (node,) = tree.nodes()
    assert (node.names, node.exports) == (["tiles.safetensors"], ["tiles.onnx"])
    assert [one.card()["export"] for one in listed] == [
        None, {"source": reference(path), "precision": "int8", "labels": False},
    ]  # fmt: skip


@pytest.mark.parametrize(
    "metadata",
    [
        {"data": {"ancestors": "x", "sources": 4, "name": [1], "images": "many"}},
        {"data": {"ancestors": [1, "", " ", "a b", "a b"], "sources": [[], {"name": {}}]}},
        {"recipe": {"retrained": [1]}, "scores": {"miou": None, "images": True, "classes": []}},
        {"recipe": {"retrained": {"added": "x", "renamed": [], "dropped": {"a": 5}}}},
        {"scores": {"miou": float("nan"), "images": float("inf"), "classes": []}},
        {"parent": " "},
        {"parent": "x" * 5000},
    ],
)
def test_odd_metadata_do_no_harm(ask, save, metadata):
    save("odd", **metadata)
    reply = ask("look")
    assert reply["error"] is None
    assert "odd" in tree_of(reply)
    json.dumps(reply, allow_nan=False)


def test_nobody_is_its_own_ancestor(ask, save):
    save("a", data={"ancestors": ["x 1", "y 2", "x 1", "x 1"]}, parent="y 2")
    reply = ask("look")
    parents = {node["id"]: node["parent"] for node in reply["tree"]}
    for node in parents:
        seen = set()
        while node is not None:
            assert node not in seen
            seen.add(node)
            node = parents[node]


def test_what_serves_and_its_history(ask, save, promote):
    flips = {"newly_missed": [{}], "newly_found": [{}, {}]}
    promote(save("old"), exam={"name": "tiles", "split": "test", "pictures": 40})
    promote(
        save("new", licence="x"), by="Eve", why="dents", accepted="hairlines",
        comparison={"flips": flips, "miou": {"before": 0.5, "after": 0.75}},
    )  # fmt: skip
    reply = ask("look", user="anna")
    assert (reply["serving"]["checkpoint"], reply["serving"]["by"]) == ("new", "Eve")
    assert (reply["back"]["checkpoint"], reply["user"], reply["lines"]) == ("old", "anna", 2)
    newest, oldest = reply["history"]
    assert (newest["before"], newest["missed"], newest["found"]) == ("old", 1, 2)
    assert (newest["miou"], newest["accepted"]) == ([0.5, 0.75], "hairlines")
    assert (oldest["compared"], oldest["exam"]) == (
        False, {"name": "tiles", "split": "test", "pictures": 40},
    )  # fmt: skip
    assert {node["name"]: node["promoted"] for node in reply["tree"]} == {"old": 1, "new": 1}


def test_the_one_that_serves_comes_first(make_backend_of, save, promote, folder):
    save("a")
    promote(save("z", licence="x"))
    backend = make_backend_of()
    assert backend.checkpoints.first() == "z"
    cards = listing(backend)["models"]
    assert [(card["name"], card["serving"]) for card in cards] == [("z", True), ("a", False)]
    promote(folder / "a.safetensors")
    assert backend.checkpoints.first() == "a"


def test_going_back_needs_a_reason_and_what_is_seen(ask, save, promote, folder):
    promote(save("old"))
    now = promote(save("new", licence="x"))
    words = {"by": "Ada", "why": "overkill", "instead_of": now.sha256}
    assert ask("rollback", **words | {"why": " "})["error"].startswith("the reason is empty")
    assert ask("rollback", **words | {"by": None})["error"].startswith("the name is empty")
    for forged in (None, "", 4, {}):
        reply = ask("rollback", **words | {"instead_of": forged})
        assert reply["error"].startswith("the page did not say what it goes back from")
    assert Registry(folder).serving().checkpoint == "new"
    reply = ask("rollback", user="anna", **words)
    assert (reply["serves"], reply["before"]) == ("old", "new")
    entry = Registry(folder).entries()[-1]
    assert (entry.action, entry.by, entry.why) == ("rollback", "anna", "overkill")


def test_after_going_back_it_is_told_who_went_back_when_and_why(ask, save, promote, folder):
    promote(save("oldest", licence="z"), at="2026-01-01T08:00:00+00:00")
    promote(save("old"), at="2026-02-01T08:00:00+00:00")
    now = promote(save("new", licence="x"), by="Eve", at="2026-03-01T08:00:00+00:00")
    assert ask("look")["serving"]["action"] == "promote"
    ask("rollback", by="Bob", why="overkill", instead_of=now.sha256)
    told, back = ask("look")["serving"], Registry(folder).entries()[-1]
    assert (told["checkpoint"], told["action"]) == ("old", "rollback")
    assert (told["by"], told["why"], told["at"]) == ("Bob", "overkill", back.at)
    assert back.at > "2026-03-01T08:00:00+00:00"
    # What would serve next is told by its promotion, and what is promoted again by its own.
    assert ask("look")["back"]["checkpoint"] == "oldest"
    promote(folder / "new.safetensors", by="Eve", why="mended")
    told = ask("look")["serving"]
    assert (told["checkpoint"], told["action"], told["why"]) == ("new", "promote", "mended")


def test_nobody_goes_back_from_what_he_has_not_seen(ask, save, promote, folder):
    promote(save("old"))
    now = promote(save("new", licence="x"))
    promote(save("newest", licence="y"), by="Eve")
    words = {"by": "Ada", "why": "overkill"}
    assert ask("rollback", instead_of=now.sha256, **words)["error"].endswith(
        "registry.jsonl: Eve has made newest serve meanwhile; look again before you go back"
    )
    assert Registry(folder).serving().checkpoint == "newest"


def test_without_runs_nobody_goes_back(make_backend_of, save, promote, folder):
    promote(save("old"))
    now = promote(save("new", licence="x"))
    registrar = Registrar(make_backend_of(runs=False))
    assert registrar.answer({"action": "look"})["allowed"] is False
    asked = {"action": "rollback", "by": "Ada", "why": "x", "instead_of": now.sha256}
    assert registrar.answer(asked)["error"] == (
        "this page changes nothing about what serves; start it with --runs DIR, or use "
        "`segnet-res rollback`"
    )
    assert Registry(folder).serving().checkpoint == "new"


def test_a_file_that_is_gone_or_another_is_told(ask, save, promote, folder):
    promote(save("old"))
    (folder / "old.safetensors").write_bytes(save("other", licence="x").read_bytes())
    assert "is not the file that Ada promoted" in ask("look")["problem"]
    (folder / "old.safetensors").unlink()
    reply = ask("look")
    assert "is gone, but registry.jsonl says that Ada promoted it" in reply["problem"]
    # The tree still knows it.
    assert tree_of(reply) == {"other": (None, True), "old": (None, False)}


def test_a_damaged_registry_leaves_the_page_as_it_is(ask, save, make_backend_of, folder):
    save("tiles")
    (folder / "registry.jsonl").write_text('{"registry": 1}\n')
    reply = ask("look")
    assert (reply["error"], reply["serving"]) == (None, None)
    assert "line 1 is damaged" in reply["problem"]
    assert make_backend_of().checkpoints.first() == "tiles"


@pytest.mark.parametrize("content", [None, [], "x", {"action": []}, {"action": "promote"}])
def test_forged_questions_are_refused(make_backend_of, content):
    reply = Registrar(make_backend_of()).answer(content)
    assert reply["error"] == "the page asked for something unknown; reload it"
