"""Small networks in each of the formats, made here, and the error of a text that is none."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cloud_receiver.grid.snapshot import Network
from cloud_receiver.mistakes import InputError, Problem

# A plant feeds a substation, which feeds a load node with its own photovoltaics: 2 and 1 MW of loss on the way.
NODES = "id,kind,name\nP1,plant,华能一厂\nS1,substation,\nU1,load,充电园区\n"
BRANCHES = "id,from_node,to_node,p_from_mw,p_to_mw\nL1,P1,S1,100,-98\nL2,S1,U1,38,-37\n"
GENERATORS = "id,node,p_mw,factor,emission_t_per_h\nG1,P1,100,,80\nPV,U1,13,0,\n"
LOADS = "id,node,p_mw,station\ntown,S1,60,\npark,U1,50,ST1\n"
TABLES: Mapping[str, str] = {
    "nodes.csv": NODES,
    "branches.csv": BRANCHES,
    "generators.csv": GENERATORS,
    "loads.csv": LOADS,
}

DOCUMENT: Mapping[str, Any] = {
    "case": "three",
    "source": "made by hand",
    "bus": ["P1", "S1", "U1"],
    "branch": [["L1", "P1", "S1", 100.0, -98.0], ["L2", "S1", "U1", 38.0, -37.0]],
    "gen": [["G1", "P1", 100.0, 0.8], ["PV", "U1", 13.0, 0.0]],
    "load": [["town", "S1", 60.0], ["park", "U1", 50.0]],
}

CASE = """\
function mpc = three
%THREE  three buses, solved; a comment with mpc.bus = [ in it
mpc.version = '2'; mpc.baseMVA = 100;
%% bus data
%\tbus_i\ttype\tPd\tQd\tGs\tBs\tarea\tVm\tVa\tbaseKV\tzone\tVmax\tVmin
mpc.bus = [
\t1\t3\t0\t0\t0\t0\t1\t1.02\t0\t220\t1\t1.1\t0.9;
\t2\t1\t60\t10\t0\t0\t1\t1.00\t-2\t220\t1\t1.1\t0.9;\t% the town
\t30, 1, 49, 5, 1, 0, 1, 1.0, -3, 110, 1, 1.1, 0.9
\t4\t4\t7\t0\t0\t0\t1\t1\t0\t110\t1\t1.1\t0.9;
];
mpc.gen = [ 1 100 0 Inf -Inf 1.02 100 1 200 0; 30 13 0 0 0 1 100 1 20 0
\t2 55 0 0 0 1 100 0 90 0 ];
mpc.branch = [
\t1\t2\t0.01\t0.1\t0\t0\t0\t0\t0\t0\t1\t-360\t360\t100\t5\t-98\t...
\t-4;
\t2\t30\t0\t0.1\t0\t0\t0\t0\t0.98\t0\t1\t-360\t360\t38\t2\t-37\t-1;
\t1\t30\t0.01\t0.1\t0\t0\t0\t0\t0\t0\t0\t-360\t360\t0\t0\t0\t0;
];
mpc.bus_name = {
\t'plant 1';
\t'town''s [main]';
\t'园区';
\t'off';
};
"""


def frame(columns: list[str], rows: Mapping[Any, list[Any]]) -> dict[str, Any]:
    """Return a data frame as pandapower writes it."""
    content = {"columns": columns, "index": list(rows), "data": list(rows.values())}
    return {
        "_module": "pandas.core.frame",
        "_class": "DataFrame",
        "_object": json.dumps(content),
        "orient": "split",
        "dtype": dict.fromkeys(columns, "object"),
        "is_multiindex": False,
        "is_multicolumn": False,
    }


def pandapower(**changes: Any) -> str:
    """Return a network as pandapower writes it, with other tables or values where given (None: without)."""
    ends = ["name", "from_bus", "to_bus", "in_service"]
    tables: dict[str, Any] = {
        "bus": frame(
            ["name", "vn_kv", "in_service"],
            {0: ["plant", 220.0, True], 1: [None, 220.0, True], 2: [None, 110.0, True], 3: ["x" * 99, 110.0, True]},
        ),
        "line": frame(ends, {0: [None, 0, 1, True], 1: [None, 2, 3, True], 2: [None, 2, 3, False]}),
        "trafo": frame(["name", "hv_bus", "lv_bus", "in_service"], {0: [None, 1, 2, True]}),
        "ext_grid": frame(["bus", "in_service", "factor_kg_per_kwh"], {0: [0, True, 0.8]}),
        "gen": frame(["bus", "p_mw", "in_service"], {}),
        "sgen": frame(["bus", "p_mw", "in_service", "factor_kg_per_kwh"], {0: [3, 13.0, True, 0.0]}),
        "load": frame(["bus", "p_mw", "in_service"], {0: [1, 60.0, True], 1: [3, 50.0, True], 2: [3, 9.0, False]}),
        "switch": frame(["bus", "element", "et", "closed", "z_ohm"], {}),
        "res_bus": frame(["vm_pu", "va_degree"], {0: [1.0, 0.0], 1: [1.0, 0.0], 2: [1.0, 0.0], 3: [1.0, 0.0]}),
        "res_line": frame(["p_from_mw", "p_to_mw"], {0: [100.0, -98.0], 1: [37.5, -37.0], 2: [None, None]}),
        "res_trafo": frame(["p_hv_mw", "p_lv_mw"], {0: [38.0, -37.5]}),
        "res_ext_grid": frame(["p_mw"], {0: [100.0]}),
        "res_sgen": frame(["p_mw"], {0: [13.0]}),
        "res_load": frame(["p_mw"], {0: [60.0], 1: [50.0], 2: [0.0]}),
        "measurement": frame(["name", "element"], {0: ["m", 1]}),
        "version": "3.5.6",
        "converged": True,
        "name": "three",
    }
    content = {name: value for name, value in (tables | changes).items() if value is not None}
    return json.dumps({"_module": "pandapower.auxiliary", "_class": "pandapowerNet", "_object": content})


def problems(read: Callable[..., Network], *arguments: Any, **named: Any) -> list[Problem]:
    """Return what reading finds wrong."""
    with pytest.raises(InputError) as refused:
        read(*arguments, **named)
    assert str(refused.value)
    return list(refused.value.problems)


def said(read: Callable[..., Network], *arguments: Any, **named: Any) -> list[str]:
    """Return what reading finds wrong, as text."""
    return [str(problem) for problem in problems(read, *arguments, **named)]
