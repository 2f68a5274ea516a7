"""Tables of hardware: processors, graphics cards and memory, for any machine."""
