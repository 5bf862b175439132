"""Metering performance (计量性能, T/CIMA 0079.4, 5.6): load points, methods, limits and conclusions."""
