"""From a browser's questions to drafts and saved masks, labels worked out by hand."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from segnet_res.classes import ClassMap
from segnet_res.data import DatasetInfo, load_info, save_info
from segnet_res.retraining.corrections import annotations
from segnet_res.web.annotation_classes import EditorClasses
from segnet_res.web.annotator import Annotator

DATASET = ClassMap.from_names(["background", "dent", "scratch"], ignore_index=7)
ME = {"browser": "0123456789abcdef", "who": "Ada"}


def write_png(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)
    return path


@pytest.fixture
def data(tmp_path):
    """A dataset "parts" with one labelled picture, and a folder "new" with two others."""
    root = tmp_path / "data"
    write_png(root / "parts/images/old.png", np.full((4, 6), 90))
    write_png(root / "parts/masks/old.png", [[1] * 6, [2] * 6, [0] * 6, [7] * 6])
    save_info(root / "parts", DatasetInfo("parts", DATASET, 1))
    (root / "parts/splits").mkdir()
    (root / "parts/splits/train.txt").write_text("old\n")
    bright = np.full((4, 6), 40)
    bright[:, 4:] = 200
    write_png(root / "new/a.png", bright)
    write_png(root / "new/deep/b.png", 255 - bright)
    return root


class Desk:
    """Asks as the page does: the model calls bright pixels "scratch", its second class."""

    def __init__(self, backend, user=None):
        model = backend.checkpoints.model
        entry = SimpleNamespace(
            name="bright", metadata=SimpleNamespace(class_map=model.class_map, channels=1)
        )
        file = backend.storage.folder / "bright.safetensors"
        file.write_bytes(b"weights")
        backend.checkpoints.entries = lambda: [entry]
        backend.checkpoints.key = lambda _: (file, 1, 7)
        self.backend, self.user = backend, user
        self.annotator = Annotator(backend)
        self.proposer = f"bright {hashlib.sha256(b'weights').hexdigest()[:12]}"

    def ask(self, action, *, person=ME, user=None, **fields):
        return self.annotator.answer({"action": action, **person, **fields}, user or self.user)

    def open(self, source, *, person=ME, user=None, **fields):
        asked = {"dataset": "parts", "model": "bright", "start": "best"} | fields
        *before, reply = self.annotator.open(
            {"source": source, **person, **asked}, user or self.user
        )
        assert {one["kind"] for one in before} <= {"heard", "waiting"}
        return reply

    def mask(self, labels):
        """Upload a mask as the script does: Gradio's folder is called by the content."""
        content = np.asarray(labels, np.uint8).tobytes()
        folder = self.backend.storage.folder / hashlib.sha256(content).hexdigest()
        return str(write_png(folder / f"corrected-mask-{np.random.bytes(16).hex()}.png", labels))

    def labels(self, reply):
        return np.asarray(Image.open(reply["files"]["labels"]))

    def keep(self, action, source, labels, opened, classes=None, mask=None, **fields):
        rows = opened["classes"] if classes is None else classes
        asked = {
            "dataset": "parts",
            "opened": opened["opened"],
            "classes": rows,
            "proposed_by": opened["proposed_by"],
            "picture_sha256": opened["picture_sha256"],
            "mask": self.mask(labels) if mask is None else mask,
        }
        return self.ask(action, source=source, **asked | fields)


@pytest.fixture
def desk(make_backend, data):
    return Desk(make_backend(data=data))


def in_folder(file, folder="new"):
    return {"kind": "folder", "folder": folder, "file": file}


NEW, OLD = in_folder("a.png"), in_folder("old.png", "parts/images")


def names(reply):
    return [(row["name"], row["own"]) for row in reply["classes"]]


def test_places_are_datasets_with_their_classes_and_all_folders(desk):
    reply = desk.ask("places")
    assert reply["folders"] == [".", "new", "parts", "new/deep", "parts/images", "parts/masks",
                                "parts/splits"]  # fmt: skip
    assert [(one["name"], one["classes"]) for one in reply["datasets"]] == [
        ("parts", ["background", "dent", "scratch"])
    ]
    assert reply["user"] is None
    assert desk.ask("places", user="anna")["user"] == "anna"


def test_a_list_tells_what_the_dataset_knows_of_each_picture(desk, data):
    write_png(data / "new/copy.png", np.full((4, 6), 90))
    rows = desk.ask("list", folder="new", dataset="parts")["pictures"]
    assert [(row["file"], row["state"], row["split"]) for row in rows] == [
        ("a.png", "", ""), ("copy.png", "labelled", "train"), ("deep/b.png", "", ""),
    ]  # fmt: skip
    assert [row["state"] for row in desk.ask("list", folder="new")["pictures"]] == ["", "", ""]


