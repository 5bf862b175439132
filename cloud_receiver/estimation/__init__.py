"""Remote estimation of charger metering error (远程误差估计) at the centre, from what it has stored."""
