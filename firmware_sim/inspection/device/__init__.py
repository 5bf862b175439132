"""The simulated firmware as a device under test of its own (`diantan-sim serve`), for a bench in another process."""