def test_a_new_picture_opens_with_the_prediction_in_the_dataset_s_classes(desk):
    reply = desk.open(NEW)
    # The model's "sound" is the dataset's background; its "dent" and "scratch" are known by name.
    assert names(reply) == [("background", True), ("dent", True), ("scratch", True)]
    assert reply["origin"] == "prediction"
    assert desk.labels(reply).tolist() == [[0, 0, 0, 0, 2, 2]] * 4
    assert reply["files"]["proposal"] == reply["files"]["labels"]
    assert (reply["background"], reply["ignore"], reply["opened"]) == (0, 255, None)
    assert reply["proposed_by"] == desk.proposer
    assert reply["image"] == {"name": "a.png", "width": 6, "height": 4}


def test_a_prediction_is_what_the_sliders_left_of_it(desk):
    # Two columns of a defect, eight pixels.
    assert desk.labels(desk.open(NEW, min_region=8)).tolist() == [[0, 0, 0, 0, 2, 2]] * 4
    assert desk.labels(desk.open(NEW, min_region=9)).tolist() == [[0] * 6] * 4
    assert desk.labels(desk.open(NEW, threshold=100)).tolist() == [[0] * 6] * 4
    assert desk.labels(desk.open(NEW, threshold="a lot")).tolist() == [[0, 0, 0, 0, 2, 2]] * 4


def test_a_picture_of_the_dataset_opens_with_its_mask_also_under_another_name(desk, data):
    write_png(data / "new/copy.png", np.full((4, 6), 90))
    sha256 = hashlib.sha256((data / "parts/masks/old.png").read_bytes()).hexdigest()
    for source in (OLD, in_folder("copy.png")):
        reply = desk.open(source)
        assert reply["origin"] == "saved"
        assert desk.labels(reply).tolist() == [[1] * 6, [2] * 6, [0] * 6, [255] * 6]
        assert reply["opened"] == sha256
        assert (reply["saved"]["stem"], reply["saved"]["state"]) == ("old", "labelled")


def test_without_a_checkpoint_the_mask_is_empty(desk):
    reply = desk.open(NEW, model="")
    assert (reply["origin"], desk.labels(reply).tolist()) == ("empty", [[0] * 6] * 4)
    nothing = desk.open(NEW, model="", dataset="")
    assert nothing["error"] == (
        "there are no classes to annotate with; choose a dataset, or a checkpoint at the top of "
        "the page"
    )


def test_without_a_dataset_the_classes_are_the_model_s_and_none_is_anybody_s_own(desk):
    reply = desk.open(NEW, dataset="")
    assert names(reply) == [("sound", False), ("scratch", False), ("dent", False)]
    assert desk.labels(reply).tolist() == [[0, 0, 0, 0, 1, 1]] * 4


def test_a_draft_comes_back_to_its_person_alone(desk, data):
    opened = desk.open(NEW)
    labels = np.array([[0, 1, 255, 0, 2, 2]] * 4)
    kept = desk.keep("draft", NEW, labels, opened)
    assert kept["error"] is None
    # In another process, after a restart.
    again = Desk(desk.backend)
    reply = again.open(NEW)
    assert (reply["origin"], reply["draft"]) == ("draft", kept["when"])
    assert again.labels(reply).tolist() == labels.tolist()
    assert reply["proposed_by"] == desk.proposer
    assert again.open(NEW, person={"browser": "fedcba9876543210"})["origin"] == "prediction"
    # Who logs in has the same draft in every browser.
    assert desk.keep("draft", NEW, labels, opened, user="anna")["error"] is None
    assert again.open(NEW, user="anna", person={"browser": "fedcba98"})["origin"] == "draft"
    assert again.open(NEW, start="prediction")["origin"] == "prediction"
    nobody = desk.keep("draft", NEW, labels, opened, person={"browser": "../x"})
    assert nobody["error"] == "the page does not say whose draft it is; reload it"
    # Hidden: it passes for no dataset and no picture.
    assert again.ask("list", folder=".")["pictures"] == desk.ask("list", folder=".")["pictures"]
    assert not any(".drafts" in name for name in again.ask("places")["folders"])
    look = again.ask("look", pictures=[NEW, OLD], dataset="parts")["pictures"]
    assert [(one["draft"], one["state"]) for one in look] == [
        (kept["when"], ""),
        (None, "labelled"),
    ]


