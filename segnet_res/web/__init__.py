"""The page: pictures in, masks and mIoU out, in a browser; the only package that imports gradio."""

from segnet_res.web.server import Server as Server
from segnet_res.web.server import is_local as is_local
from segnet_res.web.server import serve as serve

__all__ = ["Server", "is_local", "serve"]
