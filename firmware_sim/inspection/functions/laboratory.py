"""What a bench can't do: items that need a laboratory. They are reported as not performed here, never as passed."""

from typing import Final

from firmware_sim.inspection.result import ItemInfo

# Annex A of T/CIMA 0079.4 is known only in outline, from one secondary source; the groups are those of the inspection
# of electricity meters. Each: id, English, Chinese, whether it is expected in the factory inspection.
_OUTLINE: Final = (
    ("visual", "Appearance and marking", "外观与标志", True),
    ("insulation.voltage", "AC voltage test", "交流电压试验", True),
    ("insulation.impulse", "Impulse voltage", "冲击电压试验", False),
    ("mechanical.spring-hammer", "Spring hammer", "弹簧锤试验", False),
    ("mechanical.shock", "Shock", "冲击试验", False),
    ("mechanical.vibration", "Vibration", "振动试验", False),
    ("mechanical.enclosure", "Protection against dust and water", "防尘防水试验", False),
    ("mechanical.fire", "Resistance to heat and fire", "耐热与阻燃试验", False),
    ("climatic.heat", "Dry heat", "高温试验", False),
    ("climatic.cold", "Cold", "低温试验", False),
    ("climatic.damp-heat", "Damp heat, cyclic", "交变湿热试验", False),
    ("climatic.solar", "Solar radiation", "阳光辐射防护试验", False),
    ("electrical.consumption", "Power consumption", "功率消耗", False),
    ("electrical.voltage-dips", "Voltage dips and interruptions", "电压暂降和短时中断", False),
    ("electrical.overcurrent", "Short-time overcurrent", "短时过电流", False),
    ("electrical.heating", "Heating", "温升试验", False),
    ("influence.quantities", "Influence quantities", "影响量试验", False),
    ("emc.discharge", "Electrostatic discharge", "静电放电抗扰度", False),
    ("emc.radiated", "Radiated radio-frequency fields", "射频电磁场抗扰度", False),
    ("emc.burst", "Fast transient burst", "快速瞬变脉冲群抗扰度", False),
    ("emc.surge", "Surge", "浪涌抗扰度", False),
    ("emc.conducted", "Conducted radio-frequency disturbance", "射频场感应的传导骚扰抗扰度", False),
    ("emc.oscillatory", "Damped oscillatory waves", "衰减振荡波抗扰度", False),
    ("emc.emission", "Radio interference suppression", "无线电干扰抑制", False),
    ("reliability", "Reliability", "可靠性试验", False),
)
CLAUSE: Final = "Annex A (outline only)"


def laboratory_items() -> list[ItemInfo]:
    """Return what needs a laboratory, by the outline that is known."""
    return [
        ItemInfo(f"laboratory.{name}", CLAUSE, "laboratory", title, title_zh, factory=factory)
        for name, title, title_zh, factory in _OUTLINE
    ]
