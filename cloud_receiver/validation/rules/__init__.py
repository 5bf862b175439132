"""The rules, by what they look at; none of them reads or writes the store, or alters what it is given."""
