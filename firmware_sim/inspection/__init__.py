"""The inspection bench (检验台) after T/CIMA 0079.4: load points, functions, defects and reports."""