def test_two_tabs_do_not_take_each_others_drafts(desk):
    opened = [desk.open(NEW), desk.open(NEW)]
    for i, reply in enumerate(opened):
        assert reply["draft"] is None, i
    labels = np.array([[0, 1, 0, 0, 1, 2]] * 4)
    assert desk.keep("draft", NEW, labels, opened[0], tab="one")["error"] is None
    refused = desk.keep("draft", NEW, np.zeros((4, 6)), opened[1], tab="two")
    assert refused["error"] == (
        "another tab or window keeps a draft of this picture; save this one, or reload the page to "
        "go on with the other"
    )
    assert desk.keep("save", NEW, np.zeros((4, 6)), opened[1], state="done", tab="two")["saved"]
    # What the first has drawn is still there.
    reply = desk.open(NEW)
    assert reply["origin"] == "draft"
    assert np.array_equal(desk.labels(reply), labels)
    gone_on = desk.keep("draft", NEW, labels, reply, tab="three", draft=reply["draft"])
    assert gone_on["error"] is None


def test_a_mask_is_not_saved_with_the_picture_that_took_the_place_of_its_own(desk, data):
    opened = desk.open(NEW)
    labels = np.array([[0, 1, 0, 0, 1, 2]] * 4)
    assert desk.keep("draft", NEW, labels, opened)["error"] is None
    write_png(data / "new" / "a.png", np.full((4, 6), 77))
    told = "a.png: has changed since it was opened; reload the page to see what is there now"
    assert desk.keep("draft", NEW, labels, opened)["error"] == told
    assert desk.keep("save", NEW, labels, opened, state="done")["error"] == told
    assert not (data / "parts" / "masks" / "a.png").exists()
    # The next part begins with its own mask, and not with the draft of the one before.
    assert desk.open(NEW)["draft"] is None


def test_a_draft_is_gone_when_it_is_saved(desk):
    opened = desk.open(NEW)
    desk.keep("draft", NEW, np.zeros((4, 6)), opened)
    assert desk.keep("save", NEW, np.zeros((4, 6)), opened, state="done")["error"] is None
    assert desk.open(NEW)["draft"] is None


def test_saving_writes_picture_mask_and_who(desk, data):
    labels = np.array([[0, 1, 255, 0, 2, 2]] * 4)
    reply = desk.keep(
        "save", NEW, labels, desk.open(NEW), state="done", part="7", proposed_by=desk.proposer
    )
    saved = reply["saved"]
    assert (saved["stem"], saved["state"], saved["who"], saved["part"]) == ("a", "done", "Ada", "7")
    assert saved["proposed_by"] == desk.proposer
    assert (saved["revision"], saved["split"]) == (1, "val")
    mask = np.asarray(Image.open(data / "parts/masks/a.png"))
    # In the dataset's own labels: what cannot be judged is 7 there.
    assert mask.tolist() == [[0, 1, 7, 0, 2, 2]] * 4
    assert (data / "parts/images/a.png").read_bytes() == (data / "new/a.png").read_bytes()
    rows = desk.ask("list", folder="new", dataset="parts")["pictures"]
    assert [(row["file"], row["state"]) for row in rows] == [("a.png", "done"), ("deep/b.png", "")]
    again = desk.open(NEW)
    assert (again["origin"], again["saved"]["who"]) == ("saved", "Ada")
    assert desk.labels(again).tolist() == labels.tolist()


def test_saving_twice_makes_a_revision_and_no_second_picture(desk, data):
    opened = desk.open(NEW)
    desk.keep("save", NEW, np.zeros((4, 6)), opened, state="to review")
    opened = desk.open(NEW)
    saved = desk.keep("save", NEW, np.ones((4, 6)), opened, state="done")["saved"]
    assert saved["revision"] == 2
    assert sorted(path.name for path in (data / "parts/images").iterdir()) == ["a.png", "old.png"]


