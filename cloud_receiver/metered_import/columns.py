"""Which column of a file says what: by option, else by its heading."""

from collections.abc import Mapping, Sequence

from cloud_receiver.delimited.columns import ColumnError, place_of, shown
from cloud_receiver.metered_import.form import HEADINGS, Column, Form, Stamps


def places(form: Form, first: Sequence[str]) -> dict[Column, int]:
    """Return the place of each column that is used, from 0; `first` is the first line's cells."""
    names = [cell.strip() for cell in first]
    found = {
        column: place_of(text, names, f"--{column}", headings=form.headings) for column, text in form.columns.items()
    }
    found = _recognised(form, names, found) | found if form.headings else _by_place(found)
    if Column.TIME not in found:
        raise ColumnError(f"expected a column of times (--time), found {shown(names)}")
    energies, registers = Column.FORWARD in found, Column.REGISTER in found
    if energies == registers:
        what = "both energies and registers" if energies else "neither"
        raise ColumnError(f"expected a column of energies (--forward) or of registers (--register), found {what}")
    for column, needed in ((Column.REVERSE, Column.FORWARD), (Column.REVERSE_REGISTER, Column.REGISTER)):
        if column in found and needed not in found:
            raise ColumnError(f"--{column}: expected --{needed} beside it")
    if registers and Column.UNTIL in found:
        raise ColumnError("--until: is the end of an interval, and a register stands at an instant")
    if Column.UNTIL in found and form.stamps is Stamps.END:
        raise ColumnError("--until: expected --stamps start, since --time is then the interval's beginning")
    if len(set(found.values())) < len(found):
        raise ColumnError(f"expected a column of its own for each of {', '.join(found)}")
    return found


def _recognised(form: Form, names: list[str], named: Mapping[Column, int]) -> dict[Column, int]:
    """Find the columns that no option names by the headings that are known; none that would contradict an option."""
    wanted = [Column.TIME] if Column.TIME not in named else []
    if Column.TIME not in named and form.stamps is Stamps.START:
        wanted.append(Column.UNTIL)
    if not named.keys() & {Column.FORWARD, Column.REGISTER}:
        wanted += [Column.FORWARD, Column.REVERSE, Column.REGISTER, Column.REVERSE_REGISTER]
    folded = [name.casefold() for name in names]
    found = {}
    for column in wanted:
        here = [place for place, name in enumerate(folded) if name in HEADINGS[column]]
        if len(here) == 1:
            found[column] = here[0]
    if Column.REGISTER in found and Column.FORWARD not in found:
        found.pop(Column.UNTIL, None)
    return found


def _by_place(named: dict[Column, int]) -> dict[Column, int]:
    found = {Column.TIME: 0} | named
    if not found.keys() & {Column.FORWARD, Column.REGISTER}:
        found[Column.FORWARD] = 1
    return found
