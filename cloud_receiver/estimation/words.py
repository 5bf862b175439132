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
}


def both(words: dict[str, tuple[str, str]], key: str) -> str:
    """Return a word in English and Chinese; the key itself where there is none."""
    return " ".join(words[key]) if key in words else key
