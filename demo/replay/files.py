"""The files of a replay. Only the simulator's says which chargers are altered: neither gateway nor centre is told."""

import json
from decimal import Decimal
from typing import Final

from demo.files import AUXILIARY_W, GATEWAY, GRID, NODE, STATION, Broker, Files, write_factors
from demo.replay.plan import CABLE_MILLIOHM, CABLE_SPREAD, ReplayPlan, local

RATED_KW: Final = 7
VOLTAGE_V: Final = 220
RESOLUTION_KWH: Final = Decimal("0.01")
PORTS: Final = 7
POLL_SECONDS: Final = 450
"""A meter is read just after each quarter of an hour and in its middle, when time waits for it."""
REACTANCE_MILLIOHM: Final = 3
"""Of each charger's cable."""
TRUNK_MILLIOHM: Final = 4
TRUNK_REACTANCE_MILLIOHM: Final = 2
"""Of the three conductors of the trunk."""
_PHASES: Final = 3
TIME_UNCERTAINTY_S: Final = 2
FACTOR_SLOTS: Final = 8
"""In a message, half of them ahead: no slot waits for its factor."""
_MILLI: Final = 1000
VOLTAGES: Final = ("voltage_a", "voltage_b", "voltage_c")


def write_station(files: Files, plan: ReplayPlan) -> None:
    """Describe the station that the simulator serves: single-phase chargers, each with errors and a cable."""
    lines = [
        (
            f'[station]\nid = "{STATION}"\ntimezone = "{plan.timezone}"\nseed = {plan.seed}\n'
            f'start = {local(plan.origin_ms, plan.zone)}\nvoltage_v = "{VOLTAGE_V}"\n'
        ),
        f"[simulate]\nports = {PORTS}\n",
        f'[sessions]\nmodel = "file"\nfile = {json.dumps(str(plan.sessions))}\nday = {plan.day}\ndays = {plan.days}\n',
        f'[auxiliary]\nload_w = "{AUXILIARY_W}"\n',
        f"[loss]\ncable_reactance_milliohm = {REACTANCE_MILLIOHM}\n",
        f"[supply]\ntrunk_milliohm = {TRUNK_MILLIOHM}\ntrunk_reactance_milliohm = {TRUNK_REACTANCE_MILLIOHM}\n",
        (
            f'[grid]\nid = "{GRID}"\nunit = 100\nclass = "0.5"\ngain_error = "{plan.master_percent / 100}"\n'
            f'voltage_error = "{plan.master_voltage_percent / 100}"\nresolution_kwh = "{RESOLUTION_KWH}"\n'
        ),
    ]
    lines += [
        f'[[charger]]\nid = "{charger.id}"\nunit = {unit}\nrated_kw = {RATED_KW}\nclass = "1"\n'
        f'gain_error = "{charger.error_percent / 100}"\nvoltage_error = "{charger.voltage_percent / 100}"\n'
        f'phase_shares = [1]\nresolution_kwh = "{RESOLUTION_KWH}"\n'
        f'cable_milliohm = "{charger.cable_milliohm}"\n'
        for unit, charger in enumerate(plan.chargers, 1)
    ]
    files.station.write_text("\n".join(lines))


def write_agent(files: Files, plan: ReplayPlan, broker: Broker) -> None:
    """Configure the gateway for the ports that the simulator's ready file names: energies, voltages and powers."""
    served = json.loads(files.ready.read_text())["meters"]
    total = RATED_KW * len(plan.chargers)
    lines = [
        (
            f'[gateway]\nid = "{GATEWAY}"\nstation = "{STATION}"\ntimezone = "{plan.timezone}"\ndata_dir = "gateway"\n'
            f'key_file = "{files.gateway_key.name}"\n'
        ),
        f'[centre]\nkey_file = "{files.centre_key.name}.pub"\n',
        f'[broker]\nhost = "127.0.0.1"\nport = {broker.port}\nprotocol = "{broker.protocol}"\n',
        f'[factor]\nnode = "{NODE}"\nforward_to_meters = false\n',
        "[report]\nlive_seconds = 0\n",
        "[uplink]\nlinger_seconds = 0\n",
        "[freezes]\nread = false\n",
        "[meter_clocks]\ncheck_minutes = 0\n",
    ]
    for port in sorted({meter["port"] for meter in served}):
        lines.append(f'[[line]]\nname = "line-{port}"\ntransport = "modbus-tcp"\nhost = "127.0.0.1"\nport = {port}\n')
        lines += [
            f'[[line.meter]]\nid = "{meter["id"]}"\nunit = {meter["unit"]}\nprofile = "{meter["profile"]}"\n'
            f"poll_seconds = {POLL_SECONDS}\nrated_kw = {total if meter['id'] == GRID else RATED_KW}\n"
            f'role = "{"grid" if meter["id"] == GRID else "charger"}"\nresolution_kwh = "{RESOLUTION_KWH}"\n'
            f"points = {json.dumps(['power', *VOLTAGES[: _PHASES if meter['id'] == GRID else 1]])}\n"
            for meter in served
            if meter["port"] == port
        ]
    files.agent.write_text("\n".join(lines))
    (files.directory / "gateway").mkdir(exist_ok=True)


def write_receiver(files: Files, plan: ReplayPlan, broker: Broker) -> None:
    """Configure the centre, its registry and the factors it dispatches."""
    files.receiver.write_text(
        f'registry = "registry.toml"\n\n[centre]\ndata_dir = "centre"\nkey_file = "{files.centre_key.name}"\n\n'
        f'[broker]\nhost = "127.0.0.1"\nport = {broker.port}\nprotocol = "{broker.protocol}"\n\n'
        f'[dispatch]\nschedule = "factors.csv"\nslots = {FACTOR_SLOTS}\nlead_slots = {FACTOR_SLOTS // 2}\n'
    )
    (files.directory / "centre").mkdir(exist_ok=True)
    lines = [
        (
            f'[[station]]\nid = "{STATION}"\nname = "Replay 重放站"\ntimezone = "{plan.timezone}"\nnode = "{NODE}"\n'
            f"since = {local(plan.first_ms, plan.zone)}\ntime_uncertainty_s = {TIME_UNCERTAINTY_S}\n"
            # P²·R/U² of one phase; through each conductor of the trunk flows a third of the power.
            f'loss = {{ branch_ohm = "{Decimal(CABLE_MILLIOHM) / _MILLI}", line_voltage_v = "{VOLTAGE_V}", '
            f'trunk_ohm = "{Decimal(TRUNK_MILLIOHM) / _PHASES / _MILLI:.6f}", '
            f'uncertainty_percent = "{100 * CABLE_SPREAD:.0f}" }}\n'
            f'auxiliary = {{ load_w = "{AUXILIARY_W}" }}\n'
        )
    ]
    total = RATED_KW * len(plan.chargers)
    meters = [(charger.id, "charger", "1", RATED_KW) for charger in plan.chargers]
    lines += [
        f'[[station.meter]]\nid = "{name}"\nrole = "{role}"\ngateway = "{GATEWAY}"\naccuracy_class = "{accuracy}"\n'
        f'resolution_kwh = "{RESOLUTION_KWH}"\nrated_kw = "{rated_kw}"\n'
        for name, role, accuracy, rated_kw in [*meters, (GRID, "grid", "0.5", total)]
    ]
    (files.directory / "registry.toml").write_text("\n".join(lines))
    write_factors(files.directory / "factors.csv", plan.factors(NODE))
