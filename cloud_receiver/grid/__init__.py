"""The grid (电网): its model, the files it is read from, and its nodal carbon factors."""
