"""What a check of a dataset says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Something that a person should look at.

    Attributes:
        kind: "orphan", "split", "size", "label", "unreadable", "duplicate", "contradiction",
            "class" or "note".
        path: The file, relative to the dataset folder.
        message: One sentence: what, found, remedy.
    """

    kind: str
    path: str
    message: str

    @property
    def serious(self) -> bool:
        """False for a note: worth knowing, and the data set can be used as it is."""
        return self.kind != "note"
