"""The words of error estimation, in English and Chinese."""

from typing import Final

DECISIONS: Final = {
    "flag": ("flag", "超差"),
    "clear": ("clear", "合格"),
    "undetermined": ("undetermined", "未定"),
}

REASONS: Final = {
    "station": ("a finding about the station", "站级问题"),
    "never_charged": ("never charged", "未充过电"),
    "implausible": ("implausible", "结果不可信"),
    "offset": ("clock far off", "时钟偏差过大"),
    "collinear": ("charges together with another", "与他桩同时充电，无法分辨"),
    "few_windows": ("too few windows", "时段太少"),
    "daily": ("daily readings only", "仅有日冻结"),
    "master_register": ("master's register too coarse", "总表示数分辨力不足"),
    "charger_register": ("charger's register too coarse", "桩表示数分辨力不足"),
    "little_data": ("too little data", "数据不足"),
    "misfit": ("doesn't fit", "与模型不符"),
    "conversion": ("efficiency not known well enough", "转换效率未知"),
    "common_mode": ("what all have in common", "公共误差过大"),
    "near_limit": ("near the limit", "接近限值"),
    "halves": ("the halves don't agree", "前后两半不一致"),
    "long_windows": ("some order is open nearly always", "几乎总有订单未结束"),
    "withheld": ("most of its energy can't be compared", "电量多在可比时段之外"),
    "exchanged": ("exchanged more than once", "多次换表"),
    "mirrored": ("another charger counts whenever it charges", "他桩随其充电而计量"),
    "charge_together": ("charges together with others", "与他桩同时充电，无法分辨"),
    "changed": ("its error changed", "误差发生变化"),
    "clock_drift": ("its clock drifts", "时钟漂移"),
    "beyond_power": ("more than its power allows", "超出额定功率"),
    "level_changed": ("all differ otherwise in one half of the span", "全部充电桩前后两半水平不同"),
}

FINDINGS: Final = {
    "silent": ("no readings of a meter in service", "在运电能表无数据"),
    "excluded": ("windows left out", "剔除时段"),
    "few_windows": ("too few windows", "时段太少"),
    "daily": ("daily readings only", "仅有日冻结"),
    "never_charged": ("never charged", "未充过电"),
    "negative": ("negative energy", "电量为负"),
    "collinear": ("chargers always charge together", "充电桩总是同时充电"),
    "charge_together": ("chargers charge only together", "充电桩仅同时充电"),
    "gain": ("master and chargers don't match: transformer ratio?", "总表与各桩不符：变比？"),
    "implausible": ("implausible charger", "充电桩结果不可信"),
    "offset": ("clock far off", "时钟偏差过大"),
    "clock_shift": ("clock hours off: moved by so many, its energies fit", "时钟相差数小时：平移后电量相符"),
    "missing_orders": ("orders missing, or a load that no meter explains", "缺少订单或有不明负荷"),
    "orders_elsewhere": ("more sold than the master counted", "订单电量多于总表"),
    "long_windows": ("windows are long: some order is open nearly always", "时段过长：几乎总有订单未结束"),
    "halves": ("the halves of the span don't agree", "前后两半不一致"),
    "swapped": ("chargers swapped", "充电桩互换"),
    "outside_sessions": ("energy outside sessions", "会话外电量"),
    "generation": ("generation or storage behind the master", "总表后有发电或储能"),
    "unexplained_load": ("load that no meter explains", "不明负荷"),
    "unexplained": ("unexplained residuals", "残差异常"),
    "misfit": ("the model doesn't fit", "模型不符"),
    "master_register": ("master's register too coarse", "总表示数分辨力不足"),
    "charger_register": ("charger's register too coarse", "桩表示数分辨力不足"),
    "level": ("master and all chargers differ by more than is believed of either", "总表与全部充电桩之差超出预期"),
    "verification_contradicted": ("verification contradicted, and not used", "与检定结果矛盾，未采用该结果"),
    "held_up": ("windows lack readings of this meter", "因该表缺数而无时段"),
    "rarely_read": ("register rarely known, so that windows are long", "示数多不可用，时段过长"),
    "no_master": ("no grid-side meter in service", "无在运总表"),
    "outside_windows": ("energy that can't be compared", "可比时段之外的电量"),
    "began_anew": ("register began anew again and again", "示数屡次重新开始"),
    "exchanged_often": ("exchanged or adjusted again and again", "屡次换表或调整"),
    "orders_not_borne_out": ("orders not borne out by the register", "订单与示数不符"),
    "mirrored": ("the second counts a little whenever the first charges", "后者随前者充电而少量计量"),
    "changed": ("its error changed from one half of the span to the other", "前后两半误差不同"),
    "labels_exchanged": ("each became what the other was: labels exchanged?", "两桩误差前后互换：标识对调？"),
    "registers_exchanged": ("each one's register goes on where the other's stood", "两桩示数自某时起互换"),
    "clock_drift": ("clock drifts", "时钟漂移"),
    "level_changed": (
        "master and all chargers differ otherwise in one half of the span than in the other",
        "总表与全部充电桩之差前后两半不同",
    ),
    "ratio": ("master counts a multiple of what chargers do: transformer ratio?", "总表为各桩之倍数：变比？"),
    "ratio_changed": (
        "master by chargers is another ratio since: transformer ratio?",
        "总表与各桩之比自某日起改变：变比？",
    ),
    "beyond_power": ("counts more than its power allows", "计量超出额定功率"),
    "far_off": ("further off than meters are", "误差超出电能表常见范围"),
    "unjudged": ("not judged for many nights", "连续多夜未能判定"),
    "hot_branch": ("branch loses far more than it should: loose connection?", "支路损耗异常：接触不良？"),
    "branch_contradicted": ("voltage drop contradicted by the energies, and not used", "电压降与电量矛盾，未采用"),
}


