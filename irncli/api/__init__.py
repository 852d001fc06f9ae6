"""The Python interface: what `irncli` itself makes public, and what it is made of."""

from irncli.api.model import Model, load
from irncli.api.restore import restore

__all__ = ["Model", "load", "restore"]
