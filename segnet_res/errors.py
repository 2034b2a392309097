"""Errors that a user can act on; each message says what, what was found, and the remedy."""

# Nobody reads more at once, and a file from anywhere may hold thousands.
_MOST_PROBLEMS = 20


class SegnetResError(Exception):
    """Base of every error that this package raises on purpose."""


class UsageError(SegnetResError):
    """An option or argument does not make sense."""


class DataError(SegnetResError):
    """A dataset, a list of classes or a mask cannot be used as it is."""


class ImageError(DataError):
    """A picture or mask file cannot be read."""


class SpecError(DataError):
    """A file of limits cannot be used, or does not fit the picture.

    Args:
        name: The file.
        problems: Everything that is wrong with it, "what: found; remedy" each; at least one.

    Attributes:
        problems: The same; of very many the first and how many more there are.
    """

    def __init__(self, name: str, problems: list[str]) -> None:
        told = problems[:_MOST_PROBLEMS]
        if len(problems) > len(told):
            told.append(f"and {len(problems) - len(told):,} more; correct these first")
        self.problems = tuple(told)
        listed = " ".join(f"({i}) {problem}" for i, problem in enumerate(told, start=1))
        several = f"{len(problems):,} things to correct: {listed}"
        super().__init__(f"{name}: {problems[0] if len(problems) == 1 else several}")


class StorageError(SegnetResError):
    """A file or folder cannot be written."""


class CheckpointError(SegnetResError):
    """A checkpoint cannot be read, or does not fit its use."""


class TrainingError(SegnetResError):
    """Training cannot start or go on."""


class DeviceError(SegnetResError):
    """A device is missing or has too little memory."""
