"""Errors that a user can act on; each message says what, what was found, and the remedy."""


class SegnetResError(Exception):
    """Base of every error that this package raises on purpose."""


class UsageError(SegnetResError):
    """An option or argument does not make sense."""


class DataError(SegnetResError):
    """A dataset, a list of classes or a mask cannot be used as it is."""


class ImageError(DataError):
    """A picture or mask file cannot be read."""


class StorageError(SegnetResError):
    """A file or folder cannot be written."""


class CheckpointError(SegnetResError):
    """A checkpoint cannot be read, or does not fit its use."""


class TrainingError(SegnetResError):
    """Training cannot start or go on."""


class DeviceError(SegnetResError):
    """A device is missing or has too little memory."""
