"""The faces (协议) of simulated meters: what each answers to the requests of a protocol."""
