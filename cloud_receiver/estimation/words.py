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
}

FINDINGS: Final = {
    "silent": ("no readings of a meter in service", "在运电能表无数据"),
    "excluded": ("windows left out", "剔除时段"),
    "few_windows": ("too few windows", "时段太少"),
    "daily": ("daily readings only", "仅有日冻结"),
    "never_charged": ("never charged", "未充过电"),
    "negative": ("negative energy", "电量为负"),
    "collinear": ("chargers always charge together", "充电桩总是同时充电"),
    "gain": ("master and chargers don't match: transformer ratio?", "总表与各桩不符：变比？"),
    "implausible": ("implausible charger", "充电桩结果不可信"),
    "offset": ("clock far off", "时钟偏差过大"),
    "clock_shift": ("clock shifted", "时钟跳变"),
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
    "unjudged": ("not judged for many nights", "连续多夜未能判定"),
    "hot_branch": ("branch loses far more than it should: loose connection?", "支路损耗异常：接触不良？"),
    "branch_contradicted": ("voltage drop contradicted by the energies, and not used", "电压降与电量矛盾，未采用"),
}


BRANCHES: Final = {
    "switched_off": ("switched off in the registry", "台账中关闭"),
    "dc_output": ("meters its DC output", "直流侧计量"),
    "no_voltages": ("no voltages", "无电压数据"),
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


ADVICE: Final = {
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