BRANCHES: Final = {
    "switched_off": ("switched off in the registry", "台账中关闭"),
    "dc_output": ("meters its DC output", "直流侧计量"),
    "no_voltages": ("no voltages", "无电压数据"),
    "voltages_removed": ("its voltages are no longer kept", "电压数据已超过保存期"),
    "several_masters": ("several masters: its bus is not known", "有多块总表，无法确定所在母线"),
    "no_phase": ("on one phase, which no master's voltages tell", "单相桩，总表电压无法确定其相别"),
    "power_mismatch": ("power and energies don't match", "功率与电量不符"),
    "few_quarters": ("too few quarters", "时段太少"),
    "constant_power": ("its power hardly changes", "功率几乎不变"),
    "voltage": ("its voltage jumps about", "电压跳变"),
    "frozen": ("its voltage stands still", "电压不变"),
    "no_bus": ("no other meter tells the bus", "无其他电能表可作母线电压参考"),
    "scatter": ("its voltage follows no bus", "电压不随母线变化"),
    "power": ("its power is in another unit", "功率单位不符"),
    "collinear": ("charges together with others", "与他桩同时充电，无法分辨"),
    "negative": ("its voltage rises with its power", "电压随功率升高"),
    "absurd": ("a drop that no cable has", "电压降过大，不可信"),
    "contradicted": ("contradicted by the energies", "与电量矛盾"),
    "failed": ("can't be computed", "无法计算"),
}
"""Why the drop of a branch isn't used."""


BALANCES: Final = {
    "uneven": (
        "loads stand unevenly on the phases: such a branch loses up to six times as much",
        "三相不平衡：支路损耗可达平衡时的六倍",
    ),
    "unknown": (
        (
            "not known whether loads stand evenly on the phases: have the gateway tell the voltage of each, or state "
            "`single_phase_vehicles` where vehicles charge on one"
        ),
        "三相是否平衡未知：请由网关上送各相电压；若有单相车辆充电，请在台账设 single_phase_vehicles",
    ),
}
"""How loads stand on the three phases of chargers, where they don't evenly."""

UNEVEN_UNSURE: Final = (
    "not known how much they lose: a meter that tells the voltage of each phase would say it, or verify them",
    "损耗增量未知：更换可上送各相电压的电能表，或现场检定",
)
"""What helps where an uneven load makes a charger's error unsure."""


