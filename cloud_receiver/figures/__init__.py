"""Figures (图) of networks and of nodes, PNG and SVG. Only drawing one imports the libraries of the extra `figures`."""
