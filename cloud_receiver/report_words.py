"""The words of a report, in English and Chinese."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from cloud_receiver.validation.catalogue import RULES


class Language(StrEnum):
    """The language of headings."""

    ENGLISH = "en"
    CHINESE = "zh"
    BOTH = "both"


WORDS: Final = {
    "meter": ("meter", "电能表"),
    "role": ("role", "用途"),
    "forward": ("energy fwd kWh", "正向电量 kWh"),
    "reverse": ("energy rev kWh", "反向电量 kWh"),
    "carbon_forward": ("carbon fwd kg", "正向碳量 kg"),
    "carbon_reverse": ("carbon rev kg", "反向碳量 kg"),
    "intervals": ("intervals", "时段"),
    "freezes": ("freezes", "冻结"),
    "frozen_by": ("last freeze by", "末次冻结来源"),
    "own_freeze": ("meter", "电能表"),
    "gateway_measured": ("gateway, measured", "网关实测"),
    "gateway_interpolated": ("gateway, interpolated", "网关插值"),
    "gateway_partial": ("gateway, partial", "网关不完整"),
    "quality": ("quality", "数据质量"),
    "station": ("Station", "充电站"),
    "balance": ("Energy balance against the grid-side meter", "与关口表的电量平衡"),
    "chargers": ("sum of chargers", "充电桩合计"),
    "auxiliary": ("auxiliary", "辅助用电"),
    "loss": ("modelled loss", "模型线损"),
    "grid": ("grid side", "关口表"),
    "imbalance": ("imbalance", "不平衡量"),
    "tolerance": ("tolerance", "允差"),
    "verdict": ("verdict", "结论"),
    "within": ("within tolerance", "合格"),
    "beyond": ("BEYOND TOLERANCE", "超差"),
    "no_balance": ("no slot in which every meter reported", "没有全部电能表均上报的时段"),
    "only_orders": ("none by readings, chargers known by their orders only", "无法按示数核算，仅有订单的充电桩"),
    "findings": ("Findings", "核查发现"),
    "sales": ("Sold by orders that end in the day", "当日结束订单的售电"),
    "orders": ("orders", "订单数"),
    "sold": ("sold kWh", "售电量 kWh"),
    "amount": ("amount", "金额"),
    "metered": ("metered kWh", "计量 kWh"),
    "estimates": ("Estimates, in no energy above", "估补值（未计入以上电量）"),
    "estimated_slots": ("slots", "时段"),
    "estimated_forward": ("estimated fwd kWh", "估补正向 kWh"),
    "estimated_reverse": ("estimated rev kWh", "估补反向 kWh"),
    "beside": ("beside readings of kWh", "对应实测正向 kWh"),
    "together": ("with estimates fwd kWh", "含估补正向 kWh"),
    "method": ("method", "估补方法"),
    "register": ("register difference", "示数差分摊"),
    "balance_method": ("balance", "站内平衡"),
    "like_day": ("like days", "同类日"),
    "value": ("given by a person", "人工给定"),
    "none": ("none", "无"),
    "slots": ("slots", "个时段"),
    "charger": ("charger", "充电桩"),
    "grid_role": ("grid", "关口"),
    "auxiliary_role": ("auxiliary", "辅助"),
    "generation": ("generation", "发电侧"),
    "flow": ("grid flow", "电网潮流"),
    "unknown": ("unknown", "未登记"),
    "measured": ("measured", "实测"),
    "interpolated": ("interpolated", "插值"),
    "estimated": ("estimated", "估算"),
    "partial": ("partial", "不完整"),
    "balance_slot": ("slot energy balance beyond tolerance", "时段能量不平衡"),
    "balance_day": ("day energy balance beyond tolerance", "日能量不平衡"),
    "balance_month": ("month energy balance beyond tolerance", "月能量不平衡"),
    "carbon_balance_slot": ("slot carbon balance beyond tolerance", "时段碳量不平衡"),
    "carbon_balance_day": ("day carbon balance beyond tolerance", "日碳量不平衡"),
    "carbon_balance_month": ("month carbon balance beyond tolerance", "月碳量不平衡"),
    "carbon_party_day": ("carbon of meter, gateway and centre differ over a day", "电能表、网关与中心日碳量不符"),
    "carbon_party_month": ("carbon of meter, gateway and centre differ over a month", "电能表、网关与中心月碳量不符"),
    "completeness_day": ("day's completeness or timeliness below the limit", "日完整率或及时率不达标"),
    "completeness_month": ("month's completeness or timeliness below the limit", "月完整率或及时率不达标"),
    "charger_error": ("charger suspected beyond its class", "充电桩疑似超差"),
    "charger_suspect": ("candidate for re-verification", "失准复检候选"),
    "charger_unjudged": ("charger not judged for many nights", "充电桩久未判定"),
    "make_biased": ("chargers of one make off as a whole: verify three", "同型充电桩整体偏差，请检定三台"),
    "hot_branch": ("branch loses far more than it should: loose connection?", "支路损耗异常：接触不良？"),
    "branch_contradicted": ("voltage drop contradicted by the energies", "电压降与电量矛盾"),
    "carbon_arithmetic": ("carbon is not energy x factor", "碳量复算不符"),
    "factor_mismatch": ("factor is not the one dispatched", "碳因子与下发不符"),
    "factor_unsettled": ("held or default factor not settled", "沿用或缺省因子未结算"),
    "missing_intervals": ("intervals missing", "缺数"),
    "register_discontinuity": ("register not continuous", "示数不连续"),
    "overlapping_intervals": ("intervals overlap", "时段重叠"),
    "interval_span": ("interval beyond its slot", "时段越界"),
    "freeze_difference": ("meter's own freeze differs from the gateway's", "电能表冻结与网关冻结不符"),
    "unknown_meter": ("meter not registered", "未登记电能表"),
    "records_dropped": ("gateway dropped records", "网关丢弃记录"),
    "journal_opened": ("gateway began a new journal", "网关日志重建"),
    "key_shared": ("two gateways use one key", "两个网关共用密钥"),
    "set_aside": ("records the store rejects", "记录无法入库"),
    "order_malformed": ("not a charge order", "订单无法识别"),
    "order_changed": ("charge order changed", "订单更正"),
    "order_unknown_charger": ("order of a charger not registered", "订单的充电桩未登记"),
    "order_times": ("order's times can't be", "订单时间异常"),
    "order_overlap": ("orders overlap", "订单时间重叠"),
    "order_duplicate": ("same charge under two numbers", "重复订单"),
    "order_power": ("order beyond rated power", "订单功率超额定"),
    "order_energy": ("order's energy is not what was metered", "订单电量与计量不符"),
    "order_amount": ("order's amount is not energy x price", "订单金额不符"),
    "sold_unmetered": ("sold but not metered", "有订单无电量"),
    "unsold_energy": ("metered but not sold", "有电量无订单"),
    "sold_day": ("day's sales are not what was metered", "日售电量与计量不符"),
    "sold_month": ("month's sales are not what was metered", "月售电量与计量不符"),
    "gateway": ("gateway", "网关"),
    "info": ("info", "提示"),
    "warning": ("warning", "警告"),
    "alarm": ("alarm", "告警"),
    "open": ("open", "未处理"),
    "acknowledged": ("acknowledged", "已确认"),
    "closed": ("closed", "已关闭"),
    "suspected": ("suspected", "疑似"),
} | {rule.kind: (rule.english, rule.chinese) for rule in RULES}


class Text:
    """Says words in a language."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def word(self, key: str) -> str:
        """Return a word by its key."""
        english, chinese = WORDS[key]
        if self._language is Language.BOTH:
            return f"{english} {chinese}"
        return chinese if self._language is Language.CHINESE else english

    def headings(self, keys: Sequence[str]) -> list[list[str]]:
        """Return the rows of headings: in both languages one below the other, for the width of the table."""
        english, chinese = ([WORDS[key][place] for key in keys] for place in (0, 1))
        if self._language is Language.BOTH:
            return [english, chinese]
        return [chinese if self._language is Language.CHINESE else english]