def test_of_two_who_save_the_second_is_told_and_may_replace(desk, data):
    opened = desk.open(NEW)
    ben = ME | {"browser": "fedcba9876543210", "who": "Ben"}
    desk.open(NEW, person=ben)
    first = desk.keep("save", NEW, np.ones((4, 6)), opened, state="done", person=ben)["saved"]
    refused = desk.keep("save", NEW, np.zeros((4, 6)), opened, state="done")
    assert refused["error"] is None
    assert (refused["conflict"]["who"], refused["conflict"]["when"]) == ("Ben", first["when"])
    assert annotations(data / "parts")["a"].who == "Ben"
    forced = desk.keep("save", NEW, np.zeros((4, 6)), opened, state="done", overwrite=True)
    assert (forced["saved"]["who"], forced["saved"]["revision"]) == ("Ada", 2)
    kept = np.asarray(Image.open(data / "parts/history/a/1.png"))
    assert kept.tolist() == [[1] * 6] * 4


def test_an_upload_goes_once_it_is_read_and_leaves_an_equal_one_of_somebody_else(desk):
    opened, labels = desk.open(NEW), np.ones((4, 6))
    mine, theirs = Path(desk.mask(labels)), Path(desk.mask(labels))
    assert mine.parent == theirs.parent
    assert desk.keep("draft", NEW, labels, opened, mask=str(mine))["error"] is None
    assert not mine.exists()
    saved = desk.keep("save", NEW, labels, opened, mask=str(theirs), state="done")
    assert saved["error"] is None
    assert not theirs.exists()


def test_a_draft_remembers_which_mask_it_began_with(desk):
    opened = desk.open(NEW)
    desk.keep("draft", NEW, np.zeros((4, 6)), opened)
    ben = ME | {"browser": "fedcba9876543210", "who": "Ben"}
    desk.keep("save", NEW, np.ones((4, 6)), opened, state="done", person=ben)
    reply = desk.open(NEW)
    assert (reply["origin"], reply["opened"]) == ("draft", None)
    assert reply["saved"]["who"] == "Ben"
    assert "conflict" in desk.keep("save", NEW, np.zeros((4, 6)), reply, state="done")
    theirs = desk.open(NEW, start="saved")
    assert desk.labels(theirs).tolist() == [[1] * 6] * 4


def test_a_class_that_the_dataset_lacks_joins_it_when_a_mask_shows_it(make_backend, data):
    known = ClassMap.from_names(["sound", "scratch", "chip", "dent", "burr"])
    desk = Desk(make_backend(known, data))
    opened = desk.open(NEW)
    assert names(opened)[3:] == [("chip", False), ("burr", False)]
    labels = np.array([[0, 1, 2, 4, 0, 0]] * 4)
    assert desk.keep("save", NEW, labels, opened, state="done")["error"] is None
    # Only "burr", the fifth in the editor, is in the mask: it is the dataset's fourth now.
    assert load_info(data / "parts").class_map.names == ("background", "dent", "scratch", "burr")
    assert np.asarray(Image.open(data / "parts/masks/a.png")).tolist() == [[0, 1, 2, 3, 0, 0]] * 4
    # Masks that were there mean what they meant.
    assert desk.labels(desk.open(OLD)).tolist() == [[1] * 6, [2] * 6, [0] * 6, [255] * 6]


def test_a_save_that_is_refused_adds_no_class(make_backend, data):
    desk = Desk(make_backend(ClassMap.from_names(["sound", "scratch", "burr"]), data))
    opened = desk.open(NEW)
    assert names(opened)[3] == ("burr", False)
    burr = np.full((4, 6), 3)
    ben = ME | {"browser": "fedcba9876543210", "who": "Ben"}
    first = desk.keep("save", NEW, np.ones((4, 6)), opened, state="done", person=ben)["saved"]
    refused = desk.keep("save", NEW, burr, opened, state="done")
    assert (refused["conflict"]["who"], refused["conflict"]["when"]) == ("Ben", first["when"])
    assert load_info(data / "parts").class_map == DATASET
    # Whoever knows of the other mask may replace it, and then the class is wanted.
    forced = desk.keep("save", NEW, burr, opened, state="done", overwrite=True)
    assert forced["saved"]["revision"] == 2
    assert load_info(data / "parts").class_map.names == (*DATASET.names, "burr")


def test_a_mask_that_nobody_signed_is_a_conflict_too_before_a_class_joins(make_backend, data):
    desk = Desk(make_backend(ClassMap.from_names(["sound", "scratch", "burr"]), data))
    opened = desk.open(OLD)
    write_png(data / "parts/masks/old.png", np.zeros((4, 6)))
    refused = desk.keep("save", OLD, np.full((4, 6), 3), opened, state="done")
    assert refused["conflict"] == {"who": None, "when": None}
    assert load_info(data / "parts").class_map == DATASET


