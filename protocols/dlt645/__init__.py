"""DL/T 645-2007, and the frames of its predecessor of 1997."""
