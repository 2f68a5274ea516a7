"""What hardware is and can do, whoever has it: tables of processors, graphics and memory."""