def test_a_new_dataset_takes_classes_in_the_model_s_colours(desk, data):
    made = desk.ask("new_dataset", name="bolts", names=["sound", " dent ", "chip"], model="bright")
    assert (made["error"], made["made"]) == (None, "bolts")
    info = load_info(data / "bolts")
    assert (info.name, info.class_map.names, info.channels) == (
        "bolts",
        ("sound", "dent", "chip"),
        1,
    )
    assert info.class_map.colors[1] == desk.backend.checkpoints.model.class_map.colors[2]
    assert len(set(info.class_map.colors)) == 3
    opened = desk.open(NEW, dataset="bolts")
    saved = desk.keep("save", NEW, np.ones((4, 6)), opened, state="done", dataset="bolts")
    assert saved["saved"]["split"] == "train"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("../out", "a dataset cannot be called '../out'"),
        (".drafts", "a dataset cannot be called '.drafts'"),
        ("", "a dataset cannot be called ''"),
        ("a/b", "a dataset cannot be called 'a/b'"),
        ("PARTS", "there is a folder PARTS already; give the dataset another name"),
    ],
)
def test_names_of_datasets_lead_nowhere(desk, data, name, sentence):
    before = sorted(path for path in data.parent.rglob("*") if "page" not in path.parts)
    reply = desk.ask("new_dataset", name=name, names=["sound", "dent"])
    assert reply["error"].startswith(sentence)
    assert before == sorted(path for path in data.parent.rglob("*") if "page" not in path.parts)


def test_classes_are_added_by_name(desk, data):
    added = desk.ask("new_class", dataset="parts", name=" fray ")["added"]
    assert added["name"] == "fray"
    assert load_info(data / "parts").class_map.names[3] == "fray"
    assert desk.ask("new_class", dataset="parts", name="fray")["error"] is not None
    for name in ("", "a\nb", "x" * 101, None, "\u202egnp"):
        reply = desk.ask("new_class", dataset="parts", name=name)
        assert reply["error"].startswith("a class cannot be called")
    assert len(load_info(data / "parts").class_map) == 4


def test_what_does_not_fit_is_refused_with_a_sentence(desk, data):
    opened = desk.open(NEW)
    assert desk.keep("save", NEW, np.zeros((5, 6)), opened, state="done")["error"] == (
        "the mask has another size than a.png (6x4); open the picture again"
    )
    assert desk.keep("draft", NEW, np.full((4, 6), 9), opened)["error"] == (
        "the mask holds labels without a class; open the picture again"
    )
    assert desk.keep("save", NEW, np.zeros((4, 6)), opened, state="fine")["error"] == (
        "a picture can be to review, done, rejected; press one of the buttons"
    )
    nameless = desk.keep("save", NEW, np.zeros((4, 6)), opened, state="done", person={"who": " "})
    assert nameless["error"] == ("your name is missing; write it into the field beside the buttons")
    assert sorted(path.name for path in (data / "parts/images").iterdir()) == ["old.png"]


SAVE = {"action": "save", "state": "done", "dataset": "parts", "source": NEW}

FORGED = [
    SAVE | {"dataset": "../parts"},
    SAVE | {"source": in_folder("x", "..")},
    SAVE | {"source": in_folder("../parts/images/old.png")},
    SAVE | {"mask": "/etc/passwd", "classes": [{"name": "a"}]},
    {"action": "draft", "source": {"kind": "upload", "path": "/etc/passwd"}, "mask": "x"},
    {"action": "draft", "source": NEW, "mask": 5, "classes": "no"},
    {"action": "draft", "source": NEW, "classes": [{"name": 3}]},
    {"action": "draft", "source": NEW, "classes": [{"name": "a", "color": "red"}]},
    {"action": "draft", "source": NEW, "classes": [{"name": "a"}] * 300},
    {"action": "list", "folder": "/etc", "dataset": None},
    {"action": "list", "folder": "new", "dataset": {"a": 1}},
    {"action": "look", "pictures": [NEW] * 100},
    {"action": "new_class", "dataset": "..", "name": "x"},
    {"action": "new_dataset", "name": "ok", "names": ["a", 3]},
    {"action": "places/../x"},
    {"action": ["save"]},
    [],
    "save",
    None,
]  # fmt: skip


@pytest.mark.parametrize("content", FORGED, ids=range(len(FORGED)))
def test_forged_questions_get_a_sentence_and_change_nothing(desk, data, content):
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    if isinstance(content, dict):
        content = ME | content
    reply = desk.annotator.answer(content, None)
    assert reply["error"] is not None
    assert "unexpected" not in reply["error"]
    json.dumps(reply)
    assert before == {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}


