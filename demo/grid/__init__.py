"""The demonstration of the grid: from the power flow of a day to gateways that meter with the factors they received.

`load_shapes`, `fleet`, `tables` and `power_flow` use nothing but the standard library and, the last one, pandapower:
they also run in the environment of requirements/power-flow.txt, where nothing else of the project is.
"""
