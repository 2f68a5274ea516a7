# The library of the miniature home-manager: one function, at the path where home-manager has it.
{ lib }: { homeManagerConfiguration = import ./eval-config.nix; }