def test_pictures_that_a_link_leads_out_to_are_not_listed(desk, data, tmp_path):
    outside = write_png(tmp_path / "outside.png", np.zeros((4, 4)))
    (data / "new/link.png").symlink_to(outside)
    files = [row["file"] for row in desk.ask("list", folder="new")["pictures"]]
    assert files == ["a.png", "deep/b.png"]


def test_an_upload_that_is_gone_is_told_apart(desk):
    gone = {"kind": "upload", "path": str(desk.backend.storage.folder / "x/y.png"), "name": "y.png"}
    reply = desk.open(gone)
    assert reply["gone"]
    assert reply["error"] == "the upload is no longer here; choose the file again"
    assert desk.keep("draft", gone, np.zeros((4, 6)), desk.open(NEW))["gone"]


def test_thumbnails_of_what_cannot_be_read_say_so(desk, data):
    (data / "new/broken.png").write_bytes(b"nonsense")
    good, bad = desk.ask("look", pictures=[NEW, in_folder("broken.png")])["pictures"]
    with Image.open(good["thumb"]) as thumb:
        assert thumb.size == (6, 4)
    assert good["error"] is None
    assert bad["error"].startswith("broken.png")


def test_labels_of_names_that_are_not_there_cannot_be_judged():
    classes = EditorClasses.gather(ClassMap.from_names(["sound", "dent"]))
    labels = np.array([[0, 1, 2, 9]], np.uint8)
    assert classes.take(labels, ["background", "chip", "dent"], 9).tolist() == [[0, 255, 1, 255]]


def test_the_drafts_of_a_dataset_do_not_count_as_masks_of_another(desk, data):
    desk.ask("new_dataset", name="bolts", names=["sound", "scratch"], model="bright")
    opened = desk.open(OLD)
    desk.keep("draft", OLD, np.full((4, 6), 2), opened)
    reply = desk.open(OLD, dataset="bolts")
    # The same work, in the other dataset's classes; there is no mask there that it could replace.
    assert (reply["origin"], reply["opened"], reply["saved"]) == ("draft", None, None)
    assert desk.labels(reply).tolist() == [[1] * 6] * 4


def test_a_draft_of_another_dataset_does_not_replace_what_somebody_saved(desk):
    desk.ask("new_dataset", name="bolts", names=["background", "scratch"], model="bright")
    desk.keep("draft", NEW, np.full((4, 6), 1), desk.open(NEW, dataset="bolts"), dataset="bolts")
    bob = {"browser": "b" * 16, "who": "Bob"}
    begun = desk.open(NEW, person=bob)
    desk.keep("save", NEW, np.full((4, 6), 2), begun, person=bob, state="done")
    reply = desk.open(NEW)
    # The page says by whom it was saved since, because that is not what the draft was begun on.
    assert (reply["origin"], reply["opened"], reply["saved"]["who"]) == ("draft", None, "Bob")
    answer = desk.keep("save", NEW, np.full((4, 6), 1), reply, state="done")
    assert answer["conflict"]["who"] == "Bob"
    answer = desk.keep("save", NEW, np.full((4, 6), 1), reply, state="done", overwrite=True)
    assert answer["saved"]["revision"] == 2


def test_what_is_refused_leaves_no_class_behind(desk, data):
    with (data / "parts/dataset.yaml").open("a") as file:
        file.write("group: 'cap\\d+'\n")
    opened = desk.open(NEW)
    rows = [*opened["classes"], {"index": 3, "name": "fray", "color": "#123456", "own": False}]
    for overwrite in (False, True):
        answer = desk.keep(
            "save", NEW, np.full((4, 6), 3), opened, classes=rows, state="done", overwrite=overwrite
        )
        assert "the group expression 'cap\\\\d+' of the dataset does not match" in answer["error"]
    assert load_info(data / "parts").class_map == DATASET
    assert not annotations(data / "parts")


def test_classes_that_differ_in_capitals_alone_are_one(desk, data):
    path = data / "parts/dataset.yaml"
    path.write_text(path.read_text().replace("scratch", "Scratch_"))
    opened = desk.open(NEW)
    assert names(opened) == [("background", True), ("dent", True), ("Scratch_", True)]
    answer = desk.keep("save", NEW, desk.labels(opened), opened, state="done")
    assert answer["saved"]["state"] == "done"
    assert load_info(data / "parts").class_map.names == ("background", "dent", "Scratch_")


