"""Which agents there are: the built-ins of this package, and what other packages add.

A plugin that does not load is named and left out; it never takes the others down.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import Final

from headroomd import agents
from headroomd.agents.base import AgentPlugin
from headroomd.errors import PluginError

__all__ = ["ENTRY_POINT_GROUP", "Plugins", "load_plugins"]

ENTRY_POINT_GROUP: Final = "headroom.learn_plugin"

_NO_PLUGIN: Final = object()  # what stands for the plugin of a built-in module that only helps others


@dataclass(frozen=True)
class Plugins:
    """The agents that can be read, by name (built-ins first), and those that cannot, with the reason."""

    plugins: dict[str, AgentPlugin] = field(default_factory=dict)
    broken: list[PluginError] = field(default_factory=list)


class _UnusableError(Exception):
    """What was loaded cannot serve as a plugin; the message says why."""


def load_plugins() -> Plugins:
    """Every agent plugin there is. Never raises: what does not load is in `broken`."""
    # Imported here because it costs 60 ms, which commands that read no session need not pay.
    from importlib.metadata import entry_points

    found = Plugins()
    for module in pkgutil.iter_modules(agents.__path__, f"{agents.__name__}."):
        _add(found, module.name, partial(_plugin_of, module.name), "reinstall headroomd")
    for point in entry_points(group=ENTRY_POINT_GROUP):
        package = point.dist.name if point.dist else point.module
        _add(found, f"{point.name!r} of {package}", point.load, f"update or uninstall {package}")
    return found


def _plugin_of(module: str) -> object:
    return getattr(import_module(module), "plugin", _NO_PLUGIN)


def _add(found: Plugins, source: str, load: Callable[[], object], remedy: str) -> None:
    try:
        loaded = load()
        if loaded is _NO_PLUGIN:
            return
        plugin = _checked(loaded)
        if plugin.name in found.plugins:
            raise _UnusableError(f"an agent named {plugin.name!r} is there already")
    except _UnusableError as error:
        reason = str(error)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
    else:
        found.plugins[plugin.name] = plugin
        return
    found.broken.append(PluginError(f"agent plugin {source} was left out ({reason})", remedy))


def _checked(loaded: object) -> AgentPlugin:
    if not isinstance(loaded, AgentPlugin):
        raise _UnusableError(f"expected an instance of AgentPlugin, found {type(loaded).__name__}")
    for attribute in ("name", "title"):
        value = getattr(loaded, attribute, None)
        if not isinstance(value, str) or not value:
            raise _UnusableError(f"it has no {attribute}")
    return loaded
