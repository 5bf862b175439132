"""What stored carbon flow tells by slot, day and month: of nodes, generation, flows, users, and the whole."""