def test_names_that_are_no_picture_of_the_folder(desk, data):
    (data / ".hidden").mkdir()
    write_png(data / ".hidden/a.png", np.zeros((4, 6)))
    write_png(data.parent / "outside.png", np.zeros((4, 6)))
    (data / "new/link.png").symlink_to(data.parent / "outside.png")
    (data / "new/notes.txt").write_text("no picture")
    wrong = ["../parts/images/old.png", "../../outside.png", "link.png", "notes.txt", "deep", "",
             "deep//b.png", "./a.png", "/etc/passwd", "a.png\0", "x" * 5000, "..", "no.png",
             "deep\\b.png"]  # fmt: skip
    for file in wrong:
        assert "the folder holds no picture" in desk.open(in_folder(file))["error"], file
    assert "holds no picture" in desk.open(in_folder(".hidden/a.png", "."))["error"]
    assert desk.open(in_folder("deep/b.png"))["error"] is None


def test_many_pictures_of_one_size_are_hashed_once(desk, data, monkeypatch):
    from segnet_res.web.annotation_places import Fingerprints

    for i in range(20):
        pixels = np.full((4, 6), i)
        for place in (data / "parts/images", data / "many"):
            place.mkdir(exist_ok=True)
            Image.fromarray(np.asarray(pixels, np.uint8)).save(place / f"n{i}.bmp")
    asked, of = [], Fingerprints.of
    monkeypatch.setattr(Fingerprints, "of", lambda self, path: asked.append(path) or of(self, path))
    rows = desk.ask("list", folder="many", dataset="parts")["pictures"]
    assert len(rows) == 20
    assert len(asked) == 40


def test_the_folder_of_runs_holds_no_datasets(make_backend, data, storage):
    from segnet_res.web.folders import Folders

    save_info(data / "parts", DatasetInfo("parts", DATASET, 1))
    (data / "runs/first/data").mkdir(parents=True)
    save_info(data / "runs/first/data", DatasetInfo("copy", DATASET, 1))
    seen = Folders(data, data / "runs")
    assert list(seen.dataset_folders()) == ["parts"]
    assert not any(name.startswith("runs") for name in seen.names())
    assert "runs/first/data" in Folders(data).dataset_folders()


def test_masks_and_copies_of_runs_are_no_pictures(data):
    from segnet_res.web.folders import Folders

    root = data / "line/belt/caps"
    for place in (root, data / "runs/first/data"):
        save_info(place, DatasetInfo("caps", DATASET, 1))
        for name in ("images/a.png", "masks/a.png", "history/a/0.png", "masks.png"):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros((8, 8), np.uint8)).save(place / name)
    before = {"line/belt/caps/images/a.png", "line/belt/caps/masks.png"}
    seen = Folders(data, data / "runs")
    assert set(seen.pictures(seen.folder("."))) >= before
    assert not any("runs" in name or "/masks/" in name or "history" in name
                   for name in seen.pictures(seen.folder(".")))  # fmt: skip
    assert list(seen.pictures(seen.folder("line/belt/caps"))) == ["images/a.png", "masks.png"]
    # One level deeper than folders are looked for.
    assert list(seen.pictures(seen.folder("line/belt/caps/images"))) == ["a.png"]


def test_dataset_folders_are_there_before_their_first_picture(tmp_path: Path):
    from segnet_res.web.folders import Folders

    save_info(tmp_path, DatasetInfo("empty", DATASET, 1))
    assert Folders(tmp_path).dataset_folders() == {".": tmp_path}
    assert Folders(tmp_path).datasets() == {}


def drive(work, *, stop_after=None):
    """Run the work of a job; what it says of its progress comes back."""
    steps, told = work.run(), []
    try:
        told.append(next(steps))
        while True:
            told.append(steps.send(stop_after is not None and len(told) > stop_after))
    except StopIteration:
        return told


