"""Seeded firmware defects (预设固件缺陷): what shows that each item of the inspection catches what it is there for."""
