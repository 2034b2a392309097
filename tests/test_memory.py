from segnet_res import memory
from segnet_res.memory import available_memory, trim_memory


def test_this_machine_has_memory():
    assert 100_000_000 < available_memory() <= 1 << 40


def test_where_the_system_does_not_say(monkeypatch):
    def refuse(_name):
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr("os.sysconf", refuse)
    monkeypatch.setattr("pathlib.Path.read_text", lambda _path: "max\n")
    assert available_memory() == 1 << 40


def test_a_container_may_allow_less(monkeypatch):
    monkeypatch.setattr("pathlib.Path.read_text", lambda _path: "2147483648\n")
    assert available_memory() == 2_147_483_648


def test_trimming_asks_the_allocator_where_there_is_one(monkeypatch):
    asked = []
    monkeypatch.setattr(memory, "glibc", lambda name: lambda pad: asked.append((name, pad)))
    trim_memory()
    assert asked == [("malloc_trim", 0)]
    monkeypatch.setattr(memory, "glibc", lambda _name: None)
    trim_memory()