@pytest.fixture(scope="module")
def tiny_library(tmp_path_factory):
    """A folder with an untrained model, as `Library` finds it."""
    import torch

    from segnet_res.checkpoint import Checkpoint, Metadata
    from segnet_res.models import build_model
    from segnet_res.web.checkpoints import Library

    torch.manual_seed(3)
    model = build_model("ressegnet-tiny", num_classes=3, channels=1, mean=(90.0,), std=(40.0,))
    meta = Metadata(
        architecture="ressegnet-tiny", class_map=ClassMap.from_names(["sound", "dent", "scratch"]),
        channels=1, mean=(90.0,), std=(40.0,),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("checkpoints")
    Checkpoint(meta, model.state_dict()).save(folder / "tiny.safetensors")
    return Library(folder, device="cpu")


@pytest.fixture
def folder_of_pictures(tmp_path):
    rng = np.random.default_rng(1)
    pictures = {
        f"{name}.png": write_png(tmp_path / f"new/{name}.png", rng.integers(0, 255, (40, 48)))
        for name in "abc"
    }
    pictures["copy.png"] = tmp_path / "new/copy.png"
    pictures["copy.png"].write_bytes(pictures["b.png"].read_bytes())
    pictures["broken.png"] = tmp_path / "new/broken.png"
    pictures["broken.png"].write_bytes(b"nonsense")
    return pictures


def test_a_ranking_orders_pictures_and_names_what_it_leaves_out(
    tiny_library, folder_of_pictures, data, tmp_path
):
    from segnet_res.web.queue_work import QueueWork

    known = data / "parts"
    (known / "images/seen.png").write_bytes(folder_of_pictures["a.png"].read_bytes())
    work = QueueWork(tiny_library, "tiny", folder_of_pictures, known, tmp_path / "q.sqlite")
    told = drive(work)
    assert {row["file"] for row in work.rows} == {"b.png", "c.png"}
    scores = [row["score"] for row in work.rows]
    assert scores == sorted(scores, reverse=True)
    assert work.rows[0]["reason"].startswith(f"{scores[0]:.2f}; ")
    left = {one["file"]: one["reason"] for one in work.skipped}
    assert left["a.png"] == "looks like seen, which is in the dataset"
    assert left["copy.png"] == "looks like b.png, which stands higher"
    assert left["broken.png"].startswith("broken.png: not a picture")
    # Two known pictures are looked at first.
    assert (told[-1].done, told[-1].total) == (7, 7)
    assert [step.done for step in told] == sorted(step.done for step in told)


def test_a_ranking_that_is_stopped_gives_what_it_has_and_the_next_one_goes_on(
    tiny_library, folder_of_pictures, tmp_path
):
    from segnet_res.web.queue_work import QueueWork

    del folder_of_pictures["broken.png"], folder_of_pictures["copy.png"]
    work = QueueWork(tiny_library, "tiny", folder_of_pictures, None, tmp_path / "q.sqlite")
    # One turn for the model, one for nothing known, then a picture each.
    drive(work, stop_after=3)
    assert 0 < len(work.rows) < 3
    first = {row["file"]: row["score"] for row in work.rows}
    again = QueueWork(tiny_library, "tiny", folder_of_pictures, None, tmp_path / "q.sqlite")
    drive(again)
    scores = {row["file"]: row["score"] for row in again.rows}
    assert len(scores) == 3
    assert {file: scores[file] for file in first} == first


def test_a_checkpoint_that_is_replaced_while_pictures_are_ranked_leaves_no_numbers_to_the_next(
    tiny_library, folder_of_pictures, data, tmp_path
):
    from segnet_res.checkpoint import Checkpoint
    from segnet_res.web.queue_work import QueueWork

    path = tiny_library.folder / "tiny.safetensors"
    before = path.read_bytes()
    steps = QueueWork(
        tiny_library, "tiny", folder_of_pictures, data / "parts", tmp_path / "q.sqlite"
    ).run()
    next(steps)
    steps.send(False)
    # Loaded by now; the pictures of the dataset are looked at.
    tiny = Checkpoint.load(path)
    replace(tiny, tensors={name: 2 * one for name, one in tiny.tensors.items()}).save(path)
    for _ in steps:
        pass
    rows = []
    for cache in ("q.sqlite", "fresh.sqlite"):
        work = QueueWork(tiny_library, "tiny", folder_of_pictures, None, tmp_path / cache)
        drive(work)
        rows.append(work.rows)
    assert rows[0] == rows[1]
    path.write_bytes(before)


def test_rankings_are_jobs_of_the_page(desk, data):
    empty = data / "empty"
    empty.mkdir()
    assert desk.ask("rank", folder="empty", model="bright")["error"] == (
        "empty holds 0 pictures, the page ranks 1 to 20000; choose another folder, or use "
        "segnet-res queue"
    )
    assert desk.ask("rank", folder="new", model="")["error"] == (
        "no checkpoint was given; choose one at the top of the page"
    )
    assert desk.ask("watch", job="guessed")["error"] == (
        "this job is no longer here; start it again"
    )
