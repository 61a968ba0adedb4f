"""Public fakes, contract suites and the fleet simulator."""