SUSPICIONS: Final = {
    "reversed": ("counts the wrong way round", "计量方向相反"),
    "not_behind_master": ("not behind the master, or records of another", "不在总表之后，或数据属于他桩"),
    "multiplier": ("wrong ratio, multiplier or unit", "变比、倍率或单位有误"),
}
"""What a charger may be whose energy the balance doesn't bear out."""


ADVICE: Final = {
    "excluded": (
        "a register that goes back, has no number or counts more than its power allows: see to what reads it",
        "示数倒退、缺数或超出额定功率：请检查其采集",
    ),
    "halves": (
        "an error or a clock that changes, or readings at wrong times: see who is named, and the residuals",
        "误差或时钟有变化，或读数时刻有误：请查看所列充电桩与残差",
    ),
    "master_register": (
        "read the master in finer steps (a high-resolution energy object), or wait for more days",
        "请以更高分辨力读取总表（高精度电能），或延长采集时间",
    ),
    "charger_register": (
        "read it in finer steps (0.001 kWh), or wait for more days",
        "请以更高分辨力读取（0.001 kWh），或延长采集时间",
    ),
    "misfit": (
        "readings at other times than they are said to be, or losses unlike the design: check clocks and the registry",
        "读数时刻不符或损耗与设计不符：请核对时钟与台账",
    ),
    "missing_orders": (
        "have the operator send the orders of that month again; if none are missing, look for a load without a meter",
        "请运营商重传该月订单；若无缺失则查找未计量负荷",
    ),
    "orders_elsewhere": (
        "check the times of these orders, and whose they are",
        "请核对这些订单的时间与归属",
    ),
    "long_windows": (
        "have orders end when charging does, or have registers read",
        "请使订单随充电结束而结束，或采集示数",
    ),
    "began_anew": (
        "see to what makes it begin anew: its gateway, or who resets it",
        "请查明示数重新开始的原因：网关，或有人清零",
    ),
    "orders_not_borne_out": (
        "check under which charger these orders are entered, and their times",
        "请核对这些订单所属充电桩及其时间",
    ),
    "outside_sessions": (
        "orders are missing, or it counts while nobody charges: compare them with its register",
        "订单缺失，或无人充电时仍在计量：请与示数核对",
    ),
    "few_windows": ("read on: more days, or more readings a day", "请继续采集：增加天数或每日读数"),
    "daily": (
        "readings by quarter of an hour are needed: of energies by day nothing is known of single chargers",
        "需要 15 分钟示数：仅凭日电量无法分辨各桩",
    ),
    "rarely_read": ("have it read by quarter of an hour", "请按 15 分钟采集其示数"),
    "never_charged": (
        "has it truly sold nothing? If it is out of service, give it an `until`",
        "请核实是否确未售电；若已停运请填 until",
    ),
    "negative": (
        "its wires, current transformers or the sign of its readings are the wrong way round",
        "请检查其接线、互感器极性及读数符号",
    ),
    "collinear": (
        "only their sum is known until one charges alone: verify one, or have it charge alone at times",
        "在其单独充电之前仅知总和：请检定其一，或安排其单独充电",
    ),
    "charge_together": (
        "only their sum is known until some charge alone: verify them, or have them charge alone at times",
        "在其单独充电之前仅知总和：请检定，或安排其单独充电",
    ),
    "implausible": (
        "check its transformer ratio, multiplier and wiring, its clock, and whether all it sells passes the master",
        "请核对其变比、倍率、接线与时钟，并核实其电量是否全部经过总表",
    ),
    "offset": ("set its clock right", "请校时"),
    "clock_shift": (
        "set its clock right; 8 h is universal time taken for local time. If all are shifted alike, it is the master's",
        "请校时；相差 8 h 多为将世界时当作本地时间；若各桩同样偏移则为总表时钟",
    ),
    "clock_drift": (
        "set its clock right, and see to what keeps it. If all move alike, it is the master's",
        "请校时并检查对时；若各桩同样漂移则为总表时钟",
    ),
    "generation": (
        "meter what generates or stores, and register it: a meter of role `auxiliary` counts both ways",
        "请为光伏或储能装表，并以 auxiliary 角色登记（双向计量）",
    ),
    "unexplained_load": (
        "meter the load, and register it as `auxiliary`; or the master misses a charger, or records are missing",
        "请为该负荷装表并登记为 auxiliary；或总表漏计某桩，或缺少数据",
    ),
    "unexplained": (
        "a load or generation that comes and goes, clocks, or a wrong ratio: check the master and all clocks",
        "可能为时有时无的负荷或发电、时钟偏差或变比错误：请核对总表与各时钟",
    ),
    "changed": (
        "it was altered or repaired since, or another meter is read under its name: enter an exchange if there was one",
        "可能已被改动或维修，或以其标识读取了他表：若已换表请登记",
    ),
    "labels_exchanged": (
        "check which meter is read under which name; whoever verifies one must look at both",
        "请核对两桩的表号与标识；复检时须同时核对两桩",
    ),
    "registers_exchanged": (
        "their addresses or names were exchanged, or their meters: put right which is which, and enter the exchange",
        "两桩的地址、标识或电能表被对调：请更正对应关系并登记换表",
    ),
    "level_changed": (
        "was the master, or its transformers, exchanged? `--exchanged` tells what that would change",
        "总表或互感器是否更换？可用 --exchanged 试算",
    ),
    "ratio": ("check the master's transformer ratio and its multiplier", "请核对总表变比与倍率"),
    "ratio_changed": (
        "check the master's transformers, wiring and multiplier since that day; if it was exchanged, give it a `since`",
        "请核对该日以来总表的互感器、接线与倍率；若已更换请填 since",
    ),
    "beyond_power": (
        "its multiplier or unit is wrong, or its rated power in the registry",
        "其倍率或单位有误，或台账额定功率有误",
    ),
    "far_off": (
        "look at its wiring, transformers and multiplier, and for a phase that the master, or it, does not count",
        "请检查其接线、互感器与倍率，以及总表或该表是否漏计某一相",
    ),
    "silent": (
        (
            "until it reports, nobody can be judged: it may have sold anything. If it is out of service, give it an "
            "`until` in the registry, if it came later, a `since`; if it has no register, `only_orders = true`"
        ),
        "该表恢复上送前无法判定任何桩；若已停运请在台账填 until，若后装请填 since，若仅有订单请设 only_orders = true",
    ),
    "held_up": (
        "see to its gateway; what is said is of the time before. If it went out of service, give it an `until`",
        "请检查其网关；结论仅及此前；若已停运请填 until",
    ),
    "no_master": ("register the grid-side meter that serves now", "请登记现役总表"),
    "level": (
        "verify the master, or some chargers, and enter the results with `verification enter`",
        "请检定总表或部分充电桩，并以 verification enter 录入",
    ),
    "gain": (
        "check the master's transformer ratio and its multiplier",
        "请核对总表变比与倍率",
    ),
    "verification_contradicted": (
        "it was altered since, or the result is another charger's: verify it again",
        "检定后可能被改动，或结果属于他桩：请复检",
    ),
    "outside_windows": (
        "go and see: whatever it meters there is hidden from the balance",
        "请现场核查：该部分电量无法核对",
    ),
    "exchanged_often": ("ask what became of its meters", "请核实换表记录"),
    "swapped": ("whoever verifies one of them must look at both", "复检时须同时核对两桩"),
    "mirrored": (
        "visit both: the second may invent what the first seems to count too much",
        "请现场核查两桩：前者的误差可能由后者虚计造成",
    ),
    "unjudged": ("visit it: readings will not tell", "请现场检定"),
    "hot_branch": (
        "inspect its connections and cable: what is lost there heats. Its meter may be right",
        "请检查其接线端子与电缆：损耗会发热；电能表未必有误",
    ),
    "branch_contradicted": (
        "is its voltage measured where its branch ends? If not, give it `voltage_drop = false` in the registry",
        "其电压是否取自支路末端？若否请在台账设 voltage_drop = false",
    ),
}
"""What to do."""


def both(words: dict[str, tuple[str, str]], key: str) -> str:
    """Return a word in English and Chinese; the key itself where there is none."""
    return " ".join(words[key]) if key in words else key
