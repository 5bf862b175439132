"""The centre's HTTP interface: measurements in, factors and analyses out."""
