"""Weeks of recorded sessions through simulator, gateway, broker and centre, with altered chargers among the sound."""
