"""The energies of a station's windows by charger: what asks each of them takes them so."""

from array import array

from diantan_core import ErrorWindows


def energy_columns(windows: ErrorWindows, chargers: int) -> list[list[float]]:
    """Return the energy of each charger in each window, kWh."""
    # Through one array: thousands of rows held at once have the collector look at all there is, several times.
    flat = array("d")
    for place in range(len(windows)):
        flat.fromlist(windows.energies_kwh(place))
    return [flat[column::chargers].tolist() for column in range(chargers)]
