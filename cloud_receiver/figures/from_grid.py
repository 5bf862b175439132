"""The picture of a network that was solved."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from cloud_receiver.figures.network import Balance, NetworkPicture, PictureBranch, PictureNode, Shape
from cloud_receiver.grid.model import NodeKind
from cloud_receiver.grid.snapshot import Network
from cloud_receiver.grid.solving import Solved
from cloud_receiver.grid.sums import end_powers, node_sums


def network_picture(solved: Solved, *, time: str = "", solve_id: str = "") -> NetworkPicture:
    """Return the picture of a slot; `time` (default: the slot's start in UTC) and `solve_id` stand in its head."""
    balance = balance_of(solved.flow.balance, solved.flow.balance["relative_residual"])
    return picture_of(
        solved.network, solved.flow.factors, solved.flow.qualities, balance=balance, time=time, solve_id=solve_id
    )


def balance_of(carbon: Mapping[str, float], relative_residual: float) -> Balance:
    """Return a balance by its terms in t/h, as the core names them."""
    other = sum(carbon[key] for key in ("negative_sources", "storages", "dropped", "imbalance"))
    return Balance(carbon["sources"], carbon["loads"], carbon["losses"], other, relative_residual)


def picture_of(
    network: Network,
    factors: Sequence[float | None],
    qualities: Sequence[str],
    *,
    balance: Balance | None,
    time: str = "",
    solve_id: str = "",
) -> NetworkPicture:
    """Return the picture of a network by the factors in kgCO₂/kWh and the qualities of its nodes, in their order."""
    grid, snapshot = network.grid, network.snapshot
    kinds = _kinds(network)
    return NetworkPicture(
        nodes=[
            PictureNode(node.id, kinds[node.id], factor, quality, node.name)
            for node, factor, quality in zip(grid.nodes, factors, qualities, strict=True)
        ],
        branches=[
            PictureBranch(
                branch.start,
                branch.end,
                *_carried(*end_powers(snapshot, branch.id)),
                open=branch.id in snapshot.open_branches,
            )
            for branch in grid.branches
        ],
        title=network.name,
        time=time or _time(snapshot.start_ms),
        solve_id=solve_id,
        balance=balance,
    )


def _time(start_ms: int | None) -> str:
    return "" if start_ms is None else f"{datetime.fromtimestamp(start_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _carried(start: float | None, end: float | None) -> tuple[float | None, float | None]:
    """Return the power that is sent, by its direction, and the loss; a branch fed from both ends carries nothing."""
    if start is None or end is None:
        return None, None
    if start > 0 >= end:
        return start, start + end
    if end > 0 >= start:
        return -end, start + end
    return 0.0, start + end


def _kinds(network: Network) -> dict[str, Shape]:
    """Return what the nodes are.

    Where a file says of none that it is a plant or a load, it is by what is at them: a source makes a plant, loads
    alone a load.
    """
    grid = network.grid
    kinds = {node.id: Shape(node.kind.value) for node in grid.nodes}
    if any(node.kind in {NodeKind.PLANT, NodeKind.LOAD} for node in grid.nodes):
        return kinds
    sums = node_sums(grid, network.snapshot)
    for node in grid.nodes:
        if sums[node.id].generation > 0:
            kinds[node.id] = Shape.PLANT
        elif sums[node.id].load > 0 and node.kind is not NodeKind.STAR:
            kinds[node.id] = Shape.LOAD
    return kinds
