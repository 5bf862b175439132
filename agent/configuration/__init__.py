"""The configuration that the centre sent: kept, tried, confirmed or rolled back (配置下发与回退)."""

from agent.configuration.configurator import Configurator, Pending

__all__ = ["Configurator", "Pending"]
